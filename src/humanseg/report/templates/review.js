// Marks by picture: "good" or "bad". They are kept in the browser where it allows that, and leave as a file.
const entries = [...document.querySelectorAll(".entry")];
const status = document.querySelector(".status");
const control = (name) => document.querySelector(`[data-control=${name}]`);
const page = `humanseg-review:${document.title}:${entries.map((entry) => entry.dataset.id).join("|")}`;
let marks = new Map(Object.entries(JSON.parse(stored(page) ?? "{}")));
let current = 0;

function draw() {
  const which = control("which").value;
  for (const entry of entries) {
    const mark = marks.get(entry.dataset.id) ?? "";
    entry.dataset.mark = mark;
    entry.hidden = which !== "" && which !== (mark || "none");
    for (const button of entry.querySelectorAll("[data-mark]")) {
      button.setAttribute("aria-pressed", String(button.dataset.mark === mark));
    }
  }
  const count = (mark) => entries.filter((entry) => entry.dataset.mark === mark).length;
  status.textContent = `${count("good")} good, ${count("bad")} bad, ${count("")} unmarked`;
}

function redraw() {
  store(page, JSON.stringify(Object.fromEntries(marks)));
  draw();
}

function mark(entry, value) {
  if (value && marks.get(entry.dataset.id) !== value) marks.set(entry.dataset.id, value);
  else marks.delete(entry.dataset.id);
  redraw();
}

function go(step) {
  let next = current + step;
  while (entries[next]?.hidden) next += step;
  if (entries[next]) entries[next].focus();
}

function download(name, text) {
  const link = document.createElement("a");
  link.href = `data:application/octet-stream,${encodeURIComponent(text)}`;
  link.download = name;
  link.click();
}

// A file of other pictures, or of another page, changes nothing but what it names.
async function load(file) {
  try {
    const read = JSON.parse(await file.text()).marks;
    const valid = Object.entries(read).filter(([, value]) => value === "good" || value === "bad");
    marks = new Map([...marks, ...valid]);
  } catch {
    status.textContent = `${file.name} holds no marks; choose a file that this page wrote.`;
    return;
  }
  redraw();
}

const keys = {
  g: () => mark(entries[current], "good"),
  b: () => mark(entries[current], "bad"),
  u: () => mark(entries[current], ""),
  m: () => control("masks").click(),
  ArrowRight: () => go(1),
  ArrowLeft: () => go(-1),
};

addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("select, input");
  const act = keys[event.key] ?? keys[event.key.toLowerCase()];
  if (!act || typing || event.ctrlKey || event.metaKey || event.altKey || !entries.length) return;
  event.preventDefault();
  act();
  if (event.key.toLowerCase() === "g" || event.key.toLowerCase() === "b") go(1);
});
entries.forEach((entry, index) => {
  entry.addEventListener("focusin", () => { current = index; });
  for (const button of entry.querySelectorAll("[data-mark]")) {
    button.addEventListener("click", () => mark(entry, button.dataset.mark));
  }
});
control("which").addEventListener("change", draw);
control("masks").addEventListener("change", (event) => document.body.classList.toggle("bare", !event.target.checked));
control("load").addEventListener("change", (event) => load(event.target.files[0]));
control("save").addEventListener("click", () => {
  const marked = Object.fromEntries(entries.map((entry) => [entry.dataset.id, entry.dataset.mark]).filter(([, value]) => value));
  download("marks.json", JSON.stringify({ kind: "humanseg review", version: 1, marks: marked }, null, 1));
});
control("list").addEventListener("click", () => {
  const bad = entries.filter((entry) => entry.dataset.mark === "bad").map((entry) => `${entry.dataset.id}\n`);
  download("bad.txt", bad.join(""));
});
draw();
