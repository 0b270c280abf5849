// SPDX-License-Identifier: Apache-2.0
// One job as a person sees it: the photo, what happens to it now, and what became of it.
import { BlobUrl, announce, byId, formatBytes, formatDuration, formatTime, make, setText } from './dom.js';
import { choiceOf } from './settings.js';
import { isEnded } from './store.js';

const SMOOTHED_ZOOM = 3; // screen pixels to one of a preview
const PROBLEM_HINTS = {
  nomem: 'The device ran out of memory. A smaller working size needs less.',
  worker_died: 'The program that ran it died, more than once.',
  corrupt: 'The photo can’t be decoded.',
};
const TITLES = {
  sending: 'Sending',
  queued: 'Waiting',
  running: 'Fixing',
  succeeded: 'Done',
  failed: 'This didn’t work',
  cancelled: 'Cancelled',
  lost: 'No longer on the server',
};

/** {text, part}: part is the fraction done, null while that can't be told. */
function phaseOf(record, live) {
  if (record.status === 'sending') {
    if (live.retryAt) {
      const seconds = Math.max(0, Math.ceil((live.retryAt - Date.now()) / 1000));
      return { text: `${live.retryReason}. Trying again in ${seconds} s`, part: null };
    }
    return live.upload > 0 && live.upload < 1
      ? { text: `Sending the photo, ${Math.round(live.upload * 100)} %`, part: live.upload }
      : { text: 'Sending the photo', part: null };
  }
  if (record.status === 'queued') {
    if (record.job?.auxiliary === 'auto' && record.job.auxiliary_prompt === null)
      return { text: 'A vision model looks at the photo', part: null };
    const { position } = live;
    return { text: position > 1 ? `Waiting, number ${position} in line` : 'Next in line', part: null };
  }
  if (live.isFetching) return { text: 'Loading the result', part: 1 };
  if (!live.step) return { text: 'Looking at the photo', part: null };
  if (live.step >= live.steps) return { text: 'Finishing', part: 1 };
  return { text: `Step ${live.step} of ${live.steps}`, part: live.step / live.steps };
}

function restOf(live) {
  if (!live.endsAt) return '';
  const left = live.endsAt - Date.now();
  return left > 1000 ? `about ${formatDuration(left)} left` : '';
}

export class JobView {
  #record = null;
  #live = null;
  #photo = new BlobUrl();
  #preview = new BlobUrl();
  #result = new BlobUrl();
  #shown = {}; // what the elements show, so that nothing is set twice
  #announced = '';

