/**
 * Bring a map of people to the image's own edges: the fast guided filter of
 * `humanseg.effects.guided_filter`, where it is explained and its source named.
 *
 * @typedef {import("./resize.js").Size} Size
 * @typedef {{size: Size, planes: Float32Array}} Fit four planes of (height, width): slopes of red,
 *   green and blue, per level of 0 to 255, and an offset; level / 255 = slopes . colour + offset
 */

import { boxMeans } from "./blurring.js";
import { sample } from "./resize.js";

/** As in the package: longer side of what is fitted, reach of windows, noise, R^2 that counts. */
export const SIDE = 320;
const RADIUS = 4;
const EPSILON = 1e-4;
const TRUSTED = [0.5, 0.9];
const EVEN = 1e-5;

const CHANNELS = 3;
/** Products of two colours: red with red, green and blue, green with green ... */
const PAIRS = [[0, 0], [0, 1], [0, 2], [1, 1], [1, 2], [2, 2]];
/** Planes of what is averaged: colours, probability, its square, products, colours by probability. */
const [LEVEL, SQUARE, PRODUCTS, COMMON, PLANES] = [3, 4, 5, 11, 14];

/**
 * @param {Uint8ClampedArray} rgba (height, width, 4), opaque
 * @param {Uint8Array} levels (height, width), 255 for 1
 * @param {Size} size of both
 * @returns {Fit}
 */
export function fitEdges(rgba, levels, size) {
  const count = levels.length;
  const layers = new Float32Array(PLANES * count);
  for (let i = 0; i < count; i++) {
    const probability = levels[i] / 255;
    layers[LEVEL * count + i] = probability;
    layers[SQUARE * count + i] = probability * probability;
    for (let c = 0; c < CHANNELS; c++) {
      layers[c * count + i] = rgba[4 * i + c] / 255;
      layers[(COMMON + c) * count + i] = (rgba[4 * i + c] / 255) * probability;
    }
    PAIRS.forEach(([first, second], pair) => {
      layers[(PRODUCTS + pair) * count + i] = (rgba[4 * i + first] / 255) * (rgba[4 * i + second] / 255);
    });
  }
  const means = boxMeans(layers, size, RADIUS);
  const votes = new Float32Array(5 * count);
  for (let i = 0; i < count; i++) vote(means, votes, i, count);
  const fitted = boxMeans(votes, size, RADIUS);
  for (let i = 0; i < count; i++) fitted[3 * count + i] += ((1 - fitted[4 * count + i]) * levels[i]) / 255;
  return { size, planes: fitted.subarray(0, 4 * count) };
}

/**
 * What the window about a pixel votes for: weighted slopes and offset, and the weight.
 *
 * @param {Float32Array} means planes of `count` values
 * @param {Float32Array} votes changed
 * @param {number} i
 * @param {number} count
 */
function vote(means, votes, i, count) {
  const mean = (/** @type {number} */ plane) => means[plane * count + i];
  const [a, b, c, d, e, f] = PAIRS.map(
    ([first, second], pair) =>
      mean(PRODUCTS + pair) - mean(first) * mean(second) + (first === second ? EPSILON : 0),
  );
  const level = mean(LEVEL);
  const [x, y, z] = [0, 1, 2].map((channel) => mean(COMMON + channel) - mean(channel) * level);
  // The adjugate of a symmetric matrix over its determinant, as `_solve` of the package.
  const [c11, c12, c13] = [d * f - e * e, c * e - b * f, b * e - c * d];
  const [c22, c23, c33] = [a * f - c * c, b * c - a * e, a * d - b * b];
  const determinant = a * c11 + b * c12 + c * c13;
  const slopes = [
    (c11 * x + c12 * y + c13 * z) / determinant,
    (c12 * x + c22 * y + c23 * z) / determinant,
    (c13 * x + c23 * y + c33 * z) / determinant,
  ];
  const explained = slopes[0] * x + slopes[1] * y + slopes[2] * z;
  const weight = smoothStep(explained / Math.max(mean(SQUARE) - level * level, EVEN));
  const offset = level - slopes.reduce((sum, slope, channel) => sum + slope * mean(channel), 0);
  slopes.forEach((slope, channel) => (votes[channel * count + i] = (weight * slope) / 255));
  votes[3 * count + i] = weight * offset;
  votes[4 * count + i] = weight;
}

/** @param {number} explained share of the variance: 0 up to the lower bound, 1 from the upper one on */
function smoothStep(explained) {
  const [low, high] = TRUSTED;
  const step = Math.min(Math.max((explained - low) / (high - low), 0), 1);
  return step * step * (3 - 2 * step);
}

/**
 * @param {Fit} fit
 * @param {Iterable<import("./resize.js").Band>} bands the opaque image at `size`
 * @param {Size} size
 * @returns {Uint8Array} levels (height, width), 255 for 1
 */
export function refinedLevels(fit, bands, size) {
  const levels = new Uint8Array(size.height * size.width);
  const count = fit.size.height * fit.size.width;
  for (const { top, rows, rgba } of bands) {
    for (let i = 0; i < rows * size.width; i++) {
      const y = ((top + Math.floor(i / size.width) + 0.5) * fit.size.height) / size.height - 0.5;
      const x = (((i % size.width) + 0.5) * fit.size.width) / size.width - 0.5;
      let value = sample(fit.planes, CHANNELS * count, fit.size, y, x);
      for (let c = 0; c < CHANNELS; c++) value += rgba[4 * i + c] * sample(fit.planes, c * count, fit.size, y, x);
      levels[top * size.width + i] = Math.min(Math.max(value, 0), 1) * 255 + 0.5;
    }
  }
  return levels;
}
