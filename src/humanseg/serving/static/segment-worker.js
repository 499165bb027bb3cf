/**
 * The network, in a thread of its own: ONNX Runtime for the web, compiled to WebAssembly.
 *
 * {id, threads} loads it, {id, file} runs it; answers carry the id, a failed one `error`.
 */

import { PageError, decodeImage, imageBands } from "./image.js";
import { dropUnsure } from "./regions.js";
import { resizeImage } from "./resize.js";

/** @type {any} */
let ort;
/** @type {any} */
let session;
/** @type {{image_size: [number, number], flip_averaging: boolean, threshold: number, sure_share: number}} */
let model;

self.onmessage = async ({ data: { id, threads, file } }) => {
  try {
    const answer = file ? await segment(file) : await start(id, threads);
    self.postMessage({ id, ...answer });
  } catch (error) {
    const sentence = error instanceof PageError;
    const text = error instanceof Error ? error.message : String(error);
    self.postMessage({ id, error: sentence ? text : `The network in this browser failed: ${text}` });
  }
};

/**
 * @param {number} id
 * @param {number} threads
 */
async function start(id, threads) {
  const base = new URL("../private/", import.meta.url);
  const manifest = await (await fetched(new URL("manifest.json", base))).json();
  model = manifest.model;
  const files = [manifest.model, manifest.runtime.wasm];
  const total = files.reduce((sum, file) => sum + file.bytes, 0);
  let loaded = 0;
  const progress = (/** @type {number} */ bytes) => {
    loaded += bytes;
    self.postMessage({ id, loaded, total });
  };
  const [network, wasm] = await Promise.all(files.map((file) => download(base, file, progress)));
  ort = await import(new URL("ort.js", base).href);
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmBinary = await unpacked(wasm);
  ort.env.wasm.wasmPaths = { mjs: new URL("ort-threaded.js", base).href };
  session = await ort.InferenceSession.create(network, { executionProviders: ["wasm"] });
  const [height, width] = model.image_size;
  await run(new Uint8Array(height * width * 3)); // the first run is the slowest
  return {};
}

/** @param {URL} address */
async function fetched(address) {
  const response = await fetch(address);
  if (!response.ok) throw new PageError(`${address.pathname}: the server answered ${response.status}.`);
  return response;
}

/**
 * @param {URL} base
 * @param {{file: string, sha256: string}} file
 * @param {(bytes: number) => void} progress
 */
async function download(base, { file, sha256 }, progress) {
  const { body } = await fetched(new URL(file, base));
  const counted = /** @type {ReadableStream<Uint8Array>} */ (body).pipeThrough(
    new TransformStream({
      transform(chunk, controller) {
        progress(chunk.length);
        controller.enqueue(chunk);
      },
    }),
  );
  const bytes = new Uint8Array(await new Response(counted).arrayBuffer());
  if (self.isSecureContext && isPacked(bytes) === file.endsWith(".gz")) {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
    if (hex !== sha256) throw new PageError(`${file} is damaged or of another version. Reload the page.`);
  }
  return bytes;
}

/** @param {Uint8Array} bytes */
const isPacked = (bytes) => bytes[0] === 0x1f && bytes[1] === 0x8b;

/**
 * Hosts may send a .gz file as it is, or say that it is an encoding; then the browser unpacks it.
 *
 * @param {Uint8Array<ArrayBuffer>} bytes
 */
async function unpacked(bytes) {
  if (!isPacked(bytes)) return bytes.buffer;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

/**
 * @param {Uint8Array} rgb (height, width, 3) on the network's grid
 * @returns {Promise<Float32Array>} (height, width), 0 to 1
 */
async function run(rgb) {
  const input = new ort.Tensor("uint8", rgb, [1, ...model.image_size, 3]);
  const { probability } = await session.run({ image: input });
  return probability.data;
}

/** @param {Blob} file */
async function segment(file) {
  const [height, width] = model.image_size;
  const bitmap = await decodeImage(file);
  const rgb = resizeImage(imageBands(bitmap, bitmap, "white"), bitmap, { height, width });
  bitmap.close();
  let grid = Float32Array.from(await run(rgb));
  if (model.flip_averaging) {
    const mirrored = await run(mirror(rgb, width, 3));
    const back = mirror(mirrored, width, 1);
    grid = grid.map((value, i) => (value + back[i]) / 2);
  }
  dropUnsure(grid, { height, width }, model.threshold, model.sure_share);
  return { grid, gridSize: { height, width } };
}

/**
 * @template {Uint8Array | Float32Array} T
 * @param {T} values (height, width, channels)
 * @param {number} width
 * @param {number} channels
 * @returns {T} left and right exchanged
 */
function mirror(values, width, channels) {
  const mirrored = values.slice();
  for (let i = 0; i < values.length; i++) {
    const [pixel, channel] = [Math.floor(i / channels), i % channels];
    const opposite = pixel - (pixel % width) + width - 1 - (pixel % width);
    mirrored[opposite * channels + channel] = values[i];
  }
  return /** @type {T} */ (mirrored);
}
