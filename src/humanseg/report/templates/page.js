"use strict";
document.documentElement.classList.add("script");

const byName = new Intl.Collator("en", { numeric: true }).compare;

function compareCells(first, second) {
  const a = parseFloat(first.textContent), b = parseFloat(second.textContent);
  if (second.tagName === "TH") return byName(first.textContent, second.textContent);
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
  return a - b;
}

function sortTable(table, place, heading) {
  const rising = heading.getAttribute("aria-sort") !== "ascending";
  const rows = [...table.tBodies[0].rows];
  rows.sort((a, b) => (rising ? 1 : -1) * compareCells(a.cells[place], b.cells[place]));
  table.tBodies[0].append(...rows);
  for (const other of table.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", rising ? "ascending" : "descending");
}

for (const table of document.querySelectorAll("[data-sortable]")) {
  [...table.tHead.rows].at(-1).querySelectorAll("th").forEach((heading, place) => {
    const button = document.createElement("button");
    button.textContent = heading.textContent;
    button.addEventListener("click", () => sortTable(table, place, heading));
    heading.replaceChildren(button);
  });
}

addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
