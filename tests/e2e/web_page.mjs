// SPDX-License-Identifier: Apache-2.0
// What the tests of the web page share: Chromium, pages, photos. CHROMIUM names the browser (npm_test.sh
// finds it); without it the tests skip.
import { chromium } from 'playwright-core';

export const NO_BROWSER = process.env.CHROMIUM ? false : 'SKIPPED: there is no Chromium';

const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** A busy machine is no failure. */
export const PATIENCE_MS = 40000;

export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM, args: FLAGS });

export const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

/** A page in a context (storage) of its own. page.problems collects what must not happen; page.said what screen
 *  readers were told. expected: pattern of console errors that belong to the test. */
export async function openPage(browser, url, { context: options = {}, expected = /$^/, route } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  page.problems = [];
  page.on('pageerror', (error) => page.problems.push(error.stack));
  page.on('console', (message) => {
    if (message.type() === 'error' && !expected.test(message.text())) page.problems.push(message.text());
  });
  page.on('request', (request) => {
    const target = request.url();
    if (!target.startsWith(url) && !/^(blob|data):/.test(target)) page.problems.push(`asked ${target}`);
  });
  await page.addInitScript(() => {
    window.said = [];
    addEventListener('DOMContentLoaded', () => {
      const region = document.getElementById('announcer');
      new MutationObserver(() => window.said.push(region.textContent)).observe(region, { childList: true });
    });
  });
  if (route) await route(page);
  await page.goto(url + '/');
  await ready(page);
  return page;
}

export async function ready(page) {
  await page.waitForSelector('html[data-ready]');
  await page.waitForSelector('#settings-fields fieldset', { state: 'attached' });
}

/** A photo drawn by the browser, as a file for setInputFiles(). */
export async function photo(page, { width = 160, height = 120, type = 'image/png', name = 'garden.png' } = {}) {
  const url = await page.evaluate(([w, h, mime]) => {
    const canvas = Object.assign(document.createElement('canvas'), { width: w, height: h });
    const context = canvas.getContext('2d');
    const sky = context.createLinearGradient(0, 0, w, h);
    sky.addColorStop(0, '#8fb7d8');
    sky.addColorStop(1, '#44683a');
    context.fillStyle = sky;
    context.fillRect(0, 0, w, h);
    context.fillStyle = '#c8502a';
    context.fillRect(w * 0.4, h * 0.3, w * 0.2, h * 0.5);
    return canvas.toDataURL(mime);
  }, [width, height, type]);
  return { name, mimeType: type, buffer: Buffer.from(url.split(',')[1], 'base64') };
}

export async function choose(page, file) {
  const image = file ?? (await photo(page));
  await page.setInputFiles('#file', image);
  await page.waitForSelector('#photo-tools:not([hidden])');
  return image;
}

export async function submit(page, instruction, file) {
  const image = await choose(page, file);
  await page.fill('#instruction', instruction);
  await page.click('#submit');
  await page.waitForSelector('#job:not([hidden])');
  return image;
}

export const finished = (page, title = 'Done') =>
  page.waitForFunction((text) => document.getElementById('job-title').textContent === text, title);

/** This page's records, without the blobs' bytes. */
export const records = (page) => page.evaluate(() => new Promise((resolve, reject) => {
  const open = indexedDB.open('promptfix', 1);
  open.onerror = () => reject(open.error);
  open.onsuccess = () => {
    const all = open.result.transaction('jobs').objectStore('jobs').getAll();
    all.onsuccess = () => {
      open.result.close();
      resolve(all.result.map(({ input, mask, thumb, result, ...rest }) => ({
        ...rest, inputBytes: input?.size ?? 0, resultBytes: result?.size ?? 0, hasMask: !!mask,
      })));
    };
  };
}));

/** The mask that was sent with the newest record: size and the grey at some points (parts of its size). */
export const maskOf = (page, points) => page.evaluate((wanted) => new Promise((resolve, reject) => {
  const open = indexedDB.open('promptfix', 1);
  open.onerror = () => reject(open.error);
  open.onsuccess = () => {
    const all = open.result.transaction('jobs').objectStore('jobs').getAll();
    all.onsuccess = async () => {
      open.result.close();
      const { mask } = all.result.sort((a, b) => b.created - a.created)[0];
      if (!mask) return resolve(null);
      const bitmap = await createImageBitmap(mask);
      const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
      context.drawImage(bitmap, 0, 0);
      const grey = ([x, y]) => {
        const [r, g, b, a] = context.getImageData(x * bitmap.width, y * bitmap.height, 1, 1).data;
        return r === g && g === b && a === 255 ? r : -1;
      };
      resolve({ type: mask.type, width: bitmap.width, height: bitmap.height, greys: wanted.map(grey) });
    };
  };
}), points);
