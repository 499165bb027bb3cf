"use strict";
const root = document.documentElement;
root.classList.add("script");

// Some browsers refuse storage to pages opened from a file; a choice then lasts as long as the page.
function stored(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function store(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    return;
  }
}

// The theme follows the system until the button is used; the choice is remembered.
function setUpTheme(button) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const chosen = stored("humanseg-theme");
  if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const show = () => button.setAttribute("aria-pressed", String(isDark()));
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    store("humanseg-theme", root.dataset.theme);
    show();
  });
  system.addEventListener("change", show);
  show();
}

setUpTheme(document.querySelector("[data-control=theme]"));

