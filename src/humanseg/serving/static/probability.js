/**
 * What a network says of one image, and what is decided from it in the browser: soft alpha by
 * threshold and softness, and whether there is anybody.
 *
 * @typedef {import("./resize.js").Size} Size
 */

import { SIDE, fitEdges, refinedLevels } from "./edges.js";
import { fitted, imageBands } from "./image.js";
import { connectedRegions } from "./regions.js";

/** Longer side, in pixels, of the small map that colours, blur and people are looked at in. */
const SMALL = 640;
/** As in `humanseg.effects.regions`: how far above the threshold a region is sure, and its share. */
const SURE = 0.8;
const SURE_SHARE = 0.002;
/** Maps of fewer pixels are remembered: those that are looked at, not those that are saved. */
const REMEMBERED = 4_000_000;

/** The probability of a person in every pixel of an image, at any size, in 8 bits. */
export class Probability {
  /** @type {Map<"plain" | "refined" | "small", {levels: Uint8Array, size: Size}>} */
  #last = new Map();
  /** @type {Promise<import("./edges.js").Fit> | null} */
  #fit = null;

  /**
   * @param {(size: Size) => Promise<Uint8Array>} source
   * @param {{levels: Uint8Array, size: Size}} small
   */
  constructor(source, small) {
    this.source = source;
    this.small = small;
  }

  /**
   * @param {(size: Size) => Promise<Uint8Array>} source levels (height, width) at any size
   * @param {Size} imageSize
   */
  static async of(source, imageSize) {
    const size = fitted(imageSize, SMALL);
    return new Probability(source, { levels: await source(size), size });
  }

  /**
   * @param {Size} size
   * @returns {Promise<Uint8Array>} (height, width), 255 for 1
   */
  async levels(size) {
    if (size === this.small.size) return this.small.levels;
    return this.#remembered("plain", size, () => this.source(size));
  }

  /**
   * Levels that follow the image's own edges, as the package's cut-outs do.
   *
   * @param {ImageBitmap} bitmap the image itself
   * @param {Size} size
   * @returns {Promise<Uint8Array>} (height, width), 255 for 1
   */
  refined(bitmap, size) {
    const kind = size === this.small.size ? "small" : "refined";
    return this.#remembered(kind, size, async () => {
      this.#fit ??= this.#fitEdges(bitmap);
      return refinedLevels(await this.#fit, imageBands(bitmap, size, "white"), size);
    });
  }

  /** @param {ImageBitmap} bitmap */
  async #fitEdges(bitmap) {
    const size = fitted(bitmap, SIDE);
    const [guide] = imageBands(bitmap, size, "white");
    return fitEdges(guide.rgba, await this.source(size), size);
  }

  /**
   * @param {"plain" | "refined" | "small"} kind
   * @param {Size} size
   * @param {() => Promise<Uint8Array>} make
   */
  async #remembered(kind, size, make) {
    const last = this.#last.get(kind);
    if (last?.size.height === size.height && last.size.width === size.width) return last.levels;
    const levels = await make();
    if (levels.length <= REMEMBERED) this.#last.set(kind, { levels, size });
    return levels;
  }

  /**
   * Whether a connected region is sure, and covers enough of the image, to be a person.
   *
   * @param {number} threshold 0 to 1
   */
  hasPerson(threshold) {
    const { levels, size } = this.small;
    const sure = threshold + SURE * (1 - threshold);
    return largestRegion(levels, size, sure) >= SURE_SHARE * levels.length;
  }

  /**
   * @param {number} threshold 0 to 1
   * @returns {number} share of the image that is at or above it
   */
  coverage(threshold) {
    const { levels } = this.small;
    return levels.reduce((count, level) => count + Number(level >= threshold * 255), 0) / levels.length;
  }
}

/**
 * Alpha for each level of probability, as `soft_alpha` of `humanseg.effects.compositing`: one half at
 * the threshold, clear and opaque from a share of the way to probability 0 and 1 on.
 *
 * @param {number} threshold 0 to 1
 * @param {number} softness that share: 0 a hard edge, 0.5 as the server draws it, 1 the softest
 * @returns {Uint8Array} (256)
 */
export function alphaTable(threshold, softness) {
  const inside = Math.min(Math.max(threshold, 1e-3), 1 - 1e-3);
  const edge = Math.max(softness, 1e-3);
  return Uint8Array.from({ length: 256 }, (_, level) => {
    const distance = level / 255 - threshold;
    const slope = 127.5 / (edge * (distance < 0 ? inside : 1 - inside));
    return Math.min(Math.max(distance * slope + 128, 0), 255);
  });
}

/**
 * @param {Uint8Array} levels
 * @param {Size} size
 * @param {number} threshold
 * @returns {number} pixels of the largest region, connected along sides or corners
 */
function largestRegion(levels, size, threshold) {
  let largest = 0;
  for (const region of connectedRegions(levels, size, threshold * 255)) largest = Math.max(largest, region.length);
  return largest;
}
