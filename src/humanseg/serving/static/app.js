/**
 * The page: pictures come in, are segmented by the server or in private mode, and go out.
 *
 * @typedef {import("./resize.js").Size} Size
 * @typedef {{file: File, size: Size, state: "waiting" | "working" | "done" | "failed", problem: string,
 *   thumbnail: HTMLCanvasElement | null, probability: import("./probability.js").Probability | null,
 *   strokes: import("./render.js").Stroke[], stopping: AbortController | null}} Picture
 */

import { PageError, decodeImage } from "./image.js";
import { PrivateSegmenter } from "./private.js";
import { download, resultArchive, resultFile } from "./save.js";
import { serverSegmenter } from "./server.js";
import { Stage } from "./stage.js";
import { showStrip, thumbnail } from "./strip.js";

const MODE = "humanseg-mode";
const LANES = { server: 2, private: 1 }; // pictures segmented at a time

const element = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const input = (/** @type {string} */ id) => /** @type {HTMLInputElement} */ (element(id));
const form = /** @type {HTMLFormElement} */ (element("settings"));
const choice = (/** @type {string} */ name) =>
  /** @type {HTMLInputElement | null} */ (document.querySelector(`[name=${name}]:checked`))?.value ?? "";

/** @type {Picture[]} */
const pictures = [];
/** @type {Picture | null} */
let current = null;
/** @type {ImageBitmap | null} */
let backdrop = null;
let running = 0;
let sending = 0; // pictures that are on their way to the server
/** @type {Set<string>} buttons whose files are being made */
const saving = new Set();

const stage = new Stage(settings, brush, update);
const segmenters = { server: serverSegmenter(askToken), private: new PrivateSegmenter(tellWhere) };
const mode = () => /** @type {"server" | "private"} */ (choice("mode"));

/** @returns {import("./render.js").Settings} */
function settings() {
  const kind = choice("background");
  /** @type {import("./render.js").Background} */
  let background = { kind: "transparent" };
  if (kind === "colour") background = { kind, colour: input("colour").value };
  if (kind === "blur") background = { kind, strength: input("strength").valueAsNumber / 100 };
  if (kind === "picture" && backdrop) background = { kind, bitmap: backdrop };
  const share = (/** @type {string} */ id) => input(id).valueAsNumber / 100;
  return { threshold: share("threshold"), softness: share("softness"), background };
}

function brush() {
  return { tool: choice("tool"), width: input("brush").valueAsNumber / 100 };
}

/** @param {Iterable<File>} files */
async function add(files) {
  const added = [...files].map((file) => {
    /** @type {Picture} */
    const picture = {
      file, size: { height: 0, width: 0 }, state: "waiting", problem: "", thumbnail: null,
      probability: null, strokes: [], stopping: null,
    };
    pictures.push(picture);
    return picture;
  });
  for (const picture of added) {
    try {
      const bitmap = await decodeImage(picture.file);
      picture.size = { height: bitmap.height, width: bitmap.width };
      picture.thumbnail = thumbnail(bitmap);
      bitmap.close();
    } catch (error) {
      fail(picture, error);
    }
    if (!current) choose(picture);
    update();
    work();
  }
}

/** Segment what waits, a few pictures at a time. */
async function work() {
  if (running >= LANES[mode()]) return;
  const picture = pictures.find(({ state, thumbnail }) => state === "waiting" && thumbnail);
  if (!picture) return;
  const where = mode();
  const { signal } = (picture.stopping = new AbortController());
  running++;
  sending += Number(where === "server");
  picture.state = "working";
  update();
  work();
  try {
    picture.probability = await segmenters[where].segment(picture.file, picture.size, signal);
    picture.state = "done";
  } catch (error) {
    if (signal.aborted) picture.state = "waiting";
    else fail(picture, error);
  }
  running--;
  sending -= Number(where === "server");
  tellWhere();
  update();
  work();
}

/**
 * @param {Picture} picture
 * @param {unknown} error
 */
function fail(picture, error) {
  picture.state = "failed";
  const ours = error instanceof PageError;
  picture.problem = ours ? error.message : `Something went wrong here: ${error}. Reload the page.`;
}

/** @param {Picture | null} picture */
function choose(picture) {
  current = picture;
  element("welcome").hidden = Boolean(picture);
  element("editor").hidden = !picture;
  if (picture) stage.show(picture);
  update();
}

