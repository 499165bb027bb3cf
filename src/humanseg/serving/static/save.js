/**
 * Results as files, at the size of the picture itself.
 *
 * @typedef {import("./app.js").Picture} Picture
 * @typedef {import("./render.js").Settings} Settings
 */

import { MAX_CANVAS, decodeImage, fitted } from "./image.js";
import { render } from "./render.js";
import { zip } from "./zip.js";

const QUALITY = 0.92; // of JPEG files
const NAMES = { transparent: "cutout", colour: "replace", picture: "replace", blur: "blur" };

/**
 * @param {Picture} picture
 * @param {Settings} settings
 * @param {string} type `image/png` or `image/jpeg`; what is transparent is always PNG
 * @returns {Promise<{name: string, blob: Blob}>}
 */
export async function resultFile(picture, settings, type) {
  const { probability, strokes, file } = picture;
  if (!probability) throw new RangeError("not segmented yet");
  const bitmap = await decodeImage(file);
  const { height, width } = bitmap;
  const shrinking = Math.min(Math.sqrt(MAX_CANVAS / (height * width)), 1);
  const size = fitted(bitmap, Math.floor(Math.max(height, width) * shrinking));
  const canvas = await render({ bitmap, probability, strokes }, settings, size);
  bitmap.close();
  const { kind } = settings.background;
  const format = kind === "transparent" ? "image/png" : type;
  const blob = await canvas.convertToBlob({ type: format, quality: QUALITY });
  const suffix = blob.type === "image/jpeg" ? "jpg" : "png";
  const stem = file.name.replace(/\.[^.]*$/, "") || "picture";
  return { name: `${stem}-${NAMES[kind]}.${suffix}`, blob };
}

/**
 * @param {Picture[]} pictures
 * @param {Settings} settings
 * @param {string} type
 * @param {(done: number) => void} progress
 */
export async function resultArchive(pictures, settings, type, progress) {
  const files = [];
  const names = new Set();
  for (const picture of pictures) {
    const { name, blob } = await resultFile(picture, settings, type);
    let unique = name;
    for (let i = 2; names.has(unique); i++) unique = name.replace(/(\.\w+)$/, `-${i}$1`);
    names.add(unique);
    files.push({ name: unique, blob });
    progress(files.length);
  }
  return { name: "people.zip", blob: await zip(files) };
}

/** @param {{name: string, blob: Blob}} file handed to the browser's own download */
export function download({ name, blob }) {
  const address = URL.createObjectURL(blob);
  Object.assign(document.createElement("a"), { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
