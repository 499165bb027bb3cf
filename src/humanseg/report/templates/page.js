const byName = new Intl.Collator("en", { numeric: true }).compare;

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

function sortTable(table, index, heading) {
  const direction = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  const rows = [...table.tBodies[0].rows];
  rows.sort((a, b) => compareCells(a.cells[index], b.cells[index], direction));
  table.tBodies[0].append(...rows);
  for (const other of table.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
  const order = direction > 0 ? "ascending" : "descending";
  heading.setAttribute("aria-sort", order);
  const status = table.closest("section").querySelector(".status");
  if (status) status.textContent = `Sorted by ${heading.textContent}, ${order}.`;
}

function makeSortable(table) {
  [...table.tHead.rows].at(-1).querySelectorAll("th").forEach((heading, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    button.addEventListener("click", () => sortTable(table, index, heading));
    heading.replaceChildren(button);
  });
}

document.querySelectorAll("[data-sortable]").forEach(makeSortable);

addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
