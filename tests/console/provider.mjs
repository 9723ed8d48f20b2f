// Runs OpenID providers on loopback, each with the login page of oidc-provider.
// usage: node provider.mjs NODE_MODULES SETTINGS.json
// SETTINGS: a list of {port, people, clients, tokenClaims, tls: {key, cert}?}.
// `people` is a JSON file that is read anew at every question: who signs in as NAME has
// the claims that it holds under NAME.
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [modules, settings] = process.argv.slice(2);
const entry = path.resolve(modules, 'oidc-provider', 'lib', 'index.js');
const { Provider } = await import(pathToFileURL(entry));

const person = (file, name) => JSON.parse(fs.readFileSync(file, 'utf-8'))[name];

// What the client was registered for needs no consent of each person.
async function grantOf(ctx) {
  const { client, session, provider } = ctx.oidc;
  const accountId = session.accountId;
  const grant = new provider.Grant({ clientId: client.clientId, accountId });
  grant.addOIDCScope('openid profile');
  await grant.save();
  return grant;
}

function open({ port, people, clients, tokenClaims, tls }) {
  const issuer = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`;
  const provider = new Provider(issuer, {
    clients,
    claims: { openid: ['sub'], profile: ['preferred_username', 'groups', 'realm_access'] },
    conformIdTokenClaims: !tokenClaims,
    cookies: { keys: ['of a test'] },
    pkce: { required: () => true },
    findAccount: (_ctx, name) => ({
      accountId: name,
      claims: () => ({ sub: name, ...person(people, name) }),
    }),
    loadExistingGrant: grantOf,
  });
  const listen = tls
    ? https.createServer(
        { key: fs.readFileSync(tls.key), cert: fs.readFileSync(tls.cert) },
        provider.callback(),
      )
    : http.createServer(provider.callback());
  listen.listen(port, '127.0.0.1');
}

JSON.parse(fs.readFileSync(settings, 'utf-8')).forEach(open);
