/**
 * The pictures as a row of thumbnails with their progress.
 *
 * @typedef {import("./app.js").Picture} Picture
 */

import { fitted } from "./image.js";

const SIDE = 160;
const MARKS = { waiting: "…", working: "…", done: "✓", failed: "!" };
const WORDS = { waiting: "waiting", working: "in work", done: "done", failed: "failed" };

/**
 * @param {ImageBitmap} bitmap
 * @returns {HTMLCanvasElement}
 */
export function thumbnail(bitmap) {
  const { height, width } = fitted(bitmap, SIDE);
  const canvas = Object.assign(document.createElement("canvas"), { height, width });
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0, width, height);
  return canvas;
}

/**
 * @param {HTMLElement} list
 * @param {Picture[]} pictures
 * @param {Picture | null} current
 * @param {(picture: Picture) => void} onChoose
 */
export function showStrip(list, pictures, current, onChoose) {
  const focused = [...list.children].findIndex((item) => item.contains(document.activeElement));
  list.replaceChildren(
    ...pictures.map((picture) => {
      const mark = Object.assign(document.createElement("span"), { className: "mark" });
      mark.textContent = MARKS[picture.state];
      mark.ariaHidden = "true";
      const button = Object.assign(document.createElement("button"), { className: "tile", type: "button" });
      button.dataset.state = picture.state;
      button.ariaLabel = `${picture.file.name}, ${WORDS[picture.state]}`;
      button.ariaCurrent = String(picture === current);
      button.append(...(picture.thumbnail ? [picture.thumbnail, mark] : [mark]));
      button.onclick = () => onChoose(picture);
      const item = document.createElement("li");
      item.append(button);
      return item;
    }),
  );
  /** @type {HTMLElement | null} */ (list.children[focused]?.firstElementChild)?.focus();
}
