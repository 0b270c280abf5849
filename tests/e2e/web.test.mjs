// SPDX-License-Identifier: Apache-2.0
// The web page in Chromium against promptfixd with the fake worker, whose script is in the instructions.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { PROMPTFIXD, Service, poll } from './service.mjs';
import { KEY, MODEL, Vlm, completion, kind } from './vlm.mjs';
import { NO_BROWSER, PATIENCE_MS, PHONE, choose, finished, launch, maskOf, openPage, photo, ready, records, submit } from './web_page.mjs';

const RUNS = 2; // of the worker at a time

const text = (page, id) => page.textContent(`#${id}`);

describe('web page', { skip: NO_BROWSER }, () => {
  let service, browser, page;
  before(async () => {
    service = await Service.start({ fake: ['step-ms=5'], args: ['--max-runs', String(RUNS)] });
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await service?.stop();
  });

  // A scene that failed must not hold up the others.
  afterEach(async () => {
    await page?.context().close();
    for (const status of ['queued', 'running']) {
      const { data } = await (await service.fetch(`/v1/jobs?limit=200&status=${status}`)).json();
      for (const { id } of data) await service.fetch(`/v1/jobs/${id}/cancel`, { method: 'POST' });
    }
  });

  const open = async (options) => (page = await openPage(browser, service.url, options));
  /** A test with a page of its own, which must not have had any trouble. */
  const scene = (name, run, options) => test(name, { timeout: 120000 }, async () => {
    await open(options);
    await run();
    assert.deepEqual(page.problems, []);
  });

  // ---- the way of a photo ----

  scene('a photo goes in, steps and previews show, the result is compared and downloaded', async () => {
    await page.evaluate(() => {
      window.seen = [];
      const bar = document.getElementById('progress-text');
      new MutationObserver(() => window.seen.push(bar.textContent)).observe(bar, { childList: true });
    });
    const image = await choose(page);
    await page.click('[data-example=haze]');
    assert.equal(await page.inputValue('#instruction'), 'Remove the haze');
    await page.fill('#instruction', 'Remove the haze step-ms=300');
    await page.click('#submit');
    await page.waitForSelector('#preview:not([hidden])');
    assert.equal(await page.evaluate(() => document.getElementById('preview').naturalWidth), 1);
    await finished(page);
    const seen = await page.evaluate(() => window.seen);
    const steps = seen.map((line) => /^Step (\d+) of 20$/.exec(line)?.[1]).filter(Boolean).map(Number);
    assert.ok(steps.length >= 8, `steps shown: ${steps}`);
    assert.deepEqual(steps, [...steps].sort((a, b) => a - b));

    await page.waitForSelector('#compare:not([hidden])');
    assert.equal(await page.title(), 'Done · promptfix');
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download')]);
    assert.equal(download.suggestedFilename(), 'garden-fixed.png');
    assert.deepEqual(fs.readFileSync(await download.path()), image.buffer);

    const [record] = await records(page);
    const job = await service.job(record.id);
    assert.equal(job.instruction, 'Remove the haze step-ms=300');
    assert.equal(job.parameters.previews, 8);
    const said = await page.evaluate(() => window.said);
    for (const part of ['50 % done', 'Done']) assert.ok(said.includes(part), `${part} in ${said}`);
    assert.ok(said.length < 15, `not every step is read out: ${said}`);
  });

  scene('the line between before and after is moved by keys and by pointer', async () => {
    await submit(page, 'Sharpen it');
    await finished(page);
    const range = page.locator('#compare-range');
    const split = () => page.evaluate(() => getComputedStyle(document.getElementById('frame')).getPropertyValue('--split'));
    await page.waitForFunction(() => document.getElementById('compare-range').value === '50');
    await range.focus();
    await range.press('ArrowRight');
    assert.equal(await split(), '51%');
    assert.equal(await range.getAttribute('aria-valuetext'), '51 % before, 49 % after');
    await range.press('Home');
    assert.equal(await split(), '0%');
    const box = await page.locator('#frame').boundingBox();
    await page.mouse.move(box.x + box.width * 0.2, box.y + 20);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.75, box.y + 40, { steps: 5 });
    await page.mouse.up();
    assert.ok(Math.abs(parseFloat(await split()) - 75) < 1);
    const clip = await page.evaluate(() => getComputedStyle(document.getElementById('result')).clipPath);
    assert.match(clip, /inset\(0(px)? 0(px)? 0(px)? 7[45]/);
  }, { context: { reducedMotion: 'reduce' } });

  scene('the settings are the server’s, and what is set is sent', async () => {
    const capabilities = await (await service.fetch('/v1/capabilities')).json();
    await page.click('#settings summary');
    for (const { name, minimum, maximum, default: value } of capabilities.parameters) {
      const input = page.locator(`#set-${name}`);
      assert.equal(await input.count(), 1, name);
      if (minimum === undefined) continue;
      assert.equal(await input.getAttribute('min'), String(minimum));
      assert.equal(await input.getAttribute('max'), String(maximum));
      if (name !== 'previews') assert.equal(await input.getAttribute('placeholder'), String(value));
    }
    await page.fill('#set-steps', '7');
    await page.fill('#set-text_scale', '3.25');
    await page.selectOption('#set-sampler', 'dpmpp_2m');
    await page.selectOption('#set-guidance', 'off');
    await page.click('[aria-label="Random seed"]');
    const seed = Number(await page.inputValue('#set-seed'));
    assert.equal(await text(page, 'settings-count'), '5 changed');
    await page.click('#auxiliary summary');
    await page.fill('#auxiliary-prompt', 'A garden in haze');
    await submit(page, 'Remove the haze');
    await finished(page);
    const [record] = await records(page);
    const { parameters, auxiliary_prompt: prompt } = await service.job(record.id);
    assert.deepEqual([parameters.steps, parameters.text_scale, parameters.sampler, parameters.guidance, parameters.seed, prompt],
      [7, 3.25, 'dpmpp_2m', 'off', seed, 'A garden in haze']);
    assert.equal(parameters.image_scale, 1.25);

    await page.reload();
    await ready(page);
    await page.goto(service.url + '/#/');
    assert.equal(await page.inputValue('#set-steps'), '7', 'kept over a reload');
    await page.click('#settings summary');
    await page.click('#settings-reset');
    assert.equal(await page.inputValue('#set-steps'), '');
  });

  scene('an example may suggest settings, a person’s own stay', async () => {
    await page.click('[data-example=object]');
    assert.equal(await page.inputValue('#set-steps'), '50');
    assert.equal(await page.evaluate(() => getSelection().toString()), 'person');
    await page.click('[data-example=haze]');
    assert.equal(await page.inputValue('#set-steps'), '');
    await page.click('#settings summary');
    await page.fill('#set-steps', '30');
    await page.click('[data-example=object]');
    assert.equal(await page.inputValue('#set-steps'), '30');
  });

  // ---- ways in ----

  scene('photos are taken by drop and by paste, and other formats are converted', async () => {
    const { buffer } = await photo(page, { width: 90, height: 60 });
    const give = (type, base64, name, mime) => page.evaluate(([event, data, fileName, fileType]) => {
      const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
      const transfer = new DataTransfer();
      transfer.items.add(new File([bytes], fileName, { type: fileType }));
      if (event === 'paste') return document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: transfer, bubbles: true }));
      for (const each of ['dragenter', 'dragover', 'drop'])
        document.body.dispatchEvent(new DragEvent(each, { dataTransfer: transfer, bubbles: true, cancelable: true }));
    }, [type, base64, name, mime]);
    const facts = (start) => page.waitForFunction((wanted) => document.getElementById('photo-facts').textContent.startsWith(wanted), start);

    await give('drop', buffer.toString('base64'), 'a.png', 'image/png');
    await facts('90 × 60 ·');
    assert.ok(await page.isHidden('.drop-cover'));
    const second = await photo(page, { width: 50, height: 40, type: 'image/webp' });
    await give('paste', second.buffer.toString('base64'), 'image.webp', 'image/webp');
    await facts('50 × 40 ·');
    await give('paste', 'R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'dot.gif', 'image/gif');
    await facts('1 × 1 ·');
    assert.match(await text(page, 'photo-facts'), /Converted to PNG/);

    await page.setInputFiles('#file', { name: 'letter.txt', mimeType: 'text/plain', buffer: Buffer.from('hello') });
    await page.waitForSelector('#photo-error:not([hidden])');
    assert.match(await text(page, 'photo-error'), /isn’t a photo/);
    await page.setInputFiles('#file', { name: 'broken.png', mimeType: 'image/png', buffer: buffer.subarray(0, 30) });
    await page.waitForFunction(() => document.getElementById('photo-error').textContent.includes('damaged'));
  });

  scene('who has no photo takes the sample, with what is wrong with it', async () => {
    await page.click('#sample');
    await page.waitForSelector('#photo-tools:not([hidden])');
    assert.match(await page.textContent('#photo-facts'), /^600 × 400/);
    assert.equal(await page.inputValue('#instruction'), 'Remove the haze');
    await page.click('#submit');
    await finished(page);
    // What a person wrote stays.
    await page.click('#new');
    await page.fill('#instruction', 'Make it warmer');
    await page.click('#sample');
    await page.waitForSelector('#photo-tools:not([hidden])');
    assert.equal(await page.inputValue('#instruction'), 'Make it warmer');
  });

  scene('the draft outlives a reload', async () => {
    await choose(page);
    await page.fill('#instruction', 'Remove the snow');
    const isKept = () => page.evaluate(() => new Promise((resolve) => {
      const open = indexedDB.open('promptfix', 1);
      open.onsuccess = () => {
        const get = open.result.transaction('drafts').objectStore('drafts').get('draft');
        get.onsuccess = () => { open.result.close(); resolve(get.result?.instruction === 'Remove the snow'); };
      };
    }));
    await poll(isKept);
    await page.reload();
    await ready(page);
    assert.equal(await page.inputValue('#instruction'), 'Remove the snow');
    assert.match(await text(page, 'photo-facts'), /^160 × 120/);
  });

  // ---- the mask ----

  scene('a mask is drawn by pointer, erased, undone, and sent in the photo’s size', async () => {
    await choose(page, await photo(page, { width: 300, height: 200 }));
    await page.click('#mask-open');
    const box = await page.locator('#mask-canvas').boundingBox();
    const stroke = async (...points) => {
      const [first, ...rest] = points.map(([x, y]) => [box.x + x * box.width, box.y + y * box.height]);
      await page.mouse.move(...first);
      await page.mouse.down();
      for (const point of rest) await page.mouse.move(...point, { steps: 4 });
      await page.mouse.up();
    };
    await stroke([0.2, 0.5], [0.8, 0.5]);
    await stroke([0.5, 0.1], [0.5, 0.2]);
    await page.click('#mask-undo');
    await page.check('#mask-erase');
    await stroke([0.6, 0.5], [0.9, 0.5]);
    await page.click('#mask-done');
    assert.ok(await page.isVisible('#mask-note'));
    await page.fill('#instruction', 'Remove the fence');
    await page.click('#submit');
    await finished(page);
    const mask = await maskOf(page, [[0.3, 0.5], [0.45, 0.5], [0.7, 0.5], [0.5, 0.15], [0.05, 0.05]]);
    assert.deepEqual(mask, { type: 'image/png', width: 300, height: 200, greys: [255, 255, 0, 0, 0] });
  });

  scene('a mask is drawn by keys alone, and by numbers', async () => {
    await choose(page);
    await page.focus('#mask-open');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'mask-canvas');
    await page.keyboard.press('Space');
    for (let i = 0; i < 10; i++) await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Space');
    for (let i = 0; i < 12; i++) await page.keyboard.press('ArrowDown');
    const said = await page.evaluate(() => window.said);
    assert.ok(said.includes('Marking: move with the arrow keys'), String(said));
    assert.equal(said.at(-1), '70 % from the left, 74 % from the top');

    await page.click('.numbers summary');
    await page.fill('#mask-box-left', '0');
    await page.fill('#mask-box-top', '101');
    await page.click('#mask-add-box');
    assert.ok(await page.isVisible('#mask-box-error'));
    await page.fill('#mask-box-top', '0');
    await page.fill('#mask-box-width', '10');
    await page.fill('#mask-box-height', '20');
    await page.click('#mask-add-box');
    await page.focus('#mask-canvas');
    await page.keyboard.press('Escape');
    assert.ok(await page.isHidden('#mask-toolbar'));
    assert.equal(await page.evaluate(() => document.activeElement.id), 'mask-open');
    await page.fill('#instruction', 'Remove it');
    await page.click('#submit');
    await finished(page);
    const mask = await maskOf(page, [[0.6, 0.5], [0.7, 0.74], [0.05, 0.1], [0.2, 0.1]]);
    assert.deepEqual(mask.greys, [255, 0, 255, 0]);
  });

  scene('a photo turned by EXIF has its mask as it is shown', async () => {
    const { buffer } = await photo(page, { width: 120, height: 80, type: 'image/jpeg', name: 'turned.jpg' });
    // APP1 with one entry: orientation 6, a quarter turn.
    const exif = Buffer.from('ffe1002245786966000049492a00080000000100120103000100000006000000000000000000', 'hex').subarray(0, 36);
    const file = { name: 'turned.jpg', mimeType: 'image/jpeg', buffer: Buffer.concat([buffer.subarray(0, 2), exif, buffer.subarray(2)]) };
    await choose(page, file);
    assert.match(await text(page, 'photo-facts'), /^80 × 120/);
    await page.click('#mask-open');
    await page.click('.numbers summary');
    await page.click('#mask-add-box');
    await page.fill('#instruction', 'Remove it');
    await page.click('#submit');
    await finished(page);
    assert.deepEqual(await maskOf(page, [[0.5, 0.5]]), { type: 'image/png', width: 80, height: 120, greys: [255] });
  });

  // ---- while it runs ----

  scene('the place in the queue shows, and moves', async () => {
    const holds = [];
    for (let i = 0; i < RUNS; i++) holds.push(await service.submit({ instruction: 'hold' }));
    for (const { id } of holds) await service.until(id, (job) => job.status === 'running');
    const waiting = await service.submit({ instruction: 'hold' });
    await submit(page, 'Remove the haze');
    await page.waitForFunction(() => document.getElementById('progress-text').textContent === 'Waiting, number 2 in line');
    assert.equal(await text(page, 'job-title'), 'Waiting');
    await service.fetch(`/v1/jobs/${waiting.id}/cancel`, { method: 'POST' });
    await page.waitForFunction(() => document.getElementById('progress-text').textContent === 'Next in line');
    for (const { id } of holds) await service.fetch(`/v1/jobs/${id}/cancel`, { method: 'POST' });
    await finished(page);
  });

  scene('a running job is cancelled', async () => {
    await submit(page, 'Remove the haze hold');
    await page.waitForFunction(() => document.getElementById('job-title').textContent === 'Fixing');
    await page.click('#cancel');
    await finished(page, 'Cancelled');
    const [record] = await records(page);
    assert.equal((await service.job(record.id)).status, 'cancelled');
    assert.ok(await page.isHidden('#progress'));
    await page.click('#again');
    await page.waitForSelector('#photo-tools:not([hidden])');
    assert.equal(await page.inputValue('#instruction'), 'Remove the haze hold');
  });

  scene('a reload in mid-job loses nothing', async () => {
    await page.click('#settings summary');
    await page.fill('#set-steps', '60');
    await submit(page, 'Remove the haze step-ms=150');
    await page.waitForSelector('#preview:not([hidden])');
    const [{ id }] = await records(page);
    await page.reload();
    await ready(page);
    assert.equal(await text(page, 'job-title'), 'Fixing');
    await page.waitForSelector('#preview:not([hidden])');
    await page.waitForFunction(() => /^Step \d+ of 60$/.test(document.getElementById('progress-text').textContent));
    await finished(page);
    await page.waitForSelector('#compare:not([hidden])');
    const all = await records(page);
    assert.deepEqual(all.map((record) => record.id), [id]);
    const { data } = await (await service.fetch('/v1/jobs?limit=200')).json();
    assert.equal(data.filter((job) => job.instruction.startsWith('Remove the haze step-ms=150')).length, 1);
  });

  test('a reload while sending makes no second job', { timeout: 120000 }, async () => {
    let isFirst = true;
    await open({ expected: /Failed to load|ERR_/ });
    await page.route('**/v1/jobs', async (route) => {
      if (!isFirst) return route.continue();
      isFirst = false;
      await route.fetch(); // the server has it, the page never hears of it
    });
    await submit(page, 'Sent twice hold');
    await poll(async () => (await listed('Sent twice hold')).length === 1);
    await page.reload();
    await ready(page);
    await page.waitForFunction(() => document.getElementById('job-title').textContent === 'Fixing');
    const [record] = await records(page);
    const jobs = await listed('Sent twice hold');
    assert.deepEqual(jobs.map((job) => job.id), [record.id]);
    await page.click('#cancel');
    await finished(page, 'Cancelled');
  });
  const listed = async (instruction) =>
    (await (await service.fetch('/v1/jobs?limit=200')).json()).data.filter((job) => job.instruction === instruction);

  scene('a worker’s death shows as a second start', async () => {
    await submit(page, 'Remove the haze crash-once@5 step-ms=20');
    await finished(page);
    const facts = await text(page, 'job-facts');
    assert.match(facts, /Attempts2/);
  });

  // ---- what goes wrong ----

  scene('what is missing is said before anything is sent', async () => {
    await page.click('#submit');
    assert.match(await text(page, 'photo-error'), /Choose a photo/);
    await choose(page);
    await page.click('#submit');
    assert.match(await text(page, 'instruction-error'), /Say what should change/);
    assert.equal(await page.evaluate(() => document.activeElement.id), 'instruction');
    assert.equal(await page.getAttribute('#instruction', 'aria-invalid'), 'true');
    await page.fill('#instruction', 'Remove the haze');
    await page.click('#settings summary');
    await page.fill('#set-steps', '0');
    await page.click('#settings summary');
    await page.click('#submit');
    assert.equal(await text(page, 'set-steps-error'), 'Expected a whole number from 1 to 1000.');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'set-steps');
    assert.equal((await records(page)).length, 0);
  });

  scene('a refusal of the server stands at its field', async () => {
    await choose(page);
    await page.evaluate(() => {
      document.getElementById('instruction').value = 'x'.repeat(2500);
      document.querySelector('#settings').open = true;
    });
    await page.click('#submit');
    await page.waitForSelector('#form-error:not([hidden])');
    assert.match(await text(page, 'instruction-error'), /2500 characters, at most 2000/);
    assert.match(await text(page, 'form-error-text'), /2500 characters/);
    await page.fill('#instruction', 'Remove the haze');
    await page.selectOption('#set-guidance_region', 'mask');
    await page.click('#submit');
    await page.waitForSelector('#mask-error:not([hidden])');
    assert.match(await text(page, 'mask-error'), /mask/);
    assert.equal((await records(page)).length, 0);
  }, { expected: /status of 400/ });

  scene('a failed job says why', async () => {
    await submit(page, 'fail');
    await finished(page, 'This didn’t work');
    assert.match(await text(page, 'job-error'), /^image: the script says so/);
    assert.ok(await page.isVisible('#again'));
    assert.ok(await page.isHidden('#download'));
  });

  scene('a full queue is waited for', async () => {
    let refusals = 2;
    await page.route('**/v1/jobs', (route) => refusals-- > 0
      ? route.fulfill({ status: 429, headers: { 'Retry-After': '1' }, contentType: 'application/problem+json',
        body: '{"title":"Queue full","status":429,"detail":"256 jobs wait already","error":{"code":"queue_full","param":null}}' })
      : route.continue());
    await submit(page, 'Remove the haze');
    await page.waitForFunction(() => /^256 jobs wait already. Trying again in \d s$/.test(document.getElementById('progress-text').textContent));
    await finished(page);
    assert.equal(refusals, -1);
  }, { expected: /status of 429/ });

  scene('sending is cancelled while it waits for another try', async () => {
    await page.route('**/v1/jobs', (route) => route.abort());
    await submit(page, 'Remove the haze');
    await page.waitForFunction(() => /can’t be reached. Trying again/.test(document.getElementById('progress-text').textContent));
    await page.click('#cancel');
    await page.waitForSelector('#compose:not([hidden])');
    assert.equal((await records(page)).length, 0);
    assert.equal(await page.inputValue('#instruction'), 'Remove the haze');
  }, { expected: /ERR_FAILED/ });

  // ---- afterwards ----

  scene('the history keeps photos and results, goes on with old jobs and forgets', async () => {
    await submit(page, 'First', await photo(page, { width: 100, height: 100 }));
    await finished(page);
    await page.click('#new');
    await submit(page, 'Second', await photo(page, { width: 200, height: 100 }));
    await finished(page);
    const links = page.locator('#history-list a');
    await page.waitForFunction(() => document.querySelectorAll('#history-list a[data-status=succeeded]').length === 2);
    assert.match(await links.nth(0).getAttribute('aria-label'), /^Second, done, /);
    assert.equal(await links.nth(0).getAttribute('aria-current'), 'page');
    await links.nth(1).click();
    await page.waitForFunction(() => document.getElementById('job-instruction').textContent === 'First');
    await page.waitForSelector('#compare:not([hidden])');
    assert.equal(await page.evaluate(() => document.getElementById('photo').naturalWidth), 100);

    const [{ id }] = (await records(page)).filter(({ instruction }) => instruction === 'First');
    await page.click('#remove');
    await page.waitForSelector('#compose:not([hidden])');
    await poll(async () => (await service.fetch(`/v1/jobs/${id}`)).status === 404);
    await page.waitForFunction(() => document.querySelectorAll('#history-list a').length === 1);

    await links.nth(0).click();
    await page.waitForSelector('#continue:not([hidden])');
    await page.click('#continue');
    await page.waitForSelector('#photo-tools:not([hidden])');
    assert.match(await text(page, 'photo-facts'), /^200 × 100/);
    assert.equal(await page.inputValue('#instruction'), '');

    await page.click('#history-clear');
    await page.click('#clear-dialog button[value=""]');
    assert.equal(await links.count(), 1);
    await page.click('#history-clear');
    await page.click('#clear-dialog button[value=clear]');
    await page.waitForFunction(() => document.getElementById('history').hidden);
    assert.equal((await records(page)).length, 0);
  });

  scene('back leads to the form, forward to the job, and a job of elsewhere opens by its link', async () => {
    await submit(page, 'Remove the haze');
    await finished(page);
    await page.goBack();
    await page.waitForSelector('#compose:not([hidden])');
    assert.match(await text(page, 'photo-facts'), /^160 × 120/);
    await page.goForward();
    await page.waitForSelector('#download:not([hidden])');
    const other = await service.submit({ instruction: 'From curl' }, { image: (await photo(page)).buffer });
    await service.until(other.id);
    await page.goto(`${service.url}/#/jobs/${other.id}`);
    await page.waitForFunction(() => document.getElementById('job-instruction').textContent === 'From curl');
    await page.waitForSelector('#download:not([hidden])');
    assert.ok(await page.isHidden('#compare'), 'there is nothing to compare with');
    await page.goto(`${service.url}/#/jobs/0123456789abcdef0123456789abcdef`);
    await page.waitForFunction(() => /no such job/.test(document.getElementById('form-error-text').textContent));
  }, { expected: /status of 404/ });

  scene('a job the server has forgotten is said to be gone', async () => {
    await submit(page, 'Remove the haze hold');
    await page.waitForFunction(() => document.getElementById('job-title').textContent === 'Fixing');
    const [{ id }] = await records(page);
    // Who follows the job may still see it cancelled, a moment before it is forgotten.
    await page.goto(`${service.url}/#/`);
    await page.waitForSelector('#compose:not([hidden])');
    await service.fetch(`/v1/jobs/${id}`, { method: 'DELETE' });
    await page.goBack();
    await finished(page, 'No longer on the server');
    assert.ok(await page.isVisible('#again'));
  }, { expected: /status of 404/ });

  scene('the phone’s page has one column and no sideways scrolling', async () => {
    const check = async (where) => {
      const [width, inner] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(width <= inner, `${where}: ${width} > ${inner}`);
    };
    await check('empty');
    await choose(page, await photo(page, { width: 60, height: 400 }));
    await check('photo');
    await page.tap('#settings summary');
    await check('settings');
    await page.tap('#mask-open');
    await page.tap('.numbers summary');
    await check('mask');
    await page.tap('#mask-done');
    await page.fill('#instruction', 'Averylongwordthatcannotbebroken'.repeat(9));
    await page.tap('#submit');
    await finished(page);
    await check('result');
  }, { context: PHONE });

  scene('nothing moves for those who asked for it', async () => {
    await submit(page, 'Remove the haze step-ms=300');
    await page.waitForSelector('#preview:not([hidden])');
    const moving = await page.evaluate(() => document.getAnimations().filter((each) => each.playState === 'running').length);
    assert.equal(moving, 0);
    await finished(page);
    await page.waitForSelector('#compare:not([hidden])');
    assert.equal(await page.inputValue('#compare-range'), '50');
  }, { context: { reducedMotion: 'reduce' } });

  scene('keys alone lead from the top to the result', async () => {
    const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.tagName);
    const order = [];
    for (let i = 0; i < 6; i++) {
      await page.keyboard.press('Tab');
      order.push(await focused());
    }
    assert.deepEqual(order, ['skip', 'A', 'A', 'choose', 'sample', 'instruction']);
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.getElementById('instruction').value === 'Remove the haze');
    assert.equal(await focused(), 'instruction');
    await page.keyboard.press('Control+Enter');
    await finished(page);
    assert.equal(await focused(), 'job-title');
    await page.waitForSelector('#compare:not([hidden])');
    await page.keyboard.press('Tab');
    assert.equal(await focused(), 'download');
    const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('Enter')]);
    assert.equal(download.suggestedFilename(), 'sample-fixed.jpg');
  });
});

