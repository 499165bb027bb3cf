"use strict";
const root = document.documentElement;
root.classList.add("script");

const byName = new Intl.Collator("en", { numeric: true }).compare;

// Some browsers refuse storage to pages opened from a file; the choice then lasts as long as the page.
function storedTheme() {
  try {
    return localStorage.getItem("humanseg-theme");
  } catch {
    return null;
  }
}

function storeTheme(theme) {
  try {
    localStorage.setItem("humanseg-theme", theme);
  } catch {
    return;
  }
}

// The theme follows the system until the button is used; the choice is remembered.
function setUpTheme(button) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const stored = storedTheme();
  if (stored === "dark" || stored === "light") root.dataset.theme = stored;
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const show = () => button.setAttribute("aria-pressed", String(isDark()));
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    storeTheme(root.dataset.theme);
    show();
  });
  system.addEventListener("change", show);
  show();
}

function cellValue(cell) {
  const value = Number.parseFloat(cell.dataset.value ?? cell.textContent);
  return Number.isNaN(value) ? null : value;
}

// Cells without a number stay at the end in both directions.
function compareCells(first, second, direction) {
  if (first.tagName === "TH") return direction * byName(first.textContent, second.textContent);
  const a = cellValue(first), b = cellValue(second);
  if (a === null && b === null) return direction * byName(first.textContent, second.textContent);
  if (a === null || b === null) return (a === null) - (b === null);
  return direction * (a - b);
}

function sortTable(table, place, heading) {
  const direction = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  const rows = [...table.tBodies[0].rows];
  rows.sort((a, b) => compareCells(a.cells[place], b.cells[place], direction));
  table.tBodies[0].append(...rows);
  for (const other of table.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
  const order = direction > 0 ? "ascending" : "descending";
  heading.setAttribute("aria-sort", order);
  const status = table.closest("section").querySelector(".status");
  if (status) status.textContent = `Sorted by ${heading.textContent}, ${order}.`;
}

function makeSortable(table) {
  [...table.tHead.rows].at(-1).querySelectorAll("th").forEach((heading, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    button.addEventListener("click", () => sortTable(table, place, heading));
    heading.replaceChildren(button);
  });
}

setUpTheme(document.querySelector("[data-control=theme]"));
document.querySelectorAll("[data-sortable]").forEach(makeSortable);

addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
