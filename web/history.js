// SPDX-License-Identifier: Apache-2.0
// The strip of this browser's jobs.
import { byId, formatTime, icon, make } from './dom.js';
import { isEnded } from './store.js';

const STATUS = {
  sending: 'being sent',
  queued: 'waiting',
  running: 'running',
  succeeded: 'done',
  failed: 'failed',
  cancelled: 'cancelled',
  lost: 'no longer on the server',
};
const BADGES = { failed: 'alert', lost: 'alert', cancelled: 'close' };

export class History {
  #urls = new Map(); // key → {status, url}: its thumbnail, which is the result's in the end
  #current = null;

  constructor(store, { onClear }) {
    this.store = store;
    this.root = byId('history');
    this.list = byId('history-list');
    byId('history-clear').addEventListener('click', onClear);
    store.addEventListener('change', () => this.refresh());
  }

  setCurrent(key) {
    this.#current = key;
    for (const link of this.list.querySelectorAll('a'))
      if (link.dataset.key === key) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
  }

  async refresh() {
    const records = await this.store.list();
    this.root.hidden = records.length === 0;
    const keys = new Set(records.map(({ key }) => key));
    for (const key of this.#urls.keys()) if (!keys.has(key)) this.#forget(key);
    const focused = document.activeElement?.dataset?.key;
    this.list.replaceChildren(...records.map((record) => this.#item(record)));
    this.setCurrent(this.#current);
    if (focused) this.list.querySelector(`a[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  #forget(key) {
    URL.revokeObjectURL(this.#urls.get(key)?.url);
    this.#urls.delete(key);
  }

  #urlOf({ key, status, thumb }) {
    if (this.#urls.get(key)?.status !== status) {
      this.#forget(key);
      if (thumb) this.#urls.set(key, { status, url: URL.createObjectURL(thumb) });
    }
    return this.#urls.get(key)?.url;
  }

  #item(record) {
    const what = record.instruction || 'no instruction';
    const label = `${what}, ${STATUS[record.status]}, ${formatTime(record.created)}`;
    const badge = BADGES[record.status];
    return make(
      'li',
      {},
      make(
        'a',
        { href: `#/jobs/${record.key}`, 'data-key': record.key, 'data-status': record.status, 'aria-label': label, title: what },
        make('img', { src: this.#urlOf(record), alt: '', draggable: false }),
        isEnded(record) ? null : make('span', { class: 'spinner' }),
        badge ? make('span', { class: 'badge' }, icon(badge)) : null,
      ),
    );
  }
}