test('a server that dies and comes back is gone on with, without a reload', { skip: NO_BROWSER, timeout: 120000 }, async () => {
  const first = await Service.start({ fake: ['step-ms=5'] });
  const browser = await launch();
  const page = await openPage(browser, first.url, { expected: /ERR_|Failed to load/ });
  await page.click('#settings summary');
  await page.fill('#set-steps', '100');
  await submit(page, 'Remove the haze step-ms=300');
  await page.waitForFunction(() => /^Step [1-9]\d of/.test(document.getElementById('progress-text').textContent));
  await first.stop({ keep: true, signal: 'SIGKILL' });
  await page.waitForFunction(() => document.getElementById('progress-rest').textContent === 'reconnecting…');
  await page.waitForFunction(() => document.getElementById('server-text').textContent === 'Not connected');
  const second = await Service.start({ dir: first.dir, fake: ['step-ms=5'], args: ['--listen', `127.0.0.1:${first.port}`] });
  await page.waitForFunction(() => /^Step \d+ of 100$/.test(document.getElementById('progress-text').textContent) &&
    document.getElementById('progress-rest').textContent !== 'reconnecting…');
  await finished(page);
  const [{ id }] = await records(page);
  assert.equal((await second.job(id)).attempts, 2);
  assert.deepEqual(page.problems, []);
  await browser.close();
  await second.stop();
});

