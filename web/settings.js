// SPDX-License-Identifier: Apache-2.0
// The advanced settings: built from the server's capabilities, so that names, ranges, defaults and texts are
// stated in one place, the server's. An empty field means the server's default and is not sent.
import { byId, make, icon, memory } from './dom.js';

/** Names for people, and the order. Parameters the page doesn't know come last, under their own names. */
const GROUPS = [
  ['Quality', ['steps', 'resolution', 'previews', 'previews_decoded']],
  ['Strength', ['text_scale', 'image_scale']],
  ['Detail', ['guidance', 'guidance_region', 'guidance_rate', 'guidance_updates']],
  ['Sampling', ['sampler', 'seed']],
  ['File', ['output_format', 'output_quality']],
];
const LABELS = {
  steps: 'Steps',
  resolution: 'Working size',
  previews: 'Live previews',
  previews_decoded: 'Previews decoded',
  text_scale: 'Follow the instruction',
  image_scale: 'Stay close to the photo',
  guidance: 'Detail guidance',
  guidance_region: 'Left out of it',
  guidance_rate: 'Guidance rate',
  guidance_updates: 'Updates a step',
  sampler: 'Sampler',
  seed: 'Seed',
  output_format: 'Format',
  output_quality: 'Quality',
};
const CHOICES = {
  euler_ancestral: 'Euler ancestral',
  euler: 'Euler',
  ddim: 'DDIM',
  dpmpp_2m: 'DPM++ 2M',
  off: 'Off',
  decoder: 'Decoder',
  latent: 'Latent',
  none: 'Nothing',
  mask: 'The marked area',
  auto: 'What changes',
  png: 'PNG',
  jpeg: 'JPEG',
  webp: 'WebP',
};
/** A page that shows progress wants some; the API's default is none. */
const PREVIEWS_DEFAULT = 8;

const labelOf = (name) => LABELS[name] ?? name.replaceAll('_', ' ').replace(/^./, (c) => c.toUpperCase());
export const choiceOf = (name) => CHOICES[name] ?? name;

function expected({ type, minimum, maximum }) {
  const kind = type === 'integer' ? 'a whole number' : 'a number';
  return `Expected ${kind} from ${minimum} to ${maximum}.`;
}

export class Settings {
  #inputs = new Map(); // name → element
  #parameters = [];
  #values = memory.get('settings', {});
  #suggested = {};

  constructor() {
    this.root = byId('settings-fields');
    byId('settings-reset').addEventListener('click', () => this.reset());
  }

  /** parameters: of GET /v1/capabilities. */
  build(parameters) {
    this.#parameters = parameters;
    this.#inputs.clear();
    const left = new Map(parameters.map((parameter) => [parameter.name, parameter]));
    const groups = GROUPS.map(([title, names]) => [title, names.filter((name) => left.has(name))]);
    const known = new Set(groups.flatMap(([, names]) => names));
    groups.push(['Other', parameters.map(({ name }) => name).filter((name) => !known.has(name))]);
    this.root.replaceChildren(
      ...groups
        .filter(([, names]) => names.length > 0)
        .map(([title, names]) =>
          make('fieldset', {}, make('legend', {}, title), ...names.map((name) => this.#field(left.get(name)))),
        ),
    );
    this.#showChanged();
  }

  #field(parameter) {
    const { name, type } = parameter;
    const id = `set-${name}`;
    const input = type === 'choice' ? this.#select(parameter, id) : this.#number(parameter, id);
    input.value = this.#values[name] ?? '';
    input.addEventListener('input', () => this.#onInput(name, input.value));
    this.#inputs.set(name, input);
    return make(
      'div',
      { class: 'setting', 'data-field': name },
      make('label', { for: id }, labelOf(name)),
      make('div', { class: 'control' }, input, name === 'seed' ? this.#dice(input) : null),
      make('p', { class: 'hint', id: `${id}-hint` }, parameter.description ?? ''),
      make('p', { class: 'field-error', id: `${id}-error`, hidden: true }),
    );
  }

  #select({ default: value, choices }, id) {
    return make(
      'select',
      { id, 'aria-describedby': `${id}-hint ${id}-error` },
      make('option', { value: '' }, `Default (${choiceOf(value)})`),
      ...choices.map((choice) => make('option', { value: choice }, choiceOf(choice))),
    );
  }

  #number({ name, type, default: value, minimum, maximum }, id) {
    return make('input', {
      id,
      type: 'number',
      inputmode: type === 'integer' ? 'numeric' : 'decimal',
      min: String(minimum),
      max: String(maximum),
      step: type === 'integer' ? '1' : 'any',
      placeholder: String(name === 'previews' ? Math.min(PREVIEWS_DEFAULT, maximum) : value),
      'aria-describedby': `${id}-hint ${id}-error`,
    });
  }

  #dice(input) {
    const roll = () => {
      input.value = crypto.getRandomValues(new Uint32Array(1))[0];
      this.#onInput('seed', input.value);
    };
    return make('button', { type: 'button', class: 'square', 'aria-label': 'Random seed', onclick: roll }, icon('dice'));
  }