  constructor({ compare }) {
    this.compare = compare;
    setInterval(() => this.#record && !isEnded(this.#record) && this.#showProgress(), 1000);
  }

  get key() {
    return this.#record?.key ?? null;
  }

  /** Makes room for another job, or none. */
  close() {
    this.#record = this.#live = null;
    this.#shown = {};
    this.#announced = '';
    this.compare.close();
    for (const id of ['preview', 'result']) byId(id).hidden = true;
    byId('result').classList.remove('split');
    for (const url of [this.#photo, this.#preview, this.#result]) url.clear();
  }

  show(record, live) {
    if (this.key !== record.key) this.close();
    this.#record = record;
    this.#live = live;
    this.#showPhoto();
    this.#showPreview();
    this.#showResult();
    this.#showProgress();
    this.#showText();
    this.#showActions();
  }

  #showPhoto() {
    const { key, input, width, height, job } = this.#record;
    const image = job?.result?.images?.[0];
    const size = { width: width ?? image?.width ?? 4, height: height ?? image?.height ?? 3 };
    if (this.#shown.photo === key) return;
    this.#shown.photo = key;
    const frame = byId('frame');
    frame.hidden = false;
    for (const element of [frame, byId('stage-area')]) {
      element.style.setProperty('--w', size.width);
      element.style.setProperty('--h', size.height);
    }
    const photo = byId('photo');
    photo.hidden = !input;
    if (input) photo.src = this.#photo.set(input);
  }

  #showPreview() {
    const blob = isEnded(this.#record) ? null : (this.#live.preview ?? null);
    if (this.#shown.preview === blob) return;
    this.#shown.preview = blob;
    const preview = byId('preview');
    if (!blob) {
      preview.hidden = true;
      return;
    }
    const next = new Image();
    const old = this.#preview;
    this.#preview = new BlobUrl();
    next.src = this.#preview.set(blob);
    // Swapped when it is decoded, so that nothing flickers; a broken preview is left out.
    next
      .decode()
      .then(() => {
        if (this.#shown.preview !== blob) return;
        preview.src = next.src;
        // A preview of latent size is enlarged many times: its pixels are smoothed away.
        const zoom = byId('frame').clientWidth / next.naturalWidth;
        preview.style.filter = zoom > SMOOTHED_ZOOM ? `blur(${zoom / 2}px)` : '';
        preview.hidden = false;
      })
      .catch(() => {})
      .finally(() => old.clear());
  }

  #showResult() {
    const blob = this.#record.result ?? null;
    if (this.#shown.result === blob) return;
    this.#shown.result = blob;
    const result = byId('result');
    result.hidden = !blob;
    if (!blob) return this.compare.close();
    result.src = this.#result.set(blob);
    const link = byId('download');
    const base = (this.#record.name ?? 'photo').replace(/\.[^.]*$/, '');
    const format = this.#record.job?.result?.images?.[0]?.format ?? 'png';
    link.href = this.#result.value;
    link.download = `${base}-fixed.${format === 'jpeg' ? 'jpg' : format}`;
    if (!this.#record.input) return;
    const isNew = this.#live.isNew;
    this.#live.isNew = false;
    result
      .decode()
      .catch(() => {})
      .then(() => {
        if (this.#shown.result !== blob) return;
        result.classList.add('split');
        this.compare.open(isNew);
      });
  }

  #showProgress() {
    const isRunning = !isEnded(this.#record);
    byId('progress').hidden = !isRunning;
    byId('frame').classList.toggle('working', isRunning);
    if (!isRunning) {
      document.title = `${TITLES[this.#record.status]} · promptfix`;
      return;
    }
    const phase = phaseOf(this.#record, this.#live);
    setText(byId('progress-text'), phase.text);
    setText(byId('progress-rest'), this.#live.isConnected ? restOf(this.#live) : 'reconnecting…');
    const bar = byId('progress-bar');
    if (phase.part === null) bar.removeAttribute('value');
    else bar.value = phase.part;
    const short = phase.part > 0 && phase.part < 1 ? `${Math.round(phase.part * 100)} %` : TITLES[this.#record.status];
    document.title = `${short} · promptfix`;
    this.#announceProgress(phase);
  }

  /** Steps are too many to be read out: quarters are told, and every other change of phase. */
  #announceProgress({ text, part }) {
    const isStepping = this.#record.status === 'running' && part > 0 && part < 1;
    const told = isStepping ? `${Math.floor(part * 4) * 25} % done` : text.replace(/ in \d+ s$/, '').replace(/, \d+ %$/, '');
    if (told === this.#announced || told === '0 % done') return;
    this.#announced = told;
    announce(told);
  }

  #showText() {
    const record = this.#record;
    const { job, status } = record;
    setText(byId('job-title'), TITLES[status]);
    setText(byId('job-instruction'), record.instruction || 'No instruction');
    const error = status === 'failed' ? (job?.error ?? record.error) : null;
    byId('job-error').hidden = !error && status !== 'lost';
    if (error) {
      const field = error.field && !error.message.startsWith(error.field) ? `${error.field}: ` : '';
      const hint = PROBLEM_HINTS[error.code];
      setText(byId('job-error'), `${field}${error.message}${hint ? ` — ${hint}` : ''}`);
    } else if (status === 'lost') {
      setText(byId('job-error'), 'Its time there was over, or it was deleted.');
    } else if (status === 'succeeded' && !record.result) {
      byId('job-error').hidden = false;
      setText(byId('job-error'), 'The server no longer has the result.');
    }
    const notice = isEnded(record) ? '' : (this.#live.notice ?? '');
    byId('job-notice').hidden = !notice;
    setText(byId('job-notice'), notice ? `Started again: ${notice}` : '');
    this.#showFacts();
    if (isEnded(record) && this.#announced !== status) {
      this.#announced = status;
      announce(error ? `${TITLES[status]}: ${error.message}` : TITLES[status]);
    }
  }

  #showFacts() {
    const { job, created, fields, status } = this.#record;
    const image = job?.result?.images?.[0];
    const run = job?.timings?.sample_ms;
    const took = job?.finished_at ? Date.parse(job.finished_at) - Date.parse(job.created_at) : null;
    const facts = [
      ['Sent', formatTime(created)],
      took === null ? null : ['Took', describeTime(took, run)],
      image ? ['Result', `${image.width} × ${image.height} ${image.format.toUpperCase()}, ${formatBytes(image.bytes)}`] : null,
      job?.attempts > 1 ? ['Attempts', String(job.attempts)] : null,
      job?.auxiliary_prompt ? ['About the photo', job.auxiliary_prompt] : null,
      describeLog(job?.auxiliary_log),
      job ? ['Settings', describe(job.parameters)] : null,
      job?.model ? ['Model', job.model] : null,
    ].filter(Boolean);
    const text = JSON.stringify([facts, fields, status]);
    if (this.#shown.facts === text) return;
    this.#shown.facts = text;
    byId('job-facts').replaceChildren(...facts.map(([name, value]) => make('div', {}, make('dt', {}, name), make('dd', {}, value))));
  }

  #showActions() {
    const { input, result } = this.#record;
    const ended = isEnded(this.#record);
    byId('download').hidden = !result;
    byId('continue').hidden = !result;
    byId('again').hidden = !ended || !input;
    byId('again').classList.toggle('primary', ended && !result);
    byId('remove').hidden = !ended;
    byId('cancel').hidden = ended;
    byId('result-tools').hidden = !ended;
    byId('job-actions').hidden = !ended;
  }
}

function describeTime(took, run) {
  const whole = formatDuration(took);
  const steps = formatDuration(run ?? took);
  return steps === whole ? whole : `${whole}, ${steps} of it in steps`;
}

/** The vision model's part, when it didn't do all of it. */
function describeLog(log) {
  const texts = { partial: 'Answered in part', failed: 'Gave no answer' };
  return texts[log?.outcome] ? ['Vision model', texts[log.outcome]] : null;
}

function describe(parameters) {
  const { steps, text_scale: text, image_scale: image, sampler, seed } = parameters;
  return `${steps} steps, ${choiceOf(sampler)}, scales ${text} and ${image}, seed ${seed}`;
}
