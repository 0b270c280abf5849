// SPDX-License-Identifier: Apache-2.0
// This browser's jobs, with their photos and results, and the unsent draft: IndexedDB, or plain memory where
// the browser forbids it. A job is written before it is sent, so no reload can lose it; its key is also the
// Idempotency-Key, so sending it again after a reload never makes a second job.
//
// A record: {key, id, status, created, name, instruction, fields, width, height, input, mask, thumb, job,
// result}; status is 'sending' until the server has accepted it, then the job's. input, mask, thumb and result
// are Blobs; job is the API's job object as last seen.

const DATABASE = 'promptfix';
const RECORDS_MAX = 40;
const BYTES_MAX = 512 * 1024 * 1024;

export const isEnded = (record) => ['succeeded', 'failed', 'cancelled', 'lost'].includes(record.status);

function promise(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function openDatabase() {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore('jobs', { keyPath: 'key' });
    request.result.createObjectStore('drafts');
  };
  return promise(request);
}

/** The tables over IndexedDB, each call one transaction. */
class DiskTables {
  constructor(database) {
    this.database = database;
  }
  #in(table, mode) {
    return this.database.transaction(table, mode).objectStore(table);
  }
  all = (table) => promise(this.#in(table, 'readonly').getAll());
  get = (table, key) => promise(this.#in(table, 'readonly').get(key));
  remove = (table, key) => promise(this.#in(table, 'readwrite').delete(key));
  put(table, value, key) {
    const store = this.#in(table, 'readwrite');
    return new Promise((resolve, reject) => {
      store.transaction.oncomplete = () => resolve();
      store.transaction.onabort = () => reject(store.transaction.error);
      if (key === undefined) store.put(value);
      else store.put(value, key);
    });
  }
}

class MemoryTables {
  #tables = { jobs: new Map(), drafts: new Map() };
  all = async (table) => [...this.#tables[table].values()];
  get = async (table, key) => this.#tables[table].get(key);
  remove = async (table, key) => void this.#tables[table].delete(key);
  put = async (table, value, key) => void this.#tables[table].set(key ?? value.key, value);
}

const bytesOf = (record) => (record.input?.size ?? 0) + (record.result?.size ?? 0) + (record.mask?.size ?? 0);

export class Store extends EventTarget {
  #tables;
  #channel = 'BroadcastChannel' in globalThis ? new BroadcastChannel('promptfix') : null;
  isPersistent = true;

  async open() {
    try {
      this.#tables = new DiskTables(await openDatabase());
    } catch {
      this.#tables = new MemoryTables();
      this.isPersistent = false;
    }
    if (this.#channel) this.#channel.onmessage = () => this.dispatchEvent(new Event('change'));
  }

  #changed() {
    this.dispatchEvent(new Event('change'));
    this.#channel?.postMessage('change');
  }

  /** Newest first. */
  async list() {
    return (await this.#tables.all('jobs')).sort((a, b) => b.created - a.created);
  }

  /** By its key or the server's id; null when there is none. */
  async find(name) {
    const record = await this.#tables.get('jobs', name);
    return record ?? (await this.list()).find(({ id }) => id === name) ?? null;
  }

  /** A full disk is told by throwing; the caller goes on without. */
  async put(record) {
    await this.#tables.put('jobs', record);
    await this.#trim();
    this.#changed();
  }

  /** Changes some members of a record, unless it was removed meanwhile. */
  async change(key, members) {
    const record = await this.#tables.get('jobs', key);
    if (record) await this.put({ ...record, ...members });
  }

  async remove(key) {
    await this.#tables.remove('jobs', key);
    this.#changed();
  }

  /** Drops the oldest ended jobs beyond what is kept. */
  async #trim() {
    const records = await this.list();
    let bytes = 0;
    for (const [index, record] of records.entries()) {
      bytes += bytesOf(record);
      if (isEnded(record) && (index >= RECORDS_MAX || (index > 0 && bytes > BYTES_MAX)))
        await this.#tables.remove('jobs', record.key);
    }
  }

  getDraft = () => this.#tables.get('drafts', 'draft');
  putDraft = (draft) => this.#tables.put('drafts', draft, 'draft').catch(() => {});
}
