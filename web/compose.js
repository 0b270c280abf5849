// SPDX-License-Identifier: Apache-2.0
// The form: photo, instruction, mask, settings, and what is wrong with them.
import { BlobUrl, announce, byId, formatBytes, setText } from './dom.js';
import { Mask } from './mask.js';
import { MaskTools } from './mask_tools.js';
import { PhotoError, imageOf, readPhoto } from './photo.js';
import { Settings } from './settings.js';

const DRAFT_DELAY_MS = 400;

/** The seven trained tasks. [thing] is selected, to be typed over. */
const EXAMPLES = {
  colorize: { text: 'Colorize this photo' },
  object: { text: 'Remove the [person] from the photo', settings: { steps: 50 } },
  haze: { text: 'Remove the haze' },
  blur: { text: 'Make the blurred photo sharp' },
  watermark: { text: 'Remove the watermark' },
  snow: { text: 'Remove the snow from the air' },
  light: { text: 'Brighten this dark photo' },
};

export class Compose {
  #photo = null;
  #url = new BlobUrl();
  #mask = new Mask();
  #limits = null;
  #draftTimer = 0;
  #isVisible = true;

  constructor(store, { onSubmit }) {
    this.store = store;
    this.settings = new Settings();
    this.maskTools = new MaskTools({ onDone: () => this.#closeMask() });
    this.instruction = byId('instruction');
    this.auxiliary = byId('auxiliary-prompt');
    byId('compose').addEventListener('submit', (event) => {
      event.preventDefault();
      onSubmit();
    });
    this.#listenPhoto();
    this.#listenText();
    byId('mask-open').addEventListener('click', () => this.#openMask());
    addEventListener('pagehide', () => this.#draftTimer && this.#putDraft());
  }

  // ---- photo ----

  #listenPhoto() {
    const input = byId('file');
    for (const id of ['choose', 'replace']) byId(id).addEventListener('click', () => input.click());
    input.addEventListener('change', () => {
      if (input.files[0]) this.take(input.files[0]);
      input.value = '';
    });
    byId('discard').addEventListener('click', () => {
      this.setPhoto(null);
      byId('choose').focus();
    });
    byId('sample').addEventListener('click', () => this.#takeSample());
    document.addEventListener('paste', (event) => {
      const file = imageOf(event.clipboardData);
      if (!file) return;
      event.preventDefault();
      this.onForeignPhoto?.();
      this.take(file);
    });
    this.#listenDrop();
  }

  #listenDrop() {
    const isFile = (event) => event.dataTransfer?.types.includes('Files');
    let depth = 0; // of dragenter without its dragleave
    const show = (isOn) => document.body.classList.toggle('dropping', isOn);
    addEventListener('dragenter', (event) => {
      if (!isFile(event)) return;
      depth++;
      show(true);
    });
    addEventListener('dragleave', (event) => {
      if (isFile(event)) show(--depth > 0);
    });
    addEventListener('dragover', (event) => isFile(event) && event.preventDefault());
    addEventListener('drop', (event) => {
      if (!isFile(event)) return;
      event.preventDefault();
      depth = 0;
      show(false);
      const file = imageOf(event.dataTransfer);
      if (!file) return;
      this.onForeignPhoto?.();
      this.take(file);
    });
  }

  /** Reads a file a person gave. */
  async take(file) {
    this.#showPhotoError('');
    try {
      const photo = await readPhoto(file, this.#limits);
      this.setPhoto(photo);
      announce(`Photo ${photo.name}, ${photo.width} by ${photo.height} pixels`);
      // On a touch screen the keyboard would cover the photo.
      if (matchMedia('(hover: hover)').matches) this.instruction.focus({ preventScroll: true });
    } catch (error) {
      if (!(error instanceof PhotoError)) throw error;
      this.#showPhotoError(error.message);
    }
  }

  async #takeSample() {
    try {
      const answer = await fetch(byId('sample').dataset.src);
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      await this.take(new File([await answer.blob()], 'sample.jpg'));
    } catch {
      this.#showPhotoError('The sample can’t be fetched now.');
      return;
    }
    if (this.instruction.value.trim()) return;
    this.instruction.value = EXAMPLES.haze.text;
    this.instruction.dispatchEvent(new Event('input'));
  }

  /** photo: as from readPhoto(), or null. A new photo has no mask. */
  setPhoto(photo, marks = []) {
    this.#photo = photo;
    this.#mask = new Mask(marks);
    this.#mask.addEventListener('change', () => {
      this.#showMaskState();
      this.#showFieldError('mask', '');
      this.#saveDraft();
    });
    if (this.maskTools.isOpen) this.#closeMask();
    this.#showPhotoError('');
    this.show();
    this.#saveDraft();
  }

  #showPhotoError(message) {
    const error = byId('photo-error');
    error.hidden = !message;
    setText(error, message);
  }

