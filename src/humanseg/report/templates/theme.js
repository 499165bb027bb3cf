"use strict";
const root = document.documentElement;
root.classList.add("script");

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

setUpTheme(document.querySelector("[data-control=theme]"));