test('a key is asked for, used everywhere and kept until it is forgotten', { skip: NO_BROWSER, timeout: 120000 }, async () => {
  const keys = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'promptfix-keys-')), 'keys');
  fs.writeFileSync(keys, `anna ${crypto.createHash('sha256').update('open sesame').digest('hex')}\n`);
  const service = await Service.start({ args: ['--keys-file', keys] });
  const browser = await launch();
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  await page.goto(service.url);
  await page.waitForSelector('#key-dialog[open]');
  assert.ok(await page.isHidden('#key-wrong'));
  await page.fill('#key-input', 'wrong');
  await page.click('#key-dialog button[value=use]');
  await page.waitForSelector('#key-wrong:not([hidden])');
  await page.fill('#key-input', 'open sesame');
  await page.keyboard.press('Enter');
  await page.waitForSelector('#settings-fields fieldset', { state: 'attached' });
  await submit(page, 'Remove the haze step-ms=20');
  await page.waitForSelector('#preview:not([hidden])');
  await finished(page);
  await page.waitForSelector('#compare:not([hidden])');
  await page.reload();
  await ready(page);
  assert.ok(await page.isHidden('#key-dialog'));
  await page.click('#key-button');
  await page.click('#key-forget');
  await page.waitForSelector('#key-dialog[open]');
  assert.equal(await page.evaluate(() => localStorage.getItem('promptfix.key')), null);
  await browser.close();
  await service.stop();
});

