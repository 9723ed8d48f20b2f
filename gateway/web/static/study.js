// The page of a study: sentences and boxes that light up together, zoom, window.
// Coordinates are pixels of the upright image; image and boxes share one viewBox, so
// boxes stay on what they mark. Nothing here makes HTML out of text.

const MOST_ZOOM = 16;
const WAIT_MS = 1000;
const MOST_WAITS = 900;

const page = document.querySelector("[data-study]");
const films = [...page.querySelectorAll("svg.canvas")].map(openFilm);
const main = films.find((film) => film.part === "frontal") ?? films[0];

// ---- sentences and boxes ---------------------------------------------------------

function findingOf(target) {
  return target.closest?.("[data-finding]")?.dataset.finding;
}

function light(key) {
  for (const each of page.querySelectorAll("[data-finding]")) {
    each.classList.toggle("lit", key !== undefined && each.dataset.finding === key);
  }
  page.classList.toggle("has-lit", key !== undefined);
}

page.addEventListener("pointerover", (event) => light(findingOf(event.target)));
page.addEventListener("pointerleave", () => light(undefined));
page.addEventListener("focusin", (event) => light(findingOf(event.target)));
page.addEventListener("focusout", () => light(undefined));

// A click on a sentence brings its first box into the middle of what is seen.
page.addEventListener("click", (event) => {
  const sentence = event.target.closest(".finding .sentence");
  if (sentence && main) {
    bringIntoView(main, findingOf(sentence));
  }
});

page.addEventListener("change", (event) => {
  const { toggle, all, unseen } = event.target.dataset;
  if (toggle !== undefined) {
    showBoxes(toggle, event.target.checked);
  } else if (all !== undefined) {
    for (const each of page.querySelectorAll("[data-toggle]")) {
      each.checked = event.target.checked;
      showBoxes(each.dataset.toggle, each.checked);
    }
  } else if (unseen !== undefined) {
    for (const each of page.querySelectorAll(".unseen")) {
      each.classList.toggle("hidden", !event.target.checked);
    }
  }
});

function showBoxes(key, shown) {
  for (const box of page.querySelectorAll(".box")) {
    if (box.dataset.finding === key) {
      box.classList.toggle("hidden", !shown);
    }
  }
}

function keepToggles() {
  for (const each of page.querySelectorAll("[data-toggle]")) {
    showBoxes(each.dataset.toggle, each.checked);
  }
}

// ---- films -----------------------------------------------------------------------

function openFilm(svg) {
  const film = {
    svg,
    part: svg.closest("[data-film]").dataset.film,
    image: svg.querySelector("image"),
    filter: svg.querySelector("filter"),
    picture: svg.dataset.picture,
    width: Number(svg.dataset.columns),
    height: Number(svg.dataset.height),
    zoom: 1,
    middle: [0.5, 0.5],
    greys: null,
    window: null,
    shown: null,
    whole: false,
    busy: false,
  };
  svg.addEventListener("wheel", (event) => wheel(film, event), { passive: false });
  svg.addEventListener("pointerdown", (event) => drag(film, event));
  svg.addEventListener("contextmenu", (event) => event.preventDefault());
  svg.addEventListener("keydown", (event) => key(film, event));
  svg.addEventListener("dblclick", () => moveTo(film, 1, [0.5, 0.5]));
  new ResizeObserver(() => sizeTags(film)).observe(svg);
  return film;
}

function viewOf(film) {
  const [w, h] = [film.width / film.zoom, film.height / film.zoom];
  const [x, y] = [film.middle[0] * film.width - w / 2, film.middle[1] * film.height - h / 2];
  return [x, y, w, h];
}

function draw(film) {
  film.svg.setAttribute("viewBox", viewOf(film).join(" "));
  sizeTags(film);
  if (film.zoom > 1.5 && !film.whole) {
    film.whole = true; // closer than the screen's size every pixel counts
    load(film);
  }
}

