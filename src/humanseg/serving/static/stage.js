/**
 * The picture in work: before and after, the divider between them, and the brush.
 *
 * @typedef {import("./app.js").Picture} Picture
 */

import { decodeImage, fitted } from "./image.js";
import { render } from "./render.js";

const SHARPEST = 1600; // pixels of a preview's longer side

const element = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const stage = element("stage");
const frame = element("frame");
const before = /** @type {HTMLCanvasElement} */ (element("before"));
const after = /** @type {HTMLCanvasElement} */ (element("after"));
const split = /** @type {HTMLInputElement} */ (element("split"));
const cursor = element("cursor");
const message = element("message");

export class Stage {
  /** @type {Picture | null} */
  #picture = null;
  /** @type {{picture: Picture, bitmap: ImageBitmap} | null} what is on the canvases */
  #shown = null;
  /** @type {import("./render.js").Stroke | null} */
  #stroke = null;
  /** @type {number | null} the pointer that is pressed, the first one of several fingers */
  #pointer = null;
  /** @type {Promise<void> | null} */
  #drawing = null;
  #again = false;

  /**
   * @param {() => import("./render.js").Settings} settings
   * @param {() => {tool: string, width: number}} brush width as a share of the longer side
   * @param {() => void} onStroke after each one
   */
  constructor(settings, brush, onStroke) {
    this.settings = settings;
    this.brush = brush;
    this.onStroke = onStroke;
    split.oninput = () => this.#moveDivider(Number(split.value));
    frame.onpointerdown = (event) => this.#press(event);
    frame.onpointermove = (event) => this.#point(event);
    frame.onpointerleave = () => (cursor.hidden = true);
    frame.onlostpointercapture = ({ pointerId }) => this.#release(pointerId);
    this.#moveDivider(50);
  }

  /** @param {Picture} picture */
  async show(picture) {
    this.#picture = picture;
    this.update();
    const bitmap = await decodeImage(picture.file).catch(() => null);
    await this.#drawing;
    if (this.#picture !== picture) return bitmap?.close();
    this.#shown?.bitmap.close();
    this.#shown = bitmap && { picture, bitmap };
    const sharpest = Math.max(stage.clientWidth, stage.clientHeight) * devicePixelRatio;
    const size = fitted(bitmap ?? picture.size, Math.min(Math.max(sharpest, 640), SHARPEST));
    for (const canvas of [before, after]) Object.assign(canvas, size); // clears them too
    frame.style.setProperty("--ratio", String(size.width / size.height));
    if (bitmap) before.getContext("2d")?.drawImage(bitmap, 0, 0, size.width, size.height);
    this.update();
  }

  /** Show the picture's state as it is now. */
  update() {
    const picture = this.#picture;
    if (!picture) return;
    stage.dataset.state = picture.state;
    stage.dataset.tool = this.brush().tool;
    message.textContent = this.#words(picture);
    message.hidden = !message.textContent;
    message.classList.toggle("alert", picture.state === "failed");
    this.draw();
  }

  /** @param {Picture} picture */
  #words({ state, problem, probability, strokes }) {
    if (state === "failed") return problem;
    if (!probability) return "Looking for people …";
    const nobody = !strokes.length && !probability.hasPerson(this.settings().threshold);
    return nobody ? "Nobody was found here. Lower the threshold, or paint them with Add." : "";
  }

  /** Draw the result as soon as the one before is drawn. */
  draw() {
    this.#again = true;
    after.ariaBusy = "true";
    this.#drawing ??= this.#drawAll().finally(() => {
      this.#drawing = null;
      after.ariaBusy = "false";
    });
  }

  async #drawAll() {
    while (this.#again) {
      this.#again = false;
      const { picture, bitmap } = this.#shown ?? {};
      if (!bitmap || !picture?.probability || picture !== this.#picture) continue;
      const subject = { ...picture, bitmap, probability: picture.probability };
      const canvas = await render(subject, this.settings(), after);
      const context = /** @type {CanvasRenderingContext2D} */ (after.getContext("2d"));
      context.clearRect(0, 0, after.width, after.height);
      context.drawImage(canvas, 0, 0);
    }
  }

  /** @param {number} percent of the picture that shows it as it was */
  #moveDivider(percent) {
    split.value = String(percent);
    stage.style.setProperty("--split", `${percent}%`);
    split.setAttribute("aria-valuetext", `${Math.round(percent)} % before`);
  }

  /** @param {PointerEvent} event */
  #press(event) {
    if (this.#picture?.state !== "done" || event.button !== 0) return;
    if (this.#pointer !== null) return this.#dropStroke();
    frame.setPointerCapture(event.pointerId);
    this.#pointer = event.pointerId;
    const { tool, width } = this.brush();
    if (tool === "add" || tool === "erase") {
      this.#stroke = { mode: tool, width, points: [] };
      this.#picture.strokes.push(this.#stroke);
    }
    this.#point(event);
  }

  /** A second finger wants to zoom, or slipped: what the first one painted was not meant. */
  #dropStroke() {
    const strokes = this.#picture?.strokes ?? [];
    const index = this.#stroke ? strokes.indexOf(this.#stroke) : -1;
    if (index >= 0) strokes.splice(index, 1);
    this.#stroke = null;
    this.onStroke();
  }

  /** @param {number} pointer */
  #release(pointer) {
    if (pointer !== this.#pointer) return;
    this.#pointer = null;
    this.#stroke = null;
    this.onStroke();
  }

  /** @param {PointerEvent} event */
  #point(event) {
    if (this.#pointer !== null && event.pointerId !== this.#pointer) return;
    const { tool, width } = this.brush();
    const box = frame.getBoundingClientRect();
    const shares = (/** @type {PointerEvent} */ { clientX, clientY }) => [
      (clientX - box.left) / box.width,
      (clientY - box.top) / box.height,
    ];
    const [x, y] = shares(event);
    const brushing = tool !== "compare";
    cursor.hidden = !brushing;
    const diameter = `${width * Math.max(box.width, box.height)}px`;
    Object.assign(cursor.style, { left: `${100 * x}%`, top: `${100 * y}%`, width: diameter, height: diameter });
    if (this.#pointer === null) return;
    if (!brushing) return this.#moveDivider(Math.min(Math.max(100 * x, 0), 100));
    const moves = event.getCoalescedEvents?.() ?? [];
    this.#stroke?.points.push(...(moves.length ? moves : [event]).map(shares));
    this.draw();
  }
}
