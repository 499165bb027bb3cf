
// One picture with its controls: a single view instead of all of them side by side.
class Viewer {
  constructor(entry, template) {
    this.entry = entry;
    this.figures = new Map([...entry.querySelectorAll("figure")].map((figure) => [figure.dataset.view, figure]));
    const name = entry.dataset.id;
    const controls = template.content.cloneNode(true);
    controls.querySelector("legend").textContent = `What to show of ${name}`;
    controls.querySelector(".reveal span").textContent = `Part of ${name} under the chosen view`;
    this.slider = controls.querySelector("input[type=range]");
    this.errors = controls.querySelector("input[type=checkbox]");
    this.errors.setAttribute("aria-label", `Mark errors in ${name}`);
    this.radios = [...controls.querySelectorAll("input[type=radio]")];
    const scores = entry.dataset.scores.split(" ");
    for (const radio of this.radios) {
      radio.name = `view-${entry.id}`;
      const score = radio.parentElement.querySelector("b");
      if (score) score.textContent = scores[radio.value] ? Number(scores[radio.value]).toFixed(3) : "–";
      radio.addEventListener("change", () => this.draw());
    }
    this.errors.addEventListener("change", () => this.draw());
    this.slider.addEventListener("input", () => this.reveal());
    entry.append(controls);
    entry.classList.add("live");
  }

  show(view) {
    const [kind, network] = view.split("-");
    const wanted = network ?? kind;
    for (const radio of this.radios) radio.checked = radio.value === wanted;
    if (network !== undefined) this.errors.checked = kind === "errors";
    this.draw();
  }

  draw() {
    const choice = this.radios.find((radio) => radio.checked).value;
    const single = choice === "picture" || choice === "truth";
    const wanted = single ? choice : `${this.errors.checked ? "errors" : "mask"}-${choice}`;
    const shown = this.figures.get(wanted) ?? this.figures.get(`errors-${choice}`) ?? this.figures.get(`mask-${choice}`);
    for (const figure of this.figures.values()) figure.classList.toggle("shown", figure === shown);
    this.errors.disabled = single;
    this.slider.disabled = choice === "picture";
    this.reveal();
  }

  reveal() {
    this.entry.style.setProperty("--reveal", `${this.slider.value}%`);
    this.slider.setAttribute("aria-valuetext", `${this.slider.value} % of the picture`);
    this.entry.classList.toggle("divided", !this.slider.disabled && this.slider.value < 100);
  }
}

class Gallery {
  constructor(section) {
    this.grid = section.querySelector(".entries");
    this.status = section.querySelector(".status");
    this.template = section.querySelector("template");
    this.entries = [...section.querySelectorAll(".entry")];
    this.viewers = new Map();
    section.querySelector(".others")?.remove();
    this.controls = {};
    for (const control of section.querySelectorAll("[data-control]")) {
      this.controls[control.dataset.control] = control;
    }
    const { which, source, order, reverse, view, strip } = this.controls;
    for (const select of [which, source, order]) select?.addEventListener("change", () => this.draw());
    reverse.addEventListener("click", () => {
      reverse.setAttribute("aria-pressed", String(reverse.getAttribute("aria-pressed") !== "true"));
      this.draw();
    });
    view.addEventListener("change", () => this.viewers.forEach((viewer) => viewer.show(view.value)));
    strip.addEventListener("change", () => this.grid.classList.toggle("strips", strip.checked));
    this.draw({ quiet: true });
    addEventListener("hashchange", () => this.follow());
    this.follow();
  }

  keys() {
    const scores = (entry) => entry.dataset.scores.split(" ").filter(Boolean).map(Number);
    const low = (entry) => Math.min(...scores(entry), Infinity);
    return {
      rule: () => 0,
      worst: low,
      gap: (entry) => low(entry) - Math.max(...scores(entry), low(entry)),
      share: (entry) => Number(entry.dataset.share),
      score: (entry, index) => Number.parseFloat(entry.dataset.scores.split(" ")[index] || "Infinity"),
    };
  }

  sorted(entries) {
    const [order, index] = this.controls.order.value.split("-");
    if (order === "name") return entries.sort((a, b) => byName(a.dataset.id, b.dataset.id));
    const key = this.keys()[order];
    const values = new Map(entries.map((entry) => [entry, key(entry, index)]));
    return entries.sort((a, b) => (values.get(a) - values.get(b)) || 0);
  }

  draw({ quiet = false } = {}) {
    const { which, source, order, reverse } = this.controls;
    const wanted = this.entries.filter((entry) =>
      (which?.value !== "chosen" || "chosen" in entry.dataset)
      && (!source?.value || entry.dataset.source === source.value));
    const shown = this.sorted(wanted);
    if (reverse.getAttribute("aria-pressed") === "true") shown.reverse();
    this.grid.replaceChildren(...shown);
    shown.forEach((entry) => this.enliven(entry));
    if (quiet) return;
    const name = order.selectedOptions[0].textContent;
    this.status.textContent = `${shown.length} pictures, sorted by ${name}.`;
  }

  enliven(entry) {
    if (this.viewers.has(entry)) return;
    const viewer = new Viewer(entry, this.template);
    this.viewers.set(entry, viewer);
    viewer.show(this.controls.view.value);
  }

  // A link to a picture that is filtered out brings all pictures back.
  follow() {
    const target = this.entries.find((entry) => `#${entry.id}` === location.hash);
    if (!target) return;
    if (!target.isConnected) {
      if (this.controls.which) this.controls.which.value = "all";
      if (this.controls.source) this.controls.source.value = "";
      this.draw();
    }
    target.scrollIntoView();
    target.focus({ preventScroll: true });
  }
}

const gallery = document.querySelector("[data-gallery]");
if (gallery) new Gallery(gallery);