// Numbers keep their size on the screen, however near the film is, and their place
// inside the image.
function sizeTags(film) {
  const box = film.svg.getBoundingClientRect();
  const [, , w, h] = viewOf(film);
  if (!box.width || !box.height) {
    return;
  }
  const scale = Math.max(w / box.width, h / box.height);
  for (const tag of film.svg.querySelectorAll(".tag")) {
    const y = Math.max(Number(tag.dataset.y), 20 * scale);
    tag.setAttribute("transform", `translate(${tag.dataset.x} ${y}) scale(${scale})`);
  }
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

function moveTo(film, zoom, middle) {
  const linked = page.querySelector("[data-linked]");
  const others = linked?.checked ? films : [film];
  for (const each of others) {
    each.zoom = clamp(zoom, 1, MOST_ZOOM);
    const half = 0.5 / each.zoom;
    each.middle = middle.map((value) => clamp(value, half, 1 - half));
    draw(each);
  }
  const shown = page.querySelector("[data-zoom-shown]");
  shown.textContent = `${Math.round(film.zoom * 100)} %`;
}

function zoomBy(film, factor, at = film.middle) {
  const zoom = clamp(film.zoom * factor, 1, MOST_ZOOM);
  const ratio = film.zoom / zoom; // what lies under the pointer stays there
  const middle = at.map((value, i) => value + (film.middle[i] - value) * ratio);
  moveTo(film, zoom, middle);
}

function shareAt(film, event) {
  const matrix = film.svg.getScreenCTM();
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
  return [point.x / film.width, point.y / film.height];
}

function wheel(film, event) {
  event.preventDefault();
  zoomBy(film, event.deltaY < 0 ? 1.2 : 1 / 1.2, shareAt(film, event));
}

function bringIntoView(film, finding) {
  const box = [...film.svg.querySelectorAll(".box")].find((b) => b.dataset.finding === finding);
  if (box && film.zoom > 1) {
    const area = box.querySelector("rect").getBBox();
    moveTo(film, film.zoom, [
      (area.x + area.width / 2) / film.width,
      (area.y + area.height / 2) / film.height,
    ]);
  }
}

function key(film, event) {
  const step = 0.1 / film.zoom;
  const moves = {
    ArrowLeft: [-step, 0],
    ArrowRight: [step, 0],
    ArrowUp: [0, -step],
    ArrowDown: [0, step],
  };
  if (event.ctrlKey || event.metaKey || event.altKey) {
    return;
  }
  if (event.key === "+" || event.key === "=") {
    zoomBy(film, 1.25);
  } else if (event.key === "-") {
    zoomBy(film, 1 / 1.25);
  } else if (event.key === "0") {
    moveTo(film, 1, [0.5, 0.5]);
  } else if (event.key === "r") {
    resetWindow(film);
  } else if (event.key in moves) {
    moveTo(film, film.zoom, film.middle.map((value, i) => value + moves[event.key][i]));
  } else {
    return;
  }
  event.preventDefault();
}

for (const button of page.querySelectorAll("[data-zoom]")) {
  button.addEventListener("click", () => {
    if (button.dataset.zoom === "fit") {
      moveTo(main, 1, [0.5, 0.5]);
    } else {
      zoomBy(main, button.dataset.zoom === "in" ? 1.25 : 1 / 1.25);
    }
  });
}

function drag(film, start) {
  if (start.button !== 0 && start.button !== 2) {
    return;
  }
  const chosen = page.querySelector("[name=drag]:checked").value;
  const windows = (chosen === "window") === (start.button === 0);
  const [middle, from] = [film.middle, film.window ?? fileWindow(film)];
  const box = film.svg.getBoundingClientRect();
  film.svg.setPointerCapture(start.pointerId);
  const move = (event) => {
    const [dx, dy] = [event.clientX - start.clientX, event.clientY - start.clientY];
    if (windows && from && Math.abs(dx) + Math.abs(dy) > 2) {
      // to the right wider, downward darker for a film whose highest values are white
      const unit = Math.max(film.greys.high - film.greys.low, 1) / 512;
      const way = film.greys.inverted ? 1 : -1;
      setWindow(film, from.center - way * dy * unit, from.width + dx * unit);
    } else if (!windows) {
      const scale = Math.max(film.width / film.zoom / box.width, film.height / film.zoom / box.height);
      moveTo(film, film.zoom, [
        middle[0] - (dx * scale) / film.width,
        middle[1] - (dy * scale) / film.height,
      ]);
    }
  };
  const end = () => {
    film.svg.removeEventListener("pointermove", move);
    film.svg.removeEventListener("pointerup", end);
    film.svg.removeEventListener("pointercancel", end);
  };
  film.svg.addEventListener("pointermove", move);
  film.svg.addEventListener("pointerup", end);
  film.svg.addEventListener("pointercancel", end);
}

// ---- window and level ------------------------------------------------------------
// The gateway windows the stored values, all their bits; until its picture is here a
// filter shifts the greys of the one before, so that dragging is felt at once.

const [centerField, widthField] = ["center", "width"].map((name) =>
  page.querySelector(`[data-window=${name}]`),
);

function fileWindow(film) {
  return film.greys && { center: film.greys.center, width: film.greys.width };
}

async function readGreys(film) {
  const answer = await fetch(`${film.picture}.json`);
  if (!answer.ok) {
    return;
  }
  film.greys = await answer.json();
  film.shown = fileWindow(film);
  if (film === main) {
    tellWindow(film);
    centerField.disabled = widthField.disabled = false;
  }
}

function tellWindow(film) {
  const shown = film.window ?? fileWindow(film);
  if (film === main && shown) {
    centerField.value = Math.round(shown.center * 100) / 100;
    widthField.value = Math.round(shown.width * 100) / 100;
  }
}

function setWindow(film, center, width) {
  film.window = { center: clamp(center, -1e6, 1e6), width: clamp(width, 1, 1e6) };
  tellWindow(film);
  foresee(film);
  load(film);
}

function resetWindow(film) {
  film.window = null;
  tellWindow(film);
  load(film);
}

function foresee(film) {
  const [shown, wanted] = [film.shown, film.window];
  let slope = shown.width / wanted.width;
  let intercept = (shown.center - wanted.center) / wanted.width + 0.5 - slope / 2;
  if (film.greys.inverted) {
    intercept = 1 - slope - intercept;
  }
  for (const part of film.filter.querySelectorAll("feFuncR, feFuncG, feFuncB")) {
    part.setAttribute("slope", slope);
    part.setAttribute("intercept", intercept);
  }
  film.image.setAttribute("filter", `url(#${film.filter.id})`);
}

// One picture is asked for at a time; when it is here, the latest wish is.
async function load(film) {
  if (film.busy) {
    return;
  }
  film.busy = true;
  const [wanted, whole] = [film.window, film.whole];
  const query = new URLSearchParams();
  if (wanted) {
    query.set("center", wanted.center);
    query.set("width", wanted.width);
  }
  if (whole) {
    query.set("whole", "true");
  }
  const path = `${film.picture}.png${query.size ? `?${query}` : ""}`;
  const next = new Image();
  next.src = path;
  try {
    await next.decode();
    film.image.setAttribute("href", path);
    film.shown = wanted ?? fileWindow(film);
    if (film.window === wanted) {
      film.image.removeAttribute("filter");
    } else {
      foresee(film);
    }
  } catch {
    // the picture before stays; the next wish is asked for anew
  }
  film.busy = false;
  if (film.window !== wanted || film.whole !== whole) {
    load(film);
  }
}

for (const field of [centerField, widthField]) {
  field?.addEventListener("change", () => {
    const [center, width] = [centerField.valueAsNumber, widthField.valueAsNumber];
    if (Number.isFinite(center) && width >= 1) {
      setWindow(main, center, width);
    }
  });
}
page.querySelector("[data-window-reset]")?.addEventListener("click", () => resetWindow(main));

// ---- phrases ---------------------------------------------------------------------

const list = () => page.querySelector("[data-groundings]");

async function refresh() {
  const answer = await fetch(`/studies/${page.dataset.study}/groundings`);
  if (!answer.ok) {
    return false;
  }
  // Parsed apart from this page: nothing in it runs, and the policy forbids it again.
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  list().replaceWith(document.adoptNode(fresh.querySelector("[data-groundings]")));
  const boxes = page.querySelector("[data-groundings-boxes]");
  const drawn = fresh.querySelector("[data-groundings-boxes]");
  if (boxes && drawn) {
    boxes.replaceWith(document.adoptNode(drawn));
    sizeTags(main);
    keepToggles();
  }
  return Number(list().dataset.groundings) > 0;
}

let waiting = false;

async function wait() {
  if (waiting) {
    return;
  }
  waiting = true;
  for (let count = 0; count < MOST_WAITS; count += 1) {
    await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
    if (!(await refresh().catch(() => true))) {
      break;
    }
  }
  waiting = false;
}

page.querySelector("[data-ground]")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const answer = await fetch(form.action, { method: "POST", body: new FormData(form), redirect: "manual" });
  if (answer.type !== "opaqueredirect" && !answer.ok) {
    form.submit(); // the page that it leads to says what was wrong
    return;
  }
  form.reset();
  await refresh();
  wait();
});

if (list() && Number(list().dataset.groundings) > 0) {
  wait();
}
for (const film of films) {
  readGreys(film);
  draw(film);
}
