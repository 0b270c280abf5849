// SPDX-License-Identifier: Apache-2.0
// Takes records (store.js) through their life: sends them, follows the one that is looked at by its event
// stream, asks for the others now and then, fetches results. One stream at a time: browsers allow few
// connections to a server.
import { ApiError, cancelJob, deleteJob, getJob, getResult, submitJob } from './api.js';
import { sleep } from './dom.js';
import { followJob } from './events.js';
import { decode, makeThumb } from './photo.js';
import { isEnded } from './store.js';

const POLL_MS = 4000;
const RETRY_MAX_MS = 30000;
const RESULT_TRIES = 5;
/** Replays what the server still has of a job that goes on, its last previews among them. */
const REPLAY_FROM = '1';

function formOf(record) {
  const form = new FormData();
  form.append('instruction', record.instruction);
  for (const [name, value] of record.fields) form.append(name, value);
  form.append('image', record.input, record.name);
  if (record.mask) form.append('mask', record.mask, 'mask.png');
  return form;
}

/** null when the browser can't show the file. */
async function thumbOf(blob) {
  try {
    return await makeThumb(await decode(blob));
  } catch {
    return null;
  }
}

function imageOf({ b64_json: text, format }) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return new Blob([bytes], { type: `image/${format}` });
}

/** Events: 'update' {key} when a record or what is known of its progress changed; 'rejected' {record, error}
 *  when the server refused it for good. */
export class Runner extends EventTarget {
  #records = new Map(); // those in work, by key
  #live = new Map(); // by key: what only the moment knows
  #stops = new Map(); // by key: AbortController of the sending
  #following = null; // {key, controller}

  constructor(store, { askKey }) {
    super();
    this.store = store;
    this.askKey = askKey;
    setInterval(() => document.visibilityState === 'visible' && this.#poll(), POLL_MS);
  }

  /** {upload, retryAt, retryReason, isConnected, step, steps, endsAt, position, preview, notice} */
  liveOf(key) {
    if (!this.#live.has(key)) this.#live.set(key, { isConnected: true });
    return this.#live.get(key);
  }

  /** A record as last known here; falls back to the store's. */
  async get(name) {
    return this.#records.get(name) ?? (await this.store.find(name));
  }

  #tell(key, type = 'update', detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { detail: { key, ...detail } }));
  }

  async #save(record) {
    this.#records.set(record.key, record);
    this.#tell(record.key);
    try {
      await this.store.put(record);
    } catch {
      this.#tell(record.key, 'unsaved');
    }
  }

  /** Goes on with what a reload or a closed page interrupted. */
  async resume() {
    for (const record of await this.store.list()) {
      if (isEnded(record)) continue;
      this.#records.set(record.key, record);
      if (record.status === 'sending') this.#send(record);
    }
    this.#poll();
  }

  /** Takes a job made elsewhere, and returns its record. */
  async adopt(record) {
    await this.#take(record, record.job);
    return this.get(record.key);
  }

  /** The record is stored before it is sent. */
  async start(record) {
    await this.#save(record);
    this.#send(record);
  }

  async #send(record) {
    const { key } = record;
    const controller = new AbortController();
    this.#stops.set(key, controller);
    const { signal } = controller;
    try {
      const job = await this.#sendUntilTaken(record, signal);
      await this.#take({ ...record, id: job.id }, job);
      if (this.#following?.key === key) this.follow(key);
    } catch (error) {
      if (signal.aborted) return;
      const failure = { code: error.code ?? 'page', message: error.message, field: error.field ?? null };
      await this.#save({ ...record, status: 'failed', error: failure });
      this.#records.delete(key);
      this.#tell(key, 'rejected', { record, error });
    } finally {
      this.#stops.delete(key);
    }
  }

