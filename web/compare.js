// SPDX-License-Identifier: Apache-2.0
// Before and after, one over the other, with a line between them: dragged by pointer, or moved by keys and
// assistive technology through a range input that carries its value.
import { byId, prefersReducedMotion } from './dom.js';

const REVEAL_MS = 1100;
const MIDDLE = 50;

export class Compare {
  #animation = 0;

  constructor() {
    this.root = byId('compare');
    this.range = byId('compare-range');
    this.range.addEventListener('input', () => {
      this.#stop();
      this.#place(Number(this.range.value));
    });
    this.#listenPointer();
    this.root.addEventListener('dblclick', () => this.#place(MIDDLE));
  }

  /** Shows the line; with a sweep from the old picture to the middle when the result is new. */
  open(isNew) {
    this.root.hidden = false;
    if (isNew && !prefersReducedMotion()) this.#reveal();
    else this.#place(MIDDLE);
  }

  close() {
    this.#stop();
    this.root.hidden = true;
  }

  /** share: percent of the width that shows the photo before. */
  #place(share) {
    const percent = Math.min(100, Math.max(0, share));
    this.range.value = percent;
    this.range.setAttribute('aria-valuetext', `${Math.round(percent)} % before, ${Math.round(100 - percent)} % after`);
    byId('frame').style.setProperty('--split', `${percent}%`);
    this.root.classList.toggle('at-start', percent < 12);
    this.root.classList.toggle('at-end', percent > 88);
  }

  #stop() {
    cancelAnimationFrame(this.#animation);
    this.#animation = 0;
  }

  #reveal() {
    const start = performance.now();
    const frame = (now) => {
      const part = Math.min(1, (now - start) / REVEAL_MS);
      const eased = 1 - (1 - part) ** 3;
      this.#place(100 - MIDDLE * eased);
      this.#animation = part < 1 ? requestAnimationFrame(frame) : 0;
    };
    this.#stop();
    this.#place(100);
    this.#animation = requestAnimationFrame(frame);
  }

  #listenPointer() {
    const follow = (event) => {
      const box = this.root.getBoundingClientRect();
      this.#place(((event.clientX - box.left) / box.width) * 100);
    };
    this.root.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      this.#stop();
      this.root.setPointerCapture(event.pointerId);
      follow(event);
      this.range.focus({ preventScroll: true, focusVisible: false });
      event.preventDefault();
    });
    this.root.addEventListener('pointermove', (event) => {
      if (this.root.hasPointerCapture(event.pointerId)) follow(event);
    });
  }
}
