/**
 * What is seen and what is saved: the people of an image before a background, at any size.
 *
 * @typedef {import("./resize.js").Size} Size
 * @typedef {import("./probability.js").Probability} Probability
 * @typedef {{mode: "add" | "erase", width: number, points: number[][]}} Stroke of the brush; lengths
 *   are shares of the image's longer side, points (x, y) shares of its width and height
 * @typedef {{kind: "transparent"} | {kind: "colour", colour: string} | {kind: "blur", strength: number}
 *   | {kind: "picture", bitmap: ImageBitmap}} Background strength: deviation of the blur as a share of
 *   the longer side
 * @typedef {{threshold: number, softness: number, background: Background}} Settings
 * @typedef {{bitmap: ImageBitmap, probability: Probability, strokes: Stroke[]}} Subject
 */

import { blurBackground, corrected255, estimateColours } from "./blurring.js";
import { fitted, imageBands, newContext, pixels } from "./image.js";
import { alphaTable } from "./probability.js";
import { sample } from "./resize.js";

/** Standard deviation of `blurBackground` in its own pixels. */
const DEVIATION = 2.4;

/**
 * @param {Subject} subject
 * @param {Settings} settings
 * @param {Size} size of the result
 * @returns {Promise<OffscreenCanvas>}
 */
export async function render(subject, settings, size) {
  const { bitmap, probability, strokes } = subject;
  const levelsAt = (/** @type {Size} */ wanted) =>
    settings.background.kind === "blur" ? probability.levels(wanted) : probability.refined(bitmap, wanted);
  const levels = await levelsAt(size);
  const table = alphaTable(settings.threshold, settings.softness);
  const small = probability.small.size;
  const smallAlpha = alphaRows(await levelsAt(small), small, table, strokes, 0, small.height);
  const context = newContext(size);
  paintBackground(context, bitmap, settings.background, smallAlpha, small, size);
  const whole = Math.max(bitmap.height, bitmap.width);
  const estimate = estimateColours(pixels(bitmap, small), smallAlpha, small, whole);
  const cell = { ...small, ...estimate };
  /** @type {OffscreenCanvasRenderingContext2D | null} */
  let layer = null;
  for (const { top, rows, rgba } of imageBands(bitmap, size)) {
    const alpha = alphaRows(levels, size, table, strokes, top, rows);
    mattePeople(rgba, alpha, cell, size, top);
    layer ??= newContext({ height: rows, width: size.width });
    layer.clearRect(0, 0, size.width, rows);
    layer.putImageData(new ImageData(rgba, size.width, rows), 0, 0);
    context.drawImage(layer.canvas, 0, 0, size.width, rows, 0, top, size.width, rows);
  }
  return context.canvas;
}

/**
 * Alpha of some rows, with what was painted by hand.
 *
 * @param {Uint8Array} levels (height, width) of the whole image
 * @param {Size} size
 * @param {Uint8Array} table alpha of each level
 * @param {Stroke[]} strokes
 * @param {number} top
 * @param {number} rows
 * @returns {Uint8ClampedArray} (rows, width)
 */
export function alphaRows(levels, { height, width }, table, strokes, top, rows) {
  const alpha = new Uint8ClampedArray(rows * width);
  for (let i = 0; i < alpha.length; i++) alpha[i] = table[levels[top * width + i]];
  if (!strokes.length) return alpha;
  const context = newContext({ height: rows, width });
  const image = context.createImageData(width, rows);
  for (let i = 0; i < alpha.length; i++) image.data[4 * i + 3] = alpha[i];
  context.putImageData(image, 0, 0);
  context.translate(0, -top);
  for (const stroke of strokes) drawStroke(context, stroke, { height, width });
  const drawn = context.getImageData(0, 0, width, rows).data;
  for (let i = 0; i < alpha.length; i++) alpha[i] = drawn[4 * i + 3];
  return alpha;
}

/**
 * @param {OffscreenCanvasRenderingContext2D} context
 * @param {Stroke} stroke
 * @param {Size} size of the whole image
 */