  /** Tries again as long as that makes sense, when the server says so or ever later. */
  async #sendUntilTaken(record, signal) {
    const live = this.liveOf(record.key);
    const onUpload = (part) => {
      live.upload = part;
      this.#tell(record.key);
    };
    for (let delay = 1000; ; delay = Math.min(delay * 2, RETRY_MAX_MS)) {
      live.retryAt = null;
      live.upload = 0;
      this.#tell(record.key);
      try {
        return await submitJob(formOf(record), record.key, { onUpload, signal });
      } catch (error) {
        if (signal.aborted) throw error;
        if (error.status === 401 && (await this.askKey())) continue;
        if (!(error instanceof ApiError) || !error.isTransient) throw error;
        const wait = error.retryAfterS === null ? delay : Math.max(1, error.retryAfterS) * 1000;
        live.retryAt = Date.now() + wait;
        live.retryReason = error.message;
        this.#tell(record.key);
        await sleep(wait, signal);
      }
    }
  }

  /** Takes over the server's view of a job; fetches the result of one that has succeeded. */
  async #take(record, job) {
    const live = this.liveOf(record.key);
    live.position = job.queue_position;
    live.step = job.progress.step;
    live.steps = job.progress.steps;
    live.endsAt = job.progress.eta_ms === null ? null : Date.now() + job.progress.eta_ms;
    const next = { ...record, id: job.id, status: job.status, job };
    if (job.status === 'succeeded' && !next.result) {
      this.#records.set(record.key, { ...next, status: 'running' });
      live.isFetching = true;
      this.#tell(record.key);
      next.result = await this.#fetchResult(job.id);
      live.isFetching = false;
      live.isNew = true;
      if (next.result) next.thumb = (await thumbOf(next.result)) ?? next.thumb;
    }
    await this.#save(next);
    if (isEnded(next)) this.#records.delete(record.key);
  }

  /** null when the server no longer has it. */
  async #fetchResult(id) {
    for (let tries = 1; ; tries++) {
      try {
        return await getResult(id);
      } catch (error) {
        if (!error.isTransient || tries === RESULT_TRIES) return null;
        await sleep((error.retryAfterS ?? tries) * 1000);
      }
    }
  }

  async #lose(record) {
    await this.#save({ ...record, status: 'lost' });
    this.#records.delete(record.key);
  }

  async #ask(record) {
    try {
      await this.#take(record, await getJob(record.id));
    } catch (error) {
      if (error.status === 404 || error.status === 410) await this.#lose(record);
      else if (error.status === 401 && (await this.askKey())) await this.#ask(record);
    }
  }

  #isPolling = false;
  async #poll() {
    if (this.#isPolling) return;
    this.#isPolling = true;
    for (const record of [...this.#records.values()])
      if (record.id && record.key !== this.#following?.key && !isEnded(record)) await this.#ask(record);
    this.#isPolling = false;
  }

  // ---- the one that is looked at ----

  unfollow() {
    this.#following?.controller.abort(new Error('no longer looked at'));
    this.#following = null;
  }

  /** Follows a record's events from here on, also when it has yet to be sent. */
  async follow(key) {
    this.unfollow();
    const record = this.#records.get(key);
    const following = { key, controller: new AbortController() };
    this.#following = following;
    if (!record?.id || isEnded(record)) return;
    try {
      await followJob(record.id, {
        lastId: REPLAY_FROM,
        signal: following.controller.signal,
        onEvent: (name, data) => this.#onEvent(key, name, data),
        onConnection: (isUp) => {
          this.liveOf(key).isConnected = isUp;
          this.#tell(key);
        },
      });
      const latest = this.#records.get(key);
      if (latest) await this.#ask(latest);
    } catch (error) {
      if (following.controller.signal.aborted) return;
      if (error.status === 401 && (await this.askKey())) return this.follow(key);
      if (error.status === 404 || error.status === 410) return this.#lose(record);
    }
    // What the stream couldn't tell is asked for by #poll().
    if (this.#following === following) this.#following = null;
  }

  #onEvent(key, name, data) {
    const live = this.liveOf(key);
    const record = this.#records.get(key);
    if (!record) return;
    if (name === 'step') {
      live.step = data.step;
      live.steps = data.steps;
      live.endsAt = data.eta_ms === null ? null : Date.now() + data.eta_ms;
      if (record.status !== 'running') this.#records.set(key, { ...record, status: 'running' });
    } else if (name === 'preview') {
      live.preview = imageOf(data);
    } else if (name === 'queued' || name === 'started') {
      live.position = data.queue_position;
      live.step = data.progress.step;
      live.steps = data.progress.steps;
      live.endsAt = data.progress.eta_ms === null ? null : Date.now() + data.progress.eta_ms;
      live.notice = data.reason ?? (name === 'started' ? live.notice : '');
      if (live.step === 0) live.preview = null;
      this.#records.set(key, { ...record, status: data.status, job: data });
    }
    // The ends are taken over from the job itself, when the stream has closed.
    this.#tell(key);
  }

  // ---- ends ----

  /** True when the job had not been sent yet and is simply forgotten. */
  async cancel(key) {
    const sending = this.#stops.get(key);
    if (sending) {
      sending.abort(new Error('cancelled'));
      this.#records.delete(key);
      await this.store.remove(key);
      return true;
    }
    const record = await this.get(key);
    if (record?.id && !isEnded(record)) await this.#take(record, await cancelJob(record.id));
    return false;
  }

  /** Forgets a record here and on the server. */
  async remove(record) {
    this.#stops.get(record.key)?.abort(new Error('removed'));
    this.#records.delete(record.key);
    this.#live.delete(record.key);
    await this.store.remove(record.key);
    if (!record.id || record.status === 'lost') return;
    await deleteJob(record.id).catch((error) => {
      if (error.status !== 404 && error.status !== 410) throw error;
    });
  }
}