  show() {
    if (!this.#isVisible) return;
    const photo = this.#photo;
    byId('empty').hidden = photo !== null;
    byId('frame').hidden = byId('photo-tools').hidden = photo === null;
    byId('frame').classList.remove('working');
    byId('stage').classList.toggle('is-empty', photo === null);
    if (photo) this.#showFrame(photo);
    this.#showMaskState();
  }

  #showFrame(photo) {
    for (const element of [byId('frame'), byId('stage-area')]) {
      element.style.setProperty('--w', photo.width);
      element.style.setProperty('--h', photo.height);
    }
    const image = byId('photo');
    image.hidden = false;
    image.src = this.#url.set(photo.blob);
    const size = `${photo.width} × ${photo.height} · ${formatBytes(photo.blob.size)}`;
    setText(byId('photo-facts'), photo.note ? `${size} · ${photo.note}` : size);
    this.maskTools.attach(this.#mask, photo.width, photo.height);
  }

  /** The stage belongs to a job meanwhile. */
  hide() {
    this.#isVisible = false;
    if (this.maskTools.isOpen) this.#closeMask();
    byId('mask-canvas').hidden = true;
    byId('photo-tools').hidden = byId('empty').hidden = true;
    byId('stage').classList.remove('is-empty');
    this.#url.clear();
  }
  reveal() {
    this.#isVisible = true;
    byId('mask-canvas').hidden = false;
    document.title = 'promptfix';
    this.show();
  }

  // ---- mask ----

  #openMask() {
    this.#showPhotoError('');
    byId('photo-tools').hidden = true;
    this.maskTools.open();
    announce('Drawing the mask. Arrow keys move the brush, Space puts it down and lifts it, Escape ends.');
  }
  #closeMask() {
    this.maskTools.close();
    byId('photo-tools').hidden = !this.#photo || !this.#isVisible;
    byId('mask-open').focus({ preventScroll: true });
  }
  #showMaskState() {
    setText(byId('mask-open-label'), this.#mask.isEmpty ? 'Mark an area' : 'Change the marked area');
    byId('mask-note').hidden = this.#mask.isEmpty;
  }

  // ---- text ----

  #listenText() {
    const { instruction } = this;
    instruction.addEventListener('input', () => {
      this.#showFieldError('instruction', '');
      this.#fitInstruction();
      this.#saveDraft();
    });
    this.auxiliary.addEventListener('input', () => {
      this.#showFieldError('auxiliary_prompt', '');
      this.#saveDraft();
    });
    byId('auxiliary-auto').addEventListener('change', () => this.#showFieldError('auxiliary', ''));
    byId('examples').addEventListener('click', (event) => {
      const button = event.target.closest('button');
      if (button) this.#useExample(EXAMPLES[button.dataset.example]);
    });
    const submit = (event) => {
      if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      byId('compose').requestSubmit();
    };
    byId('compose').addEventListener('keydown', submit);
  }

  #useExample({ text, settings = {} }) {
    const { instruction } = this;
    const from = text.indexOf('[');
    const to = text.indexOf(']');
    instruction.value = text.replace(/[[\]]/g, '');
    instruction.dispatchEvent(new Event('input'));
    this.settings.suggest(settings);
    instruction.focus();
    if (from >= 0) instruction.setSelectionRange(from, to - 1);
  }

  #fitInstruction() {
    const { style } = this.instruction;
    style.height = 'auto';
    style.height = `${this.instruction.scrollHeight + 2}px`;
  }

  // ---- all of it ----

  /** From GET /v1/capabilities. */
  setCapabilities(capabilities) {
    this.#limits = capabilities.limits ?? null;
    this.settings.build(capabilities.parameters ?? []);
    const characters = this.#limits?.instruction_characters;
    if (characters) this.instruction.maxLength = this.auxiliary.maxLength = characters;
    byId('auxiliary-auto-row').hidden = !capabilities.auxiliary?.includes('auto');
    const bytes = this.#limits?.body_bytes;
    setText(byId('limits'), `PNG, JPEG or WebP${bytes ? `, up to ${formatBytes(bytes).replace('.0', '')}` : ''}`);
  }

  get #isAuto() {
    return byId('auxiliary-auto').checked && !byId('auxiliary-auto-row').hidden;
  }

  /** The form as a record's members, or null after having shown what is missing. */
  async collect() {
    this.clearErrors();
    const instruction = this.instruction.value.trim();
    const prompt = this.auxiliary.value.trim();
    if (!this.#photo) {
      this.#showPhotoError('Choose a photo first.');
      byId('choose').focus();
      return null;
    }
    if (!instruction && !prompt && !this.#isAuto) {
      this.#fail('instruction', 'Say what should change.');
      return null;
    }
    const wrong = this.settings.check();
    if (wrong) {
      this.settings.focus(wrong);
      return null;
    }
    const fields = this.settings.fields;
    if (prompt) fields.push(['auxiliary_prompt', prompt]);
    if (this.#isAuto) fields.push(['auxiliary', 'auto']);
    const { blob, name, width, height, thumb } = this.#photo;
    let mask = null;
    try {
      if (!this.#mask.isEmpty) mask = await this.#mask.toBlob(width, height);
    } catch (error) {
      this.#fail('mask', error.message);
      return null;
    }
    return { instruction, fields, input: blob, name, width, height, thumb, mask, marks: this.#mask.marks };
  }

  clearErrors() {
    byId('form-error').hidden = true;
    this.#showPhotoError('');
    for (const name of ['instruction', 'auxiliary_prompt', 'auxiliary', 'mask']) this.#showFieldError(name, '');
  }

  #showFieldError(name, message) {
    const error = byId(`${name.replaceAll('_', '-')}-error`);
    error.hidden = !message;
    setText(error, message);
    const input = { instruction: this.instruction, auxiliary_prompt: this.auxiliary }[name];
    input?.setAttribute('aria-invalid', message ? 'true' : 'false');
  }

  #fail(name, message) {
    this.#showFieldError(name, message);
    if (name === 'instruction') this.instruction.focus();
    if (name === 'mask') byId('mask-open').focus();
    if (name.startsWith('auxiliary')) {
      byId('auxiliary').open = true;
      this.auxiliary.focus();
    }
  }

  /** Shows what the server refused, at the field it named. */
  showError({ message, field }) {
    if (field === 'image') this.#showPhotoError(message);
    else if (['instruction', 'auxiliary_prompt', 'auxiliary', 'mask'].includes(field)) this.#fail(field, message);
    else if (field && this.settings.has(field)) {
      this.settings.focus(field);
      this.settings.showError(field, message);
    }
    byId('form-error').hidden = false;
    setText(byId('form-error-text'), field && !message.startsWith(field) ? `${field}: ${message}` : message);
  }

  /** Fills the form: a draft, or an earlier job to be changed. */
  fill({ input, name, width, height, thumb, instruction, fields, marks, note = '' }) {
    this.instruction.value = instruction ?? '';
    this.auxiliary.value = fields?.find(([field]) => field === 'auxiliary_prompt')?.[1] ?? '';
    byId('auxiliary').open = this.auxiliary.value !== '';
    byId('auxiliary-auto').checked = fields?.some(([field]) => field === 'auxiliary') ?? false;
    if (fields) this.settings.restore(fields);
    this.setPhoto(input ? { blob: input, name, width, height, thumb, note } : null, marks);
    this.#fitInstruction();
  }

  #saveDraft() {
    clearTimeout(this.#draftTimer);
    this.#draftTimer = setTimeout(() => this.#putDraft(), DRAFT_DELAY_MS);
  }

  #putDraft() {
    clearTimeout(this.#draftTimer);
    this.#draftTimer = 0;
    const { blob = null, name, width, height, thumb, note } = this.#photo ?? {};
    this.store.putDraft({
      input: blob,
      name,
      width,
      height,
      thumb,
      note,
      instruction: this.instruction.value,
      prompt: this.auxiliary.value,
      marks: this.#mask.marks,
    });
  }

  /** Puts back what was there before a reload. */
  async loadDraft() {
    const draft = await this.store.getDraft().catch(() => null);
    if (!draft) return;
    this.fill(draft);
    this.auxiliary.value = draft.prompt ?? '';
    byId('auxiliary').open = this.auxiliary.value !== '';
  }
}
