/**
 * Pillow's bilinear resizing, antialiased where it shrinks, to the last bit: what the server's
 * `humanseg.images.resize` does. A canvas would scale in a way of the browser's own.
 *
 * @typedef {{height: number, width: number}} Size in pixels
 * @typedef {{top: number, rows: number, rgba: Uint8ClampedArray<ArrayBuffer>}} Band rows of an image
 */

const BITS = 22; // of the shares of 8-bit images in Pillow's Resample.c
const HALF = 1 << (BITS - 1);

/**
 * The shares of the source pixels in each pixel that is made of them (`precompute_coeffs`).
 *
 * @param {number} from length of the source
 * @param {number} to length wanted
 */
function shares(from, to) {
  const scale = from / to;
  const reach = Math.max(scale, 1);
  const inverse = 1 / reach;
  const taps = Math.ceil(reach) * 2 + 1;
  const starts = new Int32Array(to);
  const counts = new Int32Array(to);
  const weights = new Float64Array(to * taps);
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * scale;
    const start = Math.max(Math.trunc(centre - reach + 0.5), 0);
    const count = Math.min(Math.trunc(centre + reach + 0.5), from) - start;
    let sum = 0;
    for (let k = 0; k < count; k++) {
      const distance = Math.abs((k + start - centre + 0.5) * inverse);
      sum += weights[i * taps + k] = distance < 1 ? 1 - distance : 0;
    }
    for (let k = 0; k < count; k++) weights[i * taps + k] /= sum;
    starts[i] = start;
    counts[i] = count;
  }
  return { taps, starts, counts, weights };
}

/** @param {Float64Array} weights */
const inBits = (weights) => Int32Array.from(weights, (weight) => Math.trunc(0.5 + weight * 2 ** BITS));

/**
 * Stretch an image, as `resize_image`.
 *
 * @param {Iterable<Band>} bands the opaque image from top to bottom, so that never all of it is held
 * @param {Size} from
 * @param {Size} to
 * @returns {Uint8Array} RGB (to.height, to.width, 3), 0 to 255
 */
export function resizeImage(bands, from, to) {
  const length = to.width * 3;
  const narrow = new Uint8Array(from.height * length);
  const across = shares(from.width, to.width);
  const weights = inBits(across.weights);
  for (const { top, rows, rgba } of bands) {
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < to.width; x++) {
        let red = HALF;
        let green = HALF;
        let blue = HALF;
        let at = 4 * (y * from.width + across.starts[x]);
        const first = x * across.taps;
        const last = first + across.counts[x];
        for (let k = first; k < last; k++, at += 4) {
          red += rgba[at] * weights[k];
          green += rgba[at + 1] * weights[k];
          blue += rgba[at + 2] * weights[k];
        }
        const target = (top + y) * length + 3 * x;
        narrow[target] = red >> BITS;
        narrow[target + 1] = green >> BITS;
        narrow[target + 2] = blue >> BITS;
      }
    }
  }
  return resizeRows(narrow, length, shares(from.height, to.height), to.height);
}

/**
 * @param {Uint8Array} values rows of `length`
 * @param {number} length
 * @param {ReturnType<typeof shares>} down
 * @param {number} height wanted
 */
function resizeRows(values, length, down, height) {
  const weights = inBits(down.weights);
  const resized = new Uint8Array(height * length);
  const sums = new Int32Array(length);
  for (let y = 0; y < height; y++) {
    sums.fill(HALF);
    for (let k = 0; k < down.counts[y]; k++) {
      const weight = weights[y * down.taps + k];
      const row = (down.starts[y] + k) * length;
      for (let i = 0; i < length; i++) sums[i] += values[row + i] * weight;
    }
    for (let i = 0; i < length; i++) resized[y * length + i] = sums[i] >> BITS;
  }
  return resized;
}

/**
 * Stretch a probability map, as `resize_probability`, and round it to 8 bits.
 *
 * @param {Float32Array} probability (from.height, from.width), 0 to 1
 * @param {Size} from
 * @param {Size} to
 * @returns {Uint8Array} (to.height, to.width), 255 for 1
 */
export function resizeProbability(probability, from, to) {
  const across = shares(from.width, to.width);
  const wide = new Float32Array(from.height * to.width);
  for (let y = 0; y < from.height; y++) {
    for (let x = 0; x < to.width; x++) {
      const at = y * from.width + across.starts[x];
      let sum = 0;
      for (let k = 0; k < across.counts[x]; k++) {
        sum += probability[at + k] * across.weights[x * across.taps + k];
      }
      wide[y * to.width + x] = sum;
    }
  }
  const down = shares(from.height, to.height);
  const levels = new Uint8Array(to.height * to.width);
  const sums = new Float64Array(to.width);
  for (let y = 0; y < to.height; y++) {
    sums.fill(0);
    for (let k = 0; k < down.counts[y]; k++) {
      const weight = down.weights[y * down.taps + k];
      const row = (down.starts[y] + k) * to.width;
      for (let x = 0; x < to.width; x++) sums[x] += wide[row + x] * weight;
    }
    for (let x = 0; x < to.width; x++) {
      const value = Math.min(Math.max(Math.fround(sums[x]), 0), 1);
      levels[y * to.width + x] = value * 255 + 0.5;
    }
  }
  return levels;
}

/**
 * @param {Float32Array} plane
 * @param {number} offset
 * @param {Size} size
 * @param {number} y
 * @param {number} x
 * @returns {number} the value at (y, x), bilinear
 */
export function sample(plane, offset, { height, width }, y, x) {
  const top = Math.min(Math.max(Math.floor(y), 0), height - 1);
  const left = Math.min(Math.max(Math.floor(x), 0), width - 1);
  const down = Math.min(Math.max(y - top, 0), 1);
  const across = Math.min(Math.max(x - left, 0), 1);
  const at = offset + top * width + left;
  const right = left + 1 < width ? 1 : 0;
  const below = top + 1 < height ? width : 0;
  const upper = plane[at] + across * (plane[at + right] - plane[at]);
  const lower = plane[at + below] + across * (plane[at + below + right] - plane[at + below]);
  return upper + down * (lower - upper);
}
