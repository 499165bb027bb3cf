/** People found by the server: the file goes to its API, the probability comes back as a PNG file. */

import { PageError, decodeImage, imageBands } from "./image.js";
import { Probability } from "./probability.js";

const TRIES = 6;
const LONGEST_WAIT = 30; // seconds

/**
 * @param {() => Promise<string>} askToken asks the user; rejects if they give none
 */
export function serverSegmenter(askToken) {
  /** @type {Promise<string> | null} */
  let asking = null;
  /** @type {string | null} */
  let token = null;

  /** @param {string | null} refused the token that was refused: several pictures ask but once */
  async function renewToken(refused) {
    if (token !== refused) return;
    asking ??= askToken().finally(() => (asking = null));
    token = await asking;
  }

  /**
   * @param {File} file
   * @param {AbortSignal} signal nothing is sent after it
   * @returns {Promise<Response>} a good one
   */
  async function send(file, signal) {
    const address = new URL("v1/segment?output=probability", document.baseURI);
    for (let attempt = 1; ; attempt++) {
      signal.throwIfAborted();
      const used = token;
      const headers = new Headers({ "Content-Type": file.type || "application/octet-stream", Accept: "image/png" });
      if (used) headers.set("Authorization", `Bearer ${used}`);
      const response = await fetch(address, { method: "POST", body: file, headers, signal }).catch(() => {
        throw new PageError("The server does not answer. Is humanseg serve still running?");
      });
      if (response.ok) return response;
      const busy = response.status === 429 || response.status === 503;
      if (attempt === TRIES || !(busy || response.status === 401)) throw await refusal(response);
      if (busy) await pause(response.headers.get("Retry-After"), signal);
      else await renewToken(used);
    }
  }

  return {
    /**
     * @param {File} file
     * @param {import("./resize.js").Size} size of the image
     * @param {AbortSignal} signal
     */
    async segment(file, size, signal) {
      const answer = await (await send(file, signal)).blob();
      return Probability.of((wanted) => levelsOf(answer, wanted), size);
    },
  };
}

/**
 * @param {string | null} retryAfter seconds
 * @param {AbortSignal} signal ends it early
 */
function pause(retryAfter, signal) {
  const seconds = Math.min(Math.max(Number(retryAfter) || 1, 0.2), LONGEST_WAIT);
  return new Promise((done) => {
    setTimeout(done, 1000 * seconds);
    signal.addEventListener("abort", done, { once: true });
  });
}

/**
 * The sentence of a problem document (RFC 9457).
 *
 * @param {Response} response
 */
async function refusal(response) {
  const problem = await response.json().catch(() => ({}));
  const text = problem.detail ?? problem.title ?? `The server answered ${response.status}.`;
  return new PageError(String(text).replace(/^picture: /, ""));
}

/**
 * @param {Blob} png 8-bit grey
 * @param {import("./resize.js").Size} size
 */
async function levelsOf(png, size) {
  const bitmap = await decodeImage(png);
  const levels = new Uint8Array(size.height * size.width);
  for (const { top, rgba } of imageBands(bitmap, size)) {
    for (let i = 0; i < rgba.length / 4; i++) levels[top * size.width + i] = rgba[4 * i];
  }
  bitmap.close();
  return levels;
}