/** Show everything as it is now. */
function update() {
  showStrip(element("strip"), pictures, current, choose);
  stage.update();
  const strokes = current?.strokes.length ?? 0;
  const done = pictures.filter(({ state }) => state === "done").length;
  const button = (/** @type {string} */ id) => /** @type {HTMLButtonElement} */ (element(id));
  for (const id of ["undo", "clear"]) button(id).disabled = strokes === 0;
  button("save").disabled = saving.has("save") || current?.state !== "done";
  button("save-all").disabled = saving.has("save-all") || done < 2;
  tellSummary(done);
}

/** @param {number} done */
function tellSummary(done) {
  const several = pictures.length > 1 ? ` ${done} of ${pictures.length} pictures done.` : "";
  const words = [];
  if (current) words.push(`${current.file.name}, ${current.size.width} × ${current.size.height}`);
  if (current?.probability) {
    const { threshold } = settings();
    const share = Math.round(100 * current.probability.coverage(threshold));
    const somebody = current.probability.hasPerson(threshold);
    words.push(somebody ? `people cover ${share} % of it` : "nobody was found");
  } else if (current?.state === "failed") words.push(current.problem.replace(/\.\s*$/, ""));
  const text = `${words.join(": ")}.${several}`;
  if (element("summary").textContent !== text) element("summary").textContent = text;
}

/** Say which mode is on, and what that means. */
function tellWhere() {
  const where = element("where");
  const { state, threads, loaded, total, problem, note } = segmenters.private.status;
  where.ariaBusy = String(state === "loading"); // megabytes are not to be read out
  where.classList.toggle("alert", mode() === "private" && state === "failed");
  const megabytes = (/** @type {number} */ bytes) => (bytes / 1e6).toFixed(1);
  const count = threads === 1 ? "1 thread" : `${threads} threads`;
  const reason = self.crossOriginIsolated ? note : "This address allows no more: not secure, or not isolated.";
  if (mode() === "server") where.textContent = `Pictures go to ${location.host}, which stores none.`;
  else if (sending) where.textContent = "Stopping what is on its way to the server";
  else if (state === "failed") where.textContent = problem;
  else if (state === "ready") where.textContent = `No picture leaves this browser. ${count}. ${reason}`;
  else where.textContent = total ? `Loading the network: ${megabytes(loaded)} of ${megabytes(total)} MB` : "Loading the network";
}

const dialog = /** @type {HTMLDialogElement} */ (element("token-dialog"));

/** @returns {Promise<string>} what a header can hold */
function askToken() {
  input("token").value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve, reject) => {
    dialog.onclose = () => {
      const token = input("token").value.trim();
      if (dialog.returnValue === "give" && /^[!-~]+$/.test(token)) resolve(token);
      else reject(new PageError("The server asks for a token, and none was given. Add the picture again."));
    };
  });
}

/** @param {"server" | "private"} wanted */
function setMode(wanted) {
  input(`mode-${wanted}`).checked = true;
  if (wanted === "private") {
    segmenters.private.start().catch(() => {}); // `tellWhere` says why
    dialog.close();
  }
  for (const picture of pictures) {
    if (wanted === "private") picture.stopping?.abort();
    if (picture.state === "failed" && picture.thumbnail) picture.state = "waiting";
  }
  tellWhere();
  work();
}

/**
 * The mode of the last visit; some browsers refuse to remember.
 *
 * @param {string} [changed] remember this one
 */
function remembered(changed) {
  try {
    if (changed) localStorage.setItem(MODE, changed);
    return localStorage.getItem(MODE) ?? "";
  } catch {
    return "";
  }
}

function listenToModes() {
  const offered = (document.documentElement.dataset.modes ?? "").split(" ");
  for (const radio of document.querySelectorAll("[name=mode]")) {
    radio.addEventListener("change", () => {
      remembered(mode());
      setMode(mode());
    });
  }
  element("modes").hidden = offered.length < 2;
  const last = remembered();
  const wanted = offered.includes(last) ? last : offered[0];
  setMode(/** @type {"server" | "private"} */ (wanted));
}

