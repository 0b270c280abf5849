// SPDX-License-Identifier: Apache-2.0
// Follows a job's events. fetch() rather than EventSource: that one can't send an API key, and can't go on
// from an event id after a reload.
import { ApiError, authHeaders, eventsPath, throwFor } from './api.js';
import { sleep } from './dom.js';

const TERMINAL = new Set(['succeeded', 'failed', 'cancelled']);
const SILENCE_MS = 60000; // the server pings more often: longer silence is a dead connection
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 15000;

/** Parses an event stream (WHATWG HTML §9.2) fed in pieces cut anywhere. */
export class EventParser {
  #rest = '';
  #event = { id: null, name: '', data: [] };

  constructor(onEvent) {
    this.onEvent = onEvent;
  }

  push(text) {
    this.#rest += text;
    // A CR at the very end may be half of a CR LF.
    const lines = this.#rest.split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    for (const line of lines) this.#take(line);
  }

  #take(line) {
    if (line === '') return this.#dispatch();
    if (line.startsWith(':')) return;
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'id' && !value.includes('\0')) this.#event.id = value;
    else if (field === 'event') this.#event.name = value;
    else if (field === 'data') this.#event.data.push(value);
  }

  #dispatch() {
    const { id, name, data } = this.#event;
    this.#event = { id, name: '', data: [] };
    if (data.length > 0) this.onEvent({ id, name: name || 'message', data: data.join('\n') });
  }
}

/** One connection. Resolves to 'ended' after the terminal event (or 204), to 'closed' when the stream just
 *  stops. position.lastId is kept up to date. */
async function readStream(id, position, { onEvent, onConnected, signal }) {
  const silence = new AbortController();
  const stop = AbortSignal.any([signal, silence.signal]);
  let timer;
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(new Error('silent')), SILENCE_MS);
  };
  heard();
  try {
    const headers = { ...authHeaders(), Accept: 'text/event-stream' };
    if (position.lastId) headers['Last-Event-ID'] = position.lastId;
    const response = await fetch(eventsPath(id), { headers, cache: 'no-store', signal: stop });
    if (response.status === 204) return 'ended';
    if (!response.ok) await throwFor(response);
    onConnected();
    let hasEnded = false;
    const parser = new EventParser((event) => {
      if (event.id) position.lastId = event.id;
      hasEnded ||= TERMINAL.has(event.name);
      onEvent(event.name, JSON.parse(event.data));
    });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || hasEnded) break;
      heard();
      parser.push(value);
    }
    return hasEnded ? 'ended' : 'closed';
  } finally {
    clearTimeout(timer);
    silence.abort();
  }
}

/** Calls onEvent(name, data) for each event above lastId until the terminal one, through lost connections.
 *  onConnection(isUp) tells of these. Throws ApiError when the job is gone or not ours, and signal's reason. */
export async function followJob(id, { lastId = null, onEvent, onConnection, signal }) {
  const position = { lastId };
  let delay = RETRY_FIRST_MS;
  for (;;) {
    let wait = delay;
    try {
      const onConnected = () => {
        delay = RETRY_FIRST_MS;
        onConnection(true);
      };
      if ((await readStream(id, position, { onEvent, onConnected, signal })) === 'ended') return;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (error instanceof ApiError && !error.isTransient) throw error;
      if (error.retryAfterS) wait = Math.max(wait, error.retryAfterS * 1000);
    }
    onConnection(false);
    await sleep(wait * (0.8 + 0.4 * Math.random()), signal);
    delay = Math.min(delay * 2, RETRY_MAX_MS);
  }
}