function drawStroke(context, { mode, width, points }, size) {
  context.globalCompositeOperation = mode === "add" ? "source-over" : "destination-out";
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = width * Math.max(size.height, size.width);
  context.beginPath();
  for (const [x, y] of points) context.lineTo(x * size.width, y * size.height);
  if (points.length === 1) context.lineTo(points[0][0] * size.width + 0.01, points[0][1] * size.height);
  context.stroke();
}

/**
 * @param {OffscreenCanvasRenderingContext2D} context
 * @param {ImageBitmap} bitmap the image itself
 * @param {Background} background
 * @param {Uint8ClampedArray} alpha at `small`
 * @param {Size} small
 * @param {Size} size
 */
function paintBackground(context, bitmap, background, alpha, small, size) {
  if (background.kind === "colour") {
    context.fillStyle = background.colour;
    context.fillRect(0, 0, size.width, size.height);
  } else if (background.kind === "picture") {
    drawCovering(context, background.bitmap, size);
  } else if (background.kind === "blur") {
    const reduced = fitted(small, Math.max(DEVIATION / background.strength, 1));
    const layer = newContext(reduced);
    layer.fillStyle = "white"; // as the server lays transparent pictures
    layer.fillRect(0, 0, reduced.width, reduced.height);
    layer.drawImage(bitmap, 0, 0, reduced.width, reduced.height);
    const image = layer.getImageData(0, 0, reduced.width, reduced.height);
    image.data.set(blurBackground(image.data, reducedAlpha(alpha, small, reduced), reduced));
    layer.putImageData(image, 0, 0);
    context.drawImage(layer.canvas, 0, 0, size.width, size.height);
  }
}

/**
 * The largest alpha in every pixel of a smaller map: what touches a person does not enter the blur.
 *
 * @param {Uint8ClampedArray} alpha
 * @param {Size} from
 * @param {Size} to
 */
function reducedAlpha(alpha, from, to) {
  const reduced = new Uint8ClampedArray(to.height * to.width);
  for (let y = 0; y < from.height; y++) {
    const row = Math.floor((y * to.height) / from.height) * to.width;
    for (let x = 0; x < from.width; x++) {
      const at = row + Math.floor((x * to.width) / from.width);
      reduced[at] = Math.max(reduced[at], alpha[y * from.width + x]);
    }
  }
  return reduced;
}

/**
 * Scale a picture so that it just covers the canvas, and cut off evenly what sticks out.
 *
 * @param {OffscreenCanvasRenderingContext2D} context
 * @param {ImageBitmap} bitmap
 * @param {Size} size
 */
function drawCovering(context, bitmap, { height, width }) {
  const scale = Math.min(bitmap.height / height, bitmap.width / width);
  const [w, h] = [width * scale, height * scale];
  context.drawImage(bitmap, (bitmap.width - w) / 2, (bitmap.height - h) / 2, w, h, 0, 0, width, height);
}

/**
 * Give rows of an image their alpha, and the pixels at the rim the person's own colour.
 *
 * @param {Uint8ClampedArray} rgba rows of the image; changed
 * @param {Uint8ClampedArray} alpha of these rows
 * @param {Size & {front: Float32Array, back: Float32Array}} cell colours around, at a small size
 * @param {Size} size of the whole image
 * @param {number} top
 */
function mattePeople(rgba, alpha, cell, size, top) {
  const count = cell.height * cell.width;
  for (let i = 0; i < alpha.length; i++) {
    const own = rgba[4 * i + 3];
    if (alpha[i] > 0 && alpha[i] < 255) {
      const y = ((top + Math.floor(i / size.width) + 0.5) * cell.height) / size.height - 0.5;
      const x = (((i % size.width) + 0.5) * cell.width) / size.width - 0.5;
      for (let c = 0; c < 3; c++) {
        const front = sample(cell.front, c * count, cell, y, x);
        const back = sample(cell.back, c * count, cell, y, x);
        rgba[4 * i + c] = corrected255(rgba[4 * i + c], front, back, alpha[i] / 255);
      }
    }
    rgba[4 * i + 3] = Math.round((alpha[i] * own) / 255);
  }
}
