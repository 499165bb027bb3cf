/**
 * Blurs over small images: the person's own colour at the rim, and the background without the person.
 *
 * @typedef {import("./resize.js").Size} Size
 */

/** Less weight than any pixel has. */
const NOTHING = 1e-4;
/** Reach of the two passes in pixels of an image of up to `LONG` pixels, as in the package's. */
const [WIDE, NARROW] = [44, 3];
const LONG = 1920;

/**
 * Means over squares of side 2 * radius + 1; borders are repeated.
 *
 * @param {Float32Array} values planes of (height, width)
 * @param {Size} size
 * @param {number} radius
 */
export function boxMeans(values, { height, width }, radius) {
  const planes = values.length / (height * width);
  const row = (/** @type {number} */ line) => line * width;
  const column = (/** @type {number} */ line) =>
    Math.floor(line / width) * width * height + (line % width);
  const across = lineMeans(values, planes * height, width, 1, row, radius);
  return lineMeans(across, planes * width, height, width, column, radius);
}

/**
 * @param {Float32Array} values
 * @param {number} lines how many
 * @param {number} length of each
 * @param {number} step from a value to the next of its line
 * @param {(line: number) => number} startOf
 * @param {number} radius
 */
function lineMeans(values, lines, length, step, startOf, radius) {
  const means = new Float32Array(values.length);
  for (let line = 0; line < lines; line++) {
    const start = startOf(line);
    const value = (/** @type {number} */ i) =>
      values[start + step * Math.min(Math.max(i, 0), length - 1)];
    let sum = 0;
    for (let i = -radius; i <= radius; i++) sum += value(i);
    for (let i = 0; i < length; i++) {
      means[start + step * i] = sum / (2 * radius + 1);
      sum += value(i + radius + 1) - value(i - radius);
    }
  }
  return means;
}

/**
 * Colours weighted by `weight`, and the weight itself, as four planes.
 *
 * @param {(channel: number, i: number) => number} colour
 * @param {Float32Array} weight
 */
function weighted(colour, weight) {
  const planes = new Float32Array(4 * weight.length);
  for (let i = 0; i < weight.length; i++) {
    for (let c = 0; c < 3; c++) planes[c * weight.length + i] = colour(c, i) * weight[i];
    planes[3 * weight.length + i] = weight[i];
  }
  return planes;
}

/**
 * Colours of the person and of the background around every pixel of a small image: Forte, "Approximate
 * Fast Foreground Colour Estimation", ICIP 2021, as in `humanseg.effects.foreground`, but with both
 * passes on the small image.
 *
 * @param {Uint8ClampedArray} rgba (height, width, 4)
 * @param {Uint8ClampedArray} alpha (height, width)
 * @param {Size} size
 * @param {number} whole longer side of the image that it is a small copy of
 * @returns {{front: Float32Array, back: Float32Array}} three planes each, 0 to 255
 */
export function estimateColours(rgba, alpha, size, whole) {
  const count = alpha.length;
  const share = Float32Array.from(alpha, (level) => level / 255);
  const rest = share.map((value) => 1 - value);
  const own = (/** @type {number} */ c, /** @type {number} */ i) => rgba[4 * i + c];
  const scale = (Math.max(whole / LONG, 1) * Math.max(size.height, size.width)) / whole;
  const radius = (/** @type {number} */ reach) => Math.max(Math.round(reach * scale), 1);
  /** @type {(colour: typeof own, weight: Float32Array, radius: number, otherwise: Float32Array | null) => Float32Array} */
  const mean = (colour, weight, reach, otherwise) => {
    const sums = boxMeans(weighted(colour, weight), size, reach);
    const means = sums.subarray(0, 3 * count);
    for (let i = 0; i < 3 * count; i++) {
      const total = sums[3 * count + (i % count)];
      means[i] = otherwise && total < NOTHING ? otherwise[i] : means[i] / Math.max(total, NOTHING);
    }
    return means;
  };
  const wideFront = mean(own, share, radius(WIDE), null);
  const wideBack = mean(own, rest, radius(WIDE), null);
  const corrected = (/** @type {number} */ c, /** @type {number} */ i) => {
    const [front, back] = [wideFront[c * count + i], wideBack[c * count + i]];
    return corrected255(own(c, i), front, back, share[i]);
  };
  const back = (/** @type {number} */ c, /** @type {number} */ i) => wideBack[c * count + i];
  return {
    front: mean(corrected, share, radius(NARROW), wideFront),
    back: mean(back, rest, radius(NARROW), wideBack),
  };
}

/**
 * The person's colour in a pixel, given what is around it.
 *
 * @param {number} colour of the pixel
 * @param {number} front
 * @param {number} back
 * @param {number} share of the person in it, 0 to 1
 */
export function corrected255(colour, front, back, share) {
  const estimate = front + share * (colour - share * front - (1 - share) * back);
  return Math.min(Math.max(estimate, 0), 255);
}

/**
 * The background alone, blurred: normalised convolution, so that no colour of a person bleeds into it.
 *
 * @param {Uint8ClampedArray} rgba (height, width, 4)
 * @param {Uint8ClampedArray} alpha (height, width)
 * @param {Size} size
 * @returns {Uint8ClampedArray} (height, width, 4), opaque; a Gaussian of about 2.4 pixels
 */
export function blurBackground(rgba, alpha, size) {
  const count = alpha.length;
  const weight = Float32Array.from(alpha, (level) => (level > 4 ? NOTHING : 1));
  let planes = weighted((c, i) => rgba[4 * i + c], weight);
  for (let pass = 0; pass < 3; pass++) planes = boxMeans(planes, size, 2); // about a Gaussian
  const blurred = new Uint8ClampedArray(4 * count);
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < 3; c++) blurred[4 * i + c] = planes[c * count + i] / planes[3 * count + i];
    blurred[4 * i + 3] = 255;
  }
  return blurred;
}
