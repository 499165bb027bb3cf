/**
 * Private mode: people found in this browser, by the network in a worker. No picture is sent.
 *
 * @typedef {{state: "loading" | "ready" | "failed", threads: number, loaded: number, total: number,
 *   problem: string, note: string}} Status bytes loaded so far and in all; why it failed; a remark
 */

import { PageError, isIos } from "./image.js";
import { Probability } from "./probability.js";
import { resizeProbability } from "./resize.js";

/** Milliseconds without a word from the worker after which it counts as hung. */
const PATIENCE = { many: 20_000, single: 120_000 };
const MOST_THREADS = 4;

class Silence extends PageError {}

/** Threads need memory that is shared, which browsers allow to isolated pages alone; iOS ends pages
 * that start threads. */
export const threadsHere =
  self.crossOriginIsolated && !isIos ? Math.min(navigator.hardwareConcurrency || 1, MOST_THREADS) : 1;

export class PrivateSegmenter {
  /** @type {Worker | null} */
  #worker = null;
  /** @type {Promise<void> | null} */
  #start = null;
  /** @type {Map<number, {resolve: Function, reject: Function, heard: () => void}>} */
  #waiting = new Map();
  #last = 0;

  /** @param {(status: Status) => void} onStatus */
  constructor(onStatus) {
    /** @type {Status} */
    this.status = { state: "loading", threads: threadsHere, loaded: 0, total: 0, problem: "", note: "" };
    this.onStatus = onStatus;
  }

  /** Load the network and run it once; again if it failed before. */
  start() {
    this.#start ??= this.#open(threadsHere).catch((error) => {
      this.#start = null;
      this.#tell({ state: "failed", problem: error.message });
      throw error;
    });
    return this.#start;
  }

  /**
   * @param {File} file
   * @param {import("./resize.js").Size} size of the image
   * @param {AbortSignal} [signal] nothing is begun after it
   */
  async segment(file, size, signal) {
    await this.start();
    signal?.throwIfAborted();
    let answer;
    try {
      answer = await this.#ask({ file });
    } catch (error) {
      if (!(error instanceof Silence) || this.status.threads === 1) throw error;
      this.#start = this.#open(1);
      await this.#start;
      answer = await this.#ask({ file });
    }
    const { grid, gridSize } = answer;
    return Probability.of(async (wanted) => resizeProbability(grid, gridSize, wanted), size);
  }

  /** @param {number} threads */
  async #open(threads) {
    this.#worker?.terminate();
    this.#worker = new Worker(new URL("segment-worker.js", import.meta.url), { type: "module" });
    this.#worker.onmessage = ({ data }) => this.#hear(data);
    this.#worker.onerror = () => this.#fail(new PageError("The network's program could not be loaded."));
    this.#tell({ state: "loading", threads, loaded: 0 });
    try {
      await this.#ask({ threads });
      this.#tell({ state: "ready" });
    } catch (error) {
      if (!(error instanceof Silence) || threads === 1) throw error;
      this.#tell({ note: "Several threads did not start here; it runs with one." });
      await this.#open(1);
    }
  }

  /**
   * @param {{threads: number} | {file: File}} question
   * @returns {Promise<any>}
   */
  #ask(question) {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      const patience = this.status.threads > 1 ? PATIENCE.many : PATIENCE.single;
      const silence = () => this.#fail(new Silence("The network in this browser does not answer."));
      let timer = setTimeout(silence, patience);
      const heard = () => {
        clearTimeout(timer);
        timer = setTimeout(silence, patience);
      };
      const ended = (/** @type {Function} */ end) => (/** @type {unknown} */ value) => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        end(value);
      };
      this.#waiting.set(id, { resolve: ended(resolve), reject: ended(reject), heard });
      this.#worker?.postMessage({ id, ...question });
    });
  }

  /** @param {any} message */
  #hear({ id, error, loaded, total, ...answer }) {
    const asked = this.#waiting.get(id);
    asked?.heard();
    if (loaded !== undefined) this.#tell({ loaded, total });
    else if (error !== undefined) asked?.reject(new PageError(error));
    else asked?.resolve(answer);
  }

  /** @param {Error} error */
  #fail(error) {
    for (const { reject } of this.#waiting.values()) reject(error);
  }

  /** @param {Partial<Status>} change */
  #tell(change) {
    this.status = { ...this.status, ...change };
    this.onStatus(this.status);
  }
}
