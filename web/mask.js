// SPDX-License-Identifier: Apache-2.0
// The mask as a list of marks in coordinates of the picture (0 … 1 of its width and height), so that it can be
// undone, shown at any size and written at the photo's own.

const MARKS_MAX = 2000;
const POINTS_MAX = 20000; // of one stroke

/** Brush radii are fractions of the picture's longer side. */
export const BRUSH = { min: 0.004, max: 0.12, start: 0.03 };

export class Mask extends EventTarget {
  #marks = [];

  constructor(marks = []) {
    super();
    this.#marks = marks;
  }

  get marks() {
    return this.#marks;
  }
  get isEmpty() {
    return !this.#marks.some((mark) => !mark.erase);
  }

  #changed() {
    this.dispatchEvent(new Event('change'));
  }

  /** {points: [[x, y], …], radius, erase} or {box: [x, y, width, height], erase}. */
  add(mark) {
    if (this.#marks.length >= MARKS_MAX) return false;
    this.#marks.push(mark);
    this.#changed();
    return true;
  }
  extend(point) {
    const points = this.#marks.at(-1)?.points;
    if (!points || points.length >= POINTS_MAX) return;
    points.push(point);
    this.#changed();
  }
  undo() {
    this.#marks.pop();
    this.#changed();
  }
  clear() {
    this.#marks = [];
    this.#changed();
  }

  /** Draws all marks in one colour or pattern; erasing ones take away. */
  paint(context, width, height, colour) {
    context.clearRect(0, 0, width, height);
    context.lineCap = context.lineJoin = 'round';
    context.strokeStyle = context.fillStyle = colour;
    for (const mark of this.#marks) {
      context.globalCompositeOperation = mark.erase ? 'destination-out' : 'source-over';
      if (mark.box) paintBox(context, mark.box, width, height);
      else paintStroke(context, mark, width, height);
    }
    context.globalCompositeOperation = 'source-over';
  }

  /** As a PNG of the photo's size, white where the photo is to be changed. */
  async toBlob(width, height) {
    const canvas = document.createElement('canvas');
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext('2d');
    if (!context) throw new Error('This photo is too large to draw a mask for in this browser.');
    this.paint(context, width, height, '#fff');
    context.globalCompositeOperation = 'destination-over';
    context.fillStyle = '#000';
    context.fillRect(0, 0, width, height);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, 'image/png'));
    if (!blob) throw new Error('This photo is too large to draw a mask for in this browser.');
    return blob;
  }
}

function paintBox(context, [x, y, boxWidth, boxHeight], width, height) {
  context.fillRect(x * width, y * height, boxWidth * width, boxHeight * height);
}

function paintStroke(context, { points, radius }, width, height) {
  const size = Math.max(width, height);
  context.lineWidth = 2 * radius * size;
  context.beginPath();
  context.moveTo(points[0][0] * width, points[0][1] * height);
  // A line of no length still gets its round caps: a dot.
  context.lineTo(points[0][0] * width, points[0][1] * height);
  for (const [x, y] of points.slice(1)) context.lineTo(x * width, y * height);
  context.stroke();
}
