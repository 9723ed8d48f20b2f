// Keeps a piece of a page fresh: asks for it again every few seconds while the page is
// seen, and puts in what has changed. Without this script the page is as good, and
// reloading it does the same. Whoever reads may stop it (WCAG 2.2, 2.2.2).

const region = document.querySelector("[data-live]");
const controls = document.querySelector("[data-live-controls]");
let tag = "";
let paused = false;
let busy = false;

function focused() {
  const element = document.activeElement;
  if (!element || !region.contains(element)) return () => undefined;
  const { id } = element;
  const href = element.getAttribute("href");
  const name = element.getAttribute("aria-label");
  return () => {
    const same = id
      ? document.getElementById(id)
      : [...region.querySelectorAll("a, button, [tabindex]")].find(
          (each) => each.getAttribute("href") === href && each.getAttribute("aria-label") === name,
        );
    same?.focus({ preventScroll: true });
  };
}

function isInUse() {
  return paused || document.hidden || busy || region.contains(document.getSelection()?.anchorNode) &&
    !document.getSelection().isCollapsed;
}

async function refresh(said) {
  if (isInUse()) return;
  busy = true;
  try {
    const headers = { "X-Live": "1" };
    if (tag) headers["If-None-Match"] = tag;
    const answer = await fetch(region.dataset.live, { headers, redirect: "manual", cache: "no-store" });
    if (answer.type === "opaqueredirect") {
      location.reload(); // the session is over: the page leads to the form to sign in
      return;
    }
    if (answer.status === 200) {
      const body = await answer.text();
      const refocus = focused();
      const scrolled = [...region.querySelectorAll(".scroll")].map((each) => each.scrollLeft);
      region.innerHTML = body;
      region.querySelectorAll(".scroll").forEach((each, index) => { each.scrollLeft = scrolled[index] ?? 0; });
      refocus();
      tag = answer.headers.get("ETag") ?? "";
    }
    const ok = answer.status === 200 || answer.status === 304;
    said.textContent = ok ? `Live, checked ${clock()}` : `Not refreshed: answer ${answer.status}`;
  } catch {
    said.textContent = "Not refreshed: the gateway does not answer";
  } finally {
    busy = false;
  }
}

function clock() {
  return new Date().toISOString().slice(11, 19);
}

if (region && controls) {
  const said = document.createElement("span");
  said.className = "quiet small";
  said.textContent = "Live";
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Pause";
  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? "Go on" : "Pause";
    said.textContent = paused ? "Paused" : "Live";
    refresh(said);
  });
  controls.prepend(said, button);
  setInterval(() => refresh(said), 1000 * Number(region.dataset.liveSeconds));
  document.addEventListener("visibilitychange", () => refresh(said));
}
