/**
 * Decode image files with the browser, and read pixels in bands: canvases of a whole photo are too
 * large for phones.
 *
 * What the browser does: EXIF orientation is applied, colour profiles are converted to sRGB, 16 bits
 * become 8. What is transparent is laid on white for the network, as `humanseg.images.load` does.
 *
 * @typedef {import("./resize.js").Size} Size
 */

/** As `humanseg.images.MAX_PIXELS`. */
const MAX_PIXELS = 100_000_000;
const BAND = 4_000_000; // pixels: all of a preview

/** iPads say that they are Macs. */
export const isIos =
  /iPhone|iPad|iPod/.test(navigator.userAgent) ||
  (/Macintosh/.test(navigator.userAgent) && navigator.maxTouchPoints > 1);

/** Pixels of the largest canvas that a browser draws. */
export const MAX_CANVAS = isIos ? 16_777_216 : 268_000_000;

/** Something that a person can act on; its message is shown as it is. */
export class PageError extends Error {}

/**
 * @param {Blob} file
 * @returns {Promise<ImageBitmap>} upright, in sRGB
 */
export async function decodeImage(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    const hint = /hei[cf]/i.test(file.type) ? "HEIC is read by Safari alone: save it as JPEG." : "";
    throw new PageError(
      `This browser cannot open it: no picture, damaged, or in a format that it does not know. ${hint}`,
    );
  }
  if (bitmap.width * bitmap.height > MAX_PIXELS) {
    const size = `${bitmap.width}x${bitmap.height}`;
    bitmap.close();
    throw new PageError(`${size} pixels; at most 100 million are allowed. Make it smaller first.`);
  }
  return bitmap;
}

/**
 * The size within a square of `side` that keeps the proportions; never larger than the image.
 *
 * @param {Size} size
 * @param {number} side
 * @returns {Size}
 */
export function fitted({ height, width }, side) {
  const scale = Math.min(side / Math.max(height, width), 1);
  const scaled = (/** @type {number} */ length) => Math.max(Math.round(length * scale), 1);
  return { height: scaled(height), width: scaled(width) };
}

/**
 * @param {Size} size
 * @returns {OffscreenCanvasRenderingContext2D} of a new canvas that is read often
 */
export function newContext({ height, width }) {
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (!context) throw new PageError("The picture is too large for this browser's memory.");
  context.imageSmoothingQuality = "high";
  return context;
}

/**
 * Pixels of an image, from top to bottom.
 *
 * @param {ImageBitmap} bitmap
 * @param {Size} size to scale to
 * @param {string} [behind] colour to lay it on; else straight alpha is given
 * @returns {Generator<import("./resize.js").Band>}
 */
export function* imageBands(bitmap, { height, width }, behind) {
  const step = Math.min(Math.max(Math.floor(BAND / width), 1), height);
  const context = newContext({ height: step, width });
  const scale = bitmap.height / height;
  for (let top = 0; top < height; top += step) {
    const rows = Math.min(step, height - top);
    context.clearRect(0, 0, width, step);
    if (behind) {
      context.fillStyle = behind;
      context.fillRect(0, 0, width, rows);
    }
    context.drawImage(bitmap, 0, top * scale, bitmap.width, rows * scale, 0, 0, width, rows);
    yield { top, rows, rgba: context.getImageData(0, 0, width, rows).data };
  }
}

/**
 * All pixels of an image at a small size.
 *
 * @param {ImageBitmap} bitmap
 * @param {Size} size
 */
export function pixels(bitmap, { height, width }) {
  const context = newContext({ height, width });
  context.drawImage(bitmap, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}
