// SPDX-License-Identifier: Apache-2.0
// axe-core's rules (WCAG 2.2 AA and best practice) over every state of the page, in both colour schemes and both
// layouts.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import fs from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { Service } from './service.mjs';
import { NO_BROWSER, PHONE, choose, finished, launch, openPage, submit } from './web_page.mjs';

const AXE = NO_BROWSER ? '' : fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** Evaluated over the debugger, so the page's Content-Security-Policy stays in force. */
async function check(page, where) {
  await page.evaluate(AXE);
  // What is fading in has no contrast yet.
  await page.evaluate(() => Promise.all(document.getAnimations().filter((each) => each.effect.getTiming().iterations === 1)
    .map((each) => each.finished.catch(() => {}))));
  const { violations } = await page.evaluate((tags) => window.axe.run({ runOnly: tags }), TAGS);
  const found = violations.flatMap(({ id, nodes }) => nodes.map((node) => `${where}: ${id}: ${node.html.slice(0, 160)} ${node.failureSummary}`));
  assert.deepEqual(found, []);
}

describe('accessibility', { skip: NO_BROWSER }, () => {
  let service, browser;
  before(async () => {
    service = await Service.start({ fake: ['step-ms=5'] });
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await service?.stop();
  });

  for (const [name, context] of [
    ['desktop, light', { colorScheme: 'light' }],
    ['phone, dark', { ...PHONE, colorScheme: 'dark' }],
  ]) {
    test(name, { timeout: 240000 }, async () => {
      const page = await openPage(browser, service.url, { context });
      await check(page, 'empty');
      await page.click('#submit');
      await check(page, 'photo missing');
      await choose(page);
      await page.click('#submit');
      await check(page, 'instruction missing');
      await page.click('#auxiliary summary');
      await page.click('#settings summary');
      await page.fill('#set-steps', '0');
      await page.click('#submit');
      await check(page, 'wrong setting');
      await page.fill('#set-steps', '');
      await page.click('#mask-open');
      await check(page, 'mask');
      await page.click('.numbers summary');
      await page.click('#mask-add-box');
      await check(page, 'mask by numbers');
      await page.click('.numbers summary');
      await page.click('#mask-done');
      await page.evaluate(() => document.getElementById('key-dialog').showModal());
      await check(page, 'key dialog');
      await page.evaluate(() => document.getElementById('key-dialog').close());
      await submit(page, 'hold');
      await page.waitForFunction(() => document.getElementById('job-title').textContent === 'Fixing');
      await check(page, 'running');
      await page.click('#cancel');
      await finished(page, 'Cancelled');
      await check(page, 'cancelled');
      await page.click('#new');
      await submit(page, 'fail');
      await finished(page, 'This didn’t work');
      await check(page, 'failed');
      await page.click('#new');
      await submit(page, 'Remove the haze');
      await finished(page);
      await page.waitForSelector('#compare:not([hidden])');
      await check(page, 'result');
      await page.click('#history-clear');
      await check(page, 'clear dialog');
      assert.deepEqual(page.problems, []);
      await page.context().close();
    });
  }
});
