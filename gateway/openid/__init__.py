"""People of a hospital sign in at its OpenID provider: authorization code flow."""
