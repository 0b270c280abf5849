// SPDX-License-Identifier: Apache-2.0
// Joins the parts: the address says what is shown ("#/" the form, "#/jobs/…" a job), so that reload, back
// and forward work.
import { ApiError, getCapabilities, getJob, getKey, getReadiness } from './api.js';
import { Compare } from './compare.js';
import { Compose } from './compose.js';
import { askKey, confirmClear } from './dialogs.js';
import { announce, byId, setText } from './dom.js';
import { History } from './history.js';
import { JobView } from './job_view.js';
import { decode, makeThumb } from './photo.js';
import { Runner } from './runner.js';
import { Store, isEnded } from './store.js';

const READY_POLL_MS = 30000;
const NOT_READY_POLL_MS = 3000;

const store = new Store();
await store.open();
const runner = new Runner(store, { askKey: () => askForKey() });
const compose = new Compose(store, { onSubmit: submit });
const view = new JobView({ compare: new Compare() });
const strip = new History(store, { onClear: clearHistory });

let isSubmitting = false;

// ---- what is shown ----

const routeKey = () => decodeURIComponent(location.hash.match(/^#\/jobs\/([^/]+)$/)?.[1] ?? '');

function showCompose() {
  runner.unfollow();
  view.close();
  strip.setCurrent(null);
  byId('progress').hidden = byId('result-tools').hidden = true;
  byId('job').hidden = true;
  byId('compose').hidden = false;
  byId('stage-area').classList.remove('actual-size');
  compose.reveal();
}

function showRecord(record) {
  compose.hide();
  byId('compose').hidden = true;
  byId('job').hidden = false;
  view.show(record, runner.liveOf(record.key));
  strip.setCurrent(record.key);
}

/** A job of another browser, by its link: without the photo it came from. */
async function findElsewhere(id) {
  const job = await getJob(id);
  return {
    key: job.id,
    id: job.id,
    status: isEnded(job) ? 'running' : job.status,
    created: Date.parse(job.created_at),
    instruction: job.instruction,
    fields: [],
    input: null,
    job,
  };
}

/** Moves on, as a link would, but at once. */
function go(hash) {
  history.pushState(null, '', hash);
  return route();
}

async function route() {
  const name = routeKey();
  if (!name) return showCompose();
  let record = await runner.get(name);
  try {
    record ??= await runner.adopt(await findElsewhere(name));
  } catch (error) {
    if (error.status === 401 && (await askForKey())) return route();
    go('#/');
    compose.showError({ message: error.status === 404 ? 'There is no such job' : error.message, field: null });
    return;
  }
  if (routeKey() !== name) return;
  byId('stage-area').classList.remove('actual-size');
  setText(byId('actual-size-label'), 'Actual size');
  showRecord(record);
  runner.follow(record.key);
}

runner.addEventListener('update', async ({ detail }) => {
  if (!runner.liveOf(detail.key).isConnected && byId('server-state').dataset.state === 'ready') askNow();
  if (view.key !== detail.key) return;
  const record = await runner.get(detail.key);
  if (record && view.key === detail.key) showRecord(record);
});

runner.addEventListener('unsaved', () => {
  byId('storage-note').hidden = false;
});

runner.addEventListener('rejected', async ({ detail: { record, error } }) => {
  if (view.key !== record.key) return;
  await store.remove(record.key);
  history.replaceState(null, '', '#/');
  showCompose();
  compose.showError(error);
});

// ---- what a person does ----

async function submit() {
  if (isSubmitting) return;
  isSubmitting = true;
  try {
    const collected = await compose.collect();
    if (!collected) return;
    const record = { key: crypto.randomUUID?.() ?? randomKey(), status: 'sending', created: Date.now(), ...collected };
    await runner.start(record);
    await go(`#/jobs/${record.key}`);
    byId('job-title').focus({ preventScroll: true });
  } finally {
    isSubmitting = false;
  }
}

/** Plain http:// on another machine has no randomUUID(). */
function randomKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

async function withErrors(action) {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 401 && (await askForKey())) return withErrors(action);
    byId('job-error').hidden = false;
    setText(byId('job-error'), error.message);
  }
}

byId('cancel').addEventListener('click', () =>
  withErrors(async () => {
    if (await runner.cancel(view.key)) go('#/');
  }),
);

byId('skip').addEventListener('click', (event) => {
  event.preventDefault();
  byId(routeKey() ? 'job-title' : 'instruction').focus();
});

byId('again').addEventListener('click', async () => {
  const record = await runner.get(view.key);
  const thumb = await makeThumb(await decode(record.input));
  go('#/');
  compose.fill({ ...record, thumb });
  byId('instruction').focus();
});

byId('continue').addEventListener('click', async () => {
  const { result, name } = await runner.get(view.key);
  const image = await decode(result);
  const thumb = await makeThumb(image);
  go('#/');
  compose.fill({
    input: result,
    name: name ?? 'photo',
    width: image.naturalWidth,
    height: image.naturalHeight,
    thumb,
    instruction: '',
  });
  byId('instruction').focus();
});

byId('remove').addEventListener('click', () =>
  withErrors(async () => {
    const record = await runner.get(view.key);
    await runner.remove(record);
    announce('Deleted');
    go('#/');
  }),
);

byId('new').addEventListener('click', () => {
  go('#/');
  compose.fill({ input: null, instruction: '' });
  byId('choose').focus();
});

byId('actual-size').addEventListener('click', () => {
  const isActual = byId('stage-area').classList.toggle('actual-size');
  setText(byId('actual-size-label'), isActual ? 'Fit' : 'Actual size');
});

async function clearHistory() {
  if (!(await confirmClear())) return;
  for (const record of await store.list()) await runner.remove(record).catch(() => {});
  go('#/');
}

compose.onForeignPhoto = () => {
  if (!routeKey()) return;
  go('#/');
};

// ---- the server ----

async function askForKey() {
  const isGiven = await askKey({ isWrong: getKey() !== null });
  if (isGiven) loadCapabilities();
  return isGiven;
}

byId('key-button').addEventListener('click', async () => {
  await askKey();
  loadCapabilities();
});

async function loadCapabilities() {
  try {
    const capabilities = await getCapabilities();
    compose.setCapabilities(capabilities);
    byId('key-button').hidden = !getKey();
    return true;
  } catch (error) {
    if (error.status !== 401) return false;
    byId('key-button').hidden = false;
    return askForKey();
  }
}

const SERVER_TEXT = {
  ready: 'Ready',
  loading: 'Loading the model',
  broken: 'The model can’t be loaded',
  draining: 'Restarting',
  unreachable: 'Not connected',
};

/** Asks at once, when a lost stream says that something has changed. */
let askNow = () => {};

async function watchServer() {
  let before = '';
  for (;;) {
    const { status, message } = await getReadiness();
    const state = byId('server-state');
    state.dataset.state = status;
    state.title = message ?? '';
    setText(byId('server-text'), SERVER_TEXT[status] ?? status);
    // The model's own defaults are known when it is loaded.
    if (status === 'ready' && before !== 'ready') loadCapabilities();
    before = status;
    const wait = status === 'ready' ? READY_POLL_MS : NOT_READY_POLL_MS;
    await new Promise((resolve) => {
      askNow = resolve;
      setTimeout(resolve, wait);
    });
  }
}

// ---- start ----

byId('storage-note').hidden = store.isPersistent;
addEventListener('hashchange', route);
await compose.loadDraft();
await strip.refresh();
await runner.resume();
await route();
document.documentElement.dataset.ready = 'true'; // for tests
await loadCapabilities();
watchServer();