const THUMBNAILER = path.join(path.dirname(PROMPTFIXD ?? '.'), 'promptfix-thumbnail');
const NO_VLM = NO_BROWSER || (fs.existsSync(THUMBNAILER) ? false : 'SKIPPED: this build has no promptfix-thumbnail');

test('a vision model looks at the photo when there is one, and no instruction is needed then', { skip: NO_VLM, timeout: 120000 }, async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'promptfix-vlm-'));
  fs.writeFileSync(path.join(folder, 'key'), KEY + '\n', { mode: 0o600 });
  let answer;
  const looked = new Promise((resolve) => { answer = resolve; });
  const vlm = await Vlm.start((question) => ({ after: looked, body: completion(kind(question) === 'defect' ? 'Heavy haze' : 'A garden') }));
  const service = await Service.start({ env: { no_proxy: '127.0.0.1', NO_PROXY: '127.0.0.1' },
    args: ['--vlm-url', vlm.url, '--vlm-model', MODEL, '--vlm-key-file', path.join(folder, 'key')] });
  const browser = await launch();
  const page = await openPage(browser, service.url);
  await choose(page);
  await page.click('#auxiliary summary');
  await page.check('#auxiliary-auto');
  await page.click('#submit');
  await page.waitForFunction(() => document.getElementById('progress-text').textContent === 'A vision model looks at the photo');
  answer();
  await finished(page);
  assert.match(await text(page, 'job-facts'), /About the photoHeavy haze. A garden/);
  assert.equal(await text(page, 'job-instruction'), 'No instruction');
  assert.deepEqual(page.problems, []);
  await browser.close();
  await service.stop();
  await vlm.stop();
});