function listenToFiles() {
  for (const id of ["choose", "photograph", "more"]) {
    input(id).onchange = () => {
      add(input(id).files ?? []);
      input(id).value = "";
    };
  }
  addEventListener("paste", (event) => add(event.clipboardData?.files ?? []));
  addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dragging");
  });
  addEventListener("dragleave", ({ relatedTarget }) => {
    if (!relatedTarget) document.body.classList.remove("dragging");
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dragging");
    add(event.dataTransfer?.files ?? []);
  });
}

function showSettings() {
  const kind = choice("background");
  for (const option of form.querySelectorAll(".option")) {
    /** @type {HTMLElement} */ (option).hidden = /** @type {HTMLElement} */ (option).dataset.for !== kind;
  }
  element("format-line").hidden = kind === "transparent";
  for (const slider of form.querySelectorAll(".slider")) {
    const range = /** @type {HTMLInputElement} */ (slider.querySelector("input"));
    const text = `${range.value} ${range.dataset.unit}`;
    /** @type {HTMLOutputElement} */ (slider.querySelector("output")).value = text;
  }
  for (const swatch of form.querySelectorAll("[data-colour]")) {
    const { colour } = /** @type {HTMLElement} */ (swatch).dataset;
    swatch.ariaPressed = String(colour === input("colour").value);
  }
}

function listenToSettings() {
  input("threshold").value = String(100 * Number(document.documentElement.dataset.threshold));
  form.onsubmit = (event) => event.preventDefault();
  form.oninput = () => {
    showSettings();
    stage.update();
  };
  form.onchange = update;
  for (const swatch of form.querySelectorAll("[data-colour]")) {
    const { dataset, style } = /** @type {HTMLElement} */ (swatch);
    style.setProperty("--swatch", dataset.colour ?? "");
    swatch.addEventListener("click", () => {
      input("colour").value = dataset.colour ?? "";
      form.dispatchEvent(new Event("input"));
    });
  }
  input("backdrop").onchange = async () => {
    const [file] = input("backdrop").files ?? [];
    if (!file) return;
    try {
      backdrop = await decodeImage(file);
      element("backdrop-name").textContent = file.name;
    } catch (error) {
      element("backdrop-name").textContent = `${file.name}: ${/** @type {Error} */ (error).message}`;
    }
    update();
  };
  showSettings();
}

/** @param {"undo" | "clear"} what */
function takeBack(what) {
  if (what === "clear") current?.strokes.splice(0);
  else current?.strokes.pop();
  update();
}

/**
 * @param {string} id of the button
 * @param {(button: HTMLButtonElement) => Promise<{name: string, blob: Blob}>} make
 */
function listenToSaving(id, make) {
  const button = /** @type {HTMLButtonElement} */ (element(id));
  button.onclick = async () => {
    const words = [...button.childNodes];
    let problem = "";
    saving.add(id);
    update();
    try {
      download(await make(button));
    } catch (error) {
      problem = `Not saved: ${error instanceof Error ? error.message : error}`;
    }
    saving.delete(id);
    button.replaceChildren(...words);
    update();
    if (problem) element("summary").textContent = problem;
  };
}

function listenToButtons() {
  const format = () => input("format").value;
  listenToSaving("save", () => resultFile(/** @type {Picture} */ (current), settings(), format()));
  listenToSaving("save-all", (button) => {
    const done = pictures.filter(({ state }) => state === "done");
    const progress = (/** @type {number} */ count) => (button.textContent = `${count} of ${done.length} …`);
    return resultArchive(done, settings(), format(), progress);
  });
  element("undo").onclick = () => takeBack("undo");
  element("clear").onclick = () => takeBack("clear");
  element("remove").onclick = () => {
    const index = pictures.indexOf(/** @type {Picture} */ (current));
    const [removed] = pictures.splice(index, 1);
    removed.stopping?.abort();
    choose(pictures[Math.min(index, pictures.length - 1)] ?? null);
    if (!current) input("choose").focus(); // the button is gone
  };
  addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]")) return;
    const { ctrlKey, metaKey, shiftKey, key } = event;
    if ((ctrlKey || metaKey) && !shiftKey && key.toLowerCase() === "z") takeBack("undo"); // Caps Lock gives Z
    const step = { "[": -1, "]": 1 }[key];
    if (!step) return;
    input("brush").valueAsNumber += step;
    form.dispatchEvent(new Event("input"));
  });
}

listenToSettings();
listenToFiles();
listenToButtons();
listenToModes();
