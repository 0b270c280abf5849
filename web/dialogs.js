// SPDX-License-Identifier: Apache-2.0
import { getKey, setKey } from './api.js';
import { byId } from './dom.js';

let asking = null;

/** Asks for the API key, once however many ask at a time. Resolves to whether one was given. */
export function askKey({ isWrong = false } = {}) {
  asking ??= new Promise((resolve) => {
    const dialog = byId('key-dialog');
    const input = byId('key-input');
    byId('key-wrong').hidden = !isWrong;
    byId('key-forget').hidden = !getKey();
    input.value = '';
    dialog.returnValue = '';
    dialog.addEventListener(
      'close',
      () => {
        asking = null;
        if (dialog.returnValue === 'forget') setKey(null, false);
        const isGiven = dialog.returnValue === 'use' && input.value.trim() !== '';
        if (isGiven) setKey(input.value.trim(), byId('key-remember').checked);
        input.value = '';
        resolve(isGiven);
      },
      { once: true },
    );
    dialog.showModal();
  });
  return asking;
}

/** Resolves to whether the person agrees. */
export function confirmClear() {
  return new Promise((resolve) => {
    const dialog = byId('clear-dialog');
    dialog.returnValue = '';
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'clear'), { once: true });
    dialog.showModal();
  });
}
