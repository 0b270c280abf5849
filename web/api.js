// SPDX-License-Identifier: Apache-2.0
// The HTTP API as the page uses it. Every failure is an ApiError that says what happened, to which field, and
// when another try makes sense. Paths are relative to the page, which may live under a proxy's sub-path.
import { memory } from './dom.js';

export class ApiError extends Error {
  /** status 0: no answer came. field: name of the form field at fault, or null. */
  constructor(message, { status = 0, code = 'unreachable', field = null, retryAfterS = null } = {}) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
    this.field = field;
    this.retryAfterS = retryAfterS;
  }

  /** Whether the same request may go through later. */
  get isTransient() {
    return [0, 408, 429, 502, 503, 504].includes(this.status);
  }
}

let sessionKey = null;

export function getKey() {
  return sessionKey ?? memory.get('key');
}

/** remember: keep the key in this browser, else only until the page is closed. */
export function setKey(key, remember) {
  sessionKey = key || null;
  memory.set('key', key && remember ? key : null);
}

export function authHeaders() {
  const key = getKey();
  return key ? { Authorization: `Bearer ${key}` } : {};
}

function fieldOf(problem) {
  const pointer = problem.errors?.[0]?.pointer ?? '';
  if (pointer.startsWith('#/')) return pointer.slice(2).replaceAll('~1', '/').replaceAll('~0', '~');
  return problem.error?.param ?? null;
}

function retryAfter(value) {
  const seconds = Number.parseInt(value ?? '', 10);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : null;
}

/** From an answer's status, headers and body text. */
export function errorOf(status, retryAfterHeader, text) {
  let problem = {};
  try {
    problem = JSON.parse(text);
  } catch {
    // A proxy's page: its text would help nobody.
  }
  const message = problem.detail ?? problem.title ?? problem.error?.message ?? `The server answered ${status}`;
  return new ApiError(message, {
    status,
    code: problem.error?.code ?? `http_${status}`,
    field: fieldOf(problem),
    retryAfterS: retryAfter(retryAfterHeader),
  });
}

export async function throwFor(response) {
  throw errorOf(response.status, response.headers.get('Retry-After'), await response.text().catch(() => ''));
}

function unreachable() {
  return new ApiError(navigator.onLine ? 'The server can’t be reached' : 'This device is offline');
}

/** fetch() with key; answers other than 2xx throw. */
export async function request(path, { headers = {}, ...options } = {}) {
  let response;
  try {
    response = await fetch(path, { ...options, headers: { ...authHeaders(), ...headers } });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw unreachable();
  }
  if (!response.ok) await throwFor(response);
  return response;
}

export const getCapabilities = async () => (await request('v1/capabilities')).json();

const jobPath = (id) => `v1/jobs/${encodeURIComponent(id)}`;

export const getJob = async (id) => (await request(jobPath(id))).json();
export const cancelJob = async (id) => (await request(`${jobPath(id)}/cancel`, { method: 'POST' })).json();
export const deleteJob = (id) => request(jobPath(id), { method: 'DELETE' });
export const getResult = async (id) => (await request(`${jobPath(id)}/result`)).blob();
export const eventsPath = (id) => `${jobPath(id)}/events`;

/** {status: 'ready' | 'loading' | 'broken' | 'draining', message}; 'unreachable' when there is no answer. */
export async function getReadiness() {
  try {
    const response = await fetch('health/ready', { cache: 'no-store' });
    return await response.json();
  } catch {
    return { status: 'unreachable', message: '' };
  }
}

/** Posts a form; XMLHttpRequest because fetch() doesn't tell how much has been sent.
 *  onUpload: called with the fraction sent. Resolves to the job. */
export function submitJob(form, idempotencyKey, { onUpload, signal } = {}) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const xhr = new XMLHttpRequest();
    const abort = () => xhr.abort();
    xhr.open('POST', 'v1/jobs');
    for (const [name, value] of Object.entries(authHeaders())) xhr.setRequestHeader(name, value);
    xhr.setRequestHeader('Idempotency-Key', idempotencyKey);
    xhr.upload.onprogress = (event) => event.lengthComputable && onUpload?.(event.loaded / event.total);
    xhr.onload = () => {
      if (xhr.status < 200 || xhr.status > 299)
        return reject(errorOf(xhr.status, xhr.getResponseHeader('Retry-After'), xhr.responseText));
      try {
        resolve(JSON.parse(xhr.responseText));
      } catch {
        reject(new ApiError('The server’s answer can’t be read', { status: xhr.status, code: 'bad_answer' }));
      }
    };
    xhr.onerror = () => reject(unreachable());
    xhr.onabort = () => reject(signal.reason);
    xhr.onloadend = () => signal?.removeEventListener('abort', abort);
    signal?.addEventListener('abort', abort, { once: true });
    xhr.send(form);
  });
}
