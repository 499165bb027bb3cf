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

/** @type {WeakMap<Picture, HTMLLIElement>} */
const items = new WeakMap();

/**
 * Show the pictures as they are now. Tiles stay the same elements: a press that began on one must find it.
 *
 * @param {HTMLElement} list
 * @param {Picture[]} pictures
 * @param {Picture | null} current
 * @param {(picture: Picture) => void} onChoose
 */
export function showStrip(list, pictures, current, onChoose) {
  const shown = pictures.map((picture) => {
    const item = items.get(picture) ?? newItem(picture, onChoose);
    items.set(picture, item);
    const button = /** @type {HTMLButtonElement} */ (item.firstElementChild);
    const mark = /** @type {HTMLElement} */ (button.lastElementChild);
    if (picture.thumbnail && button.firstChild !== picture.thumbnail) button.prepend(picture.thumbnail);
    if (mark.textContent !== MARKS[picture.state]) mark.textContent = MARKS[picture.state];
    button.dataset.state = picture.state;
    button.ariaLabel = `${picture.file.name}, ${WORDS[picture.state]}`;
    button.ariaCurrent = String(picture === current);
    return item;
  });
  for (const item of [...list.children]) if (!shown.includes(/** @type {HTMLLIElement} */ (item))) item.remove();
  list.append(...shown.filter((item) => !item.isConnected));
}

/**
 * @param {Picture} picture
 * @param {(picture: Picture) => void} onChoose
 */
function newItem(picture, onChoose) {
  const mark = Object.assign(document.createElement("span"), { className: "mark", ariaHidden: "true" });
  const button = Object.assign(document.createElement("button"), { className: "tile", type: "button" });
  button.append(mark);
  button.onclick = () => onChoose(picture);
  const item = document.createElement("li");
  item.append(button);
  return item;
}