  #onInput(name, value) {
    delete this.#suggested[name];
    if (value === '') delete this.#values[name];
    else this.#values[name] = value;
    this.showError(name, '');
    this.#save();
  }

  #save() {
    const own = Object.entries(this.#values).filter(([name]) => !(name in this.#suggested));
    memory.set('settings', own.length > 0 ? Object.fromEntries(own) : null);
    this.#showChanged();
  }

  #showChanged() {
    const count = Object.keys(this.#values).filter((name) => this.#inputs.has(name)).length;
    byId('settings-count').hidden = byId('settings-reset').hidden = count === 0;
    byId('settings-count').textContent = `${count} changed`;
  }

  /** What an example wants, unless the person has said otherwise; the next example takes it back. */
  suggest(values) {
    for (const name of Object.keys(this.#suggested)) this.#put(name, '');
    this.#suggested = {};
    for (const [name, value] of Object.entries(values)) {
      if (this.#values[name] !== undefined || !this.#inputs.has(name)) continue;
      this.#put(name, String(value));
      this.#suggested[name] = value;
    }
    this.#save();
  }

  #put(name, value) {
    if (value === '') delete this.#values[name];
    else this.#values[name] = value;
    const input = this.#inputs.get(name);
    if (input) input.value = value;
  }

  reset() {
    this.#suggested = {};
    for (const name of this.#inputs.keys()) {
      this.#put(name, '');
      this.showError(name, '');
    }
    this.#save();
  }

  /** Puts the values of an earlier job back. */
  restore(fields) {
    this.reset();
    const isOwn = ([name, value]) => this.#inputs.has(name) && !(name === 'previews' && value === this.#previews);
    for (const [name, value] of fields.filter(isOwn)) this.#put(name, value);
    this.#save();
  }

  /** Marks the fields that can't be right; the name of the first one, or null. */
  check() {
    let first = null;
    for (const [name, input] of this.#inputs) {
      const isBad = !input.validity.valid;
      const parameter = this.#parameters.find((each) => each.name === name);
      this.showError(name, isBad ? expected(parameter) : '');
      if (isBad) first ??= name;
    }
    return first;
  }

  has(name) {
    return this.#inputs.has(name);
  }

  showError(name, message) {
    const input = this.#inputs.get(name);
    if (!input) return;
    const error = byId(`set-${name}-error`);
    error.textContent = message;
    error.hidden = !message;
    input.setAttribute('aria-invalid', message ? 'true' : 'false');
  }

  focus(name) {
    byId('settings').open = true;
    this.#inputs.get(name)?.focus();
  }

  /** [[name, value], …] of what is to be sent. */
  get fields() {
    const fields = [...this.#inputs].filter(([, input]) => input.value !== '').map(([name, input]) => [name, input.value]);
    if (this.#previews && !fields.some(([name]) => name === 'previews')) fields.push(['previews', this.#previews]);
    return fields;
  }

  /** What is sent when the field is empty; null when the server knows no previews. */
  get #previews() {
    const previews = this.#parameters.find(({ name }) => name === 'previews');
    return previews ? String(Math.min(PREVIEWS_DEFAULT, previews.maximum)) : null;
  }
}
