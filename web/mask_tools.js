// SPDX-License-Identifier: Apache-2.0
// Drawing the mask: by pointer, by keys on the canvas, or by numbers.
import { announce, byId } from './dom.js';
import { BRUSH } from './mask.js';

const CANVAS_PIXELS_MAX = 1400; // longer side of the canvas shown; the mask sent has the photo's size
const KEY_STEP = 0.02;
const KEY_STEP_FINE = 0.004;

/** Stripes, so that the mask is seen on a subject of any colour; translucent by style. */
function stripes(context) {
  const tile = document.createElement('canvas');
  tile.width = tile.height = 16;
  const pen = tile.getContext('2d');
  pen.fillStyle = '#f0401c';
  pen.fillRect(0, 0, 16, 16);
  pen.strokeStyle = '#ffd9cf';
  pen.lineWidth = 4;
  pen.beginPath();
  for (const shift of [-16, 0, 16]) {
    pen.moveTo(shift - 4, 20);
    pen.lineTo(shift + 20, -4);
  }
  pen.stroke();
  return context.createPattern(tile, 'repeat');
}

export class MaskTools {
  #mask = null;
  #isOpen = false;
  #cursor = [0.5, 0.5];
  #isPenDown = false;
  #pointer = null;
  #frame = 0;

  constructor({ onDone }) {
    this.canvas = byId('mask-canvas');
    this.toolbar = byId('mask-toolbar');
    this.ring = byId('mask-ring');
    this.size = byId('mask-size');
    this.context = this.canvas.getContext('2d');
    this.stripes = stripes(this.context);
    byId('mask-done').addEventListener('click', onDone);
    byId('mask-undo').addEventListener('click', () => this.#mask.undo());
    byId('mask-clear').addEventListener('click', () => this.#mask.clear());
    byId('mask-add-box').addEventListener('click', () => this.#addBox());
    this.size.addEventListener('input', () => this.#placeRing());
    this.#listenPointer();
    this.canvas.addEventListener('keydown', (event) => this.#onKey(event, onDone));
    this.canvas.addEventListener('focus', () => this.#placeRing());
    this.canvas.addEventListener('blur', () => this.#liftPen());
    new ResizeObserver(() => this.#placeRing()).observe(this.canvas);
  }

  /** Shows a mask over a picture of this size. */
  attach(mask, width, height) {
    this.#mask = mask;
    const scale = Math.min(1, CANVAS_PIXELS_MAX / Math.max(width, height));
    this.canvas.width = Math.max(1, Math.round(width * scale));
    this.canvas.height = Math.max(1, Math.round(height * scale));
    mask.addEventListener('change', () => this.#mask === mask && this.#repaint());
    this.#repaint();
  }

  open() {
    this.#isOpen = true;
    this.toolbar.hidden = false;
    this.canvas.tabIndex = 0;
    this.canvas.classList.add('drawing');
    this.canvas.focus({ preventScroll: true });
  }

  close() {
    this.#isOpen = false;
    this.#liftPen();
    this.toolbar.hidden = true;
    this.ring.hidden = true;
    this.canvas.tabIndex = -1;
    this.canvas.classList.remove('drawing');
  }

  get isOpen() {
    return this.#isOpen;
  }

  /** Once a frame, however many changes come. */
  #repaint() {
    byId('mask-undo').disabled = byId('mask-clear').disabled = this.#mask.marks.length === 0;
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#mask.paint(this.context, this.canvas.width, this.canvas.height, this.stripes);
    });
  }

  /** The slider is linear in the square root, so small brushes have room. */
  get #radius() {
    const part = Number(this.size.value) / 100;
    return BRUSH.min + part * part * (BRUSH.max - BRUSH.min);
  }
  get #isErasing() {
    return byId('mask-erase').checked;
  }

  #pointOf(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  #listenPointer() {
    const { canvas } = this;
    canvas.addEventListener('pointerdown', (event) => {
      if (!this.#isOpen || event.button !== 0 || this.#pointer !== null) return;
      this.#pointer = event.pointerId;
      canvas.setPointerCapture(event.pointerId);
      this.#begin(this.#pointOf(event));
    });
    canvas.addEventListener('pointermove', (event) => {
      if (!this.#isOpen) return;
      this.#cursor = this.#pointOf(event);
      this.#placeRing();
      if (this.#pointer !== event.pointerId) return;
      const events = event.getCoalescedEvents?.() ?? [];
      for (const each of events.length ? events : [event]) this.#mask.extend(this.#pointOf(each));
    });
    const end = (event) => {
      if (this.#pointer === event.pointerId) this.#pointer = null;
    };
    canvas.addEventListener('pointerup', end);
    canvas.addEventListener('pointercancel', end);
    canvas.addEventListener('pointerleave', () => (this.ring.hidden = true));
  }

  #begin(point) {
    const added = this.#mask.add({ points: [point], radius: this.#radius, erase: this.#isErasing });
    if (!added) announce('The mask has too many strokes; clear it to go on.');
  }

  /** The brush's outline, where the pointer or the keys have it. */
  #placeRing() {
    if (!this.#isOpen) return;
    const box = this.canvas.getBoundingClientRect();
    const radius = this.#radius * Math.max(box.width, box.height);
    const { style } = this.ring;
    style.width = style.height = `${2 * radius}px`;
    style.left = `${this.#cursor[0] * 100}%`;
    style.top = `${this.#cursor[1] * 100}%`;
    this.ring.classList.toggle('down', this.#isPenDown);
    this.ring.hidden = false;
  }

  // ---- keys ----

  #liftPen() {
    this.#isPenDown = false;
    this.#placeRing();
  }

  #move(dx, dy) {
    const clamp = (value) => Math.min(1, Math.max(0, value));
    this.#cursor = [clamp(this.#cursor[0] + dx), clamp(this.#cursor[1] + dy)];
    if (this.#isPenDown) this.#mask.extend([...this.#cursor]);
    this.#placeRing();
    const percent = this.#cursor.map((value) => Math.round(value * 100));
    announce(`${percent[0]} % from the left, ${percent[1]} % from the top${this.#isPenDown ? ', marking' : ''}`);
  }

  #resize(by) {
    this.size.value = Number(this.size.value) + by;
    this.#placeRing();
    announce(`Brush ${this.size.value} %`);
  }

  #togglePen() {
    this.#isPenDown = !this.#isPenDown;
    if (this.#isPenDown) this.#begin([...this.#cursor]);
    this.#placeRing();
    announce(this.#isPenDown ? `${this.#isErasing ? 'Erasing' : 'Marking'}: move with the arrow keys` : 'Pen up');
  }

  #onKey(event, onDone) {
    if (!this.#isOpen || event.ctrlKey || event.metaKey || event.altKey) {
      if (this.#isOpen && (event.ctrlKey || event.metaKey) && event.key === 'z') {
        this.#mask.undo();
        event.preventDefault();
      }
      return;
    }
    const step = event.shiftKey ? KEY_STEP_FINE : KEY_STEP;
    const actions = {
      ArrowLeft: () => this.#move(-step, 0),
      ArrowRight: () => this.#move(step, 0),
      ArrowUp: () => this.#move(0, -step),
      ArrowDown: () => this.#move(0, step),
      ' ': () => this.#togglePen(),
      Enter: () => this.#togglePen(),
      '[': () => this.#resize(-5),
      ']': () => this.#resize(5),
      e: () => byId('mask-erase').click(),
      b: () => byId('mask-brush').click(),
      Escape: onDone,
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  // ---- numbers ----

  #addBox() {
    const [x, y, width, height] = ['left', 'top', 'width', 'height'].map((name) => {
      const input = byId(`mask-box-${name}`);
      return input.validity.valid && input.value !== '' ? Number(input.value) / 100 : NaN;
    });
    const isGood = [x, y, width, height].every(Number.isFinite) && width > 0 && height > 0;
    byId('mask-box-error').hidden = isGood;
    if (!isGood) return;
    const box = [x, y, Math.min(width, 1 - x), Math.min(height, 1 - y)];
    this.#mask.add({ box, erase: this.#isErasing });
    announce(`${this.#isErasing ? 'Erased' : 'Marked'} a rectangle of ${Math.round(box[2] * 100)} by ${Math.round(box[3] * 100)} %`);
  }
}
