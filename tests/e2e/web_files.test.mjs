// SPDX-License-Identifier: Apache-2.0
// How the page's files are served; needs no browser.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Service } from './service.mjs';

let service;
before(async () => { service = await Service.start(); });
after(() => service?.stop());

const TYPES = { css: 'text/css; charset=utf-8', js: 'text/javascript; charset=utf-8', svg: 'image/svg+xml',
  jpg: 'image/jpeg' };

async function assets() {
  const html = await (await service.fetch('/')).text();
  const found = [...html.matchAll(/(?:href|src)="(web\/[^"]+)"/g)].map(([, name]) => `/${name}`);
  // Modules name each other beside themselves.
  for (const name of found.filter((each) => each.endsWith('.js')))
    for (let queue = [name]; queue.length > 0;) {
      const from = queue.pop();
      const code = await (await service.fetch(from)).text();
      for (const [, other] of code.matchAll(/from '\.\/([\w]+\.js)'/g)) {
        const target = from.replace(/[^/]+$/, other);
        if (found.includes(target)) continue;
        found.push(target);
        queue.push(target);
      }
    }
  return found;
}

test('the page is revalidated, guarded and free of inline scripts', async () => {
  const answer = await service.fetch('/');
  const html = await answer.text();
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('content-type'), 'text/html; charset=utf-8');
  assert.equal(answer.headers.get('cache-control'), 'no-cache');
  assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
  assert.equal(answer.headers.get('referrer-policy'), 'no-referrer');
  const policy = answer.headers.get('content-security-policy');
  for (const rule of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "form-action 'none'"])
    assert.ok(policy.includes(rule), `${rule} in ${policy}`);
  assert.doesNotMatch(policy, /unsafe/);
  assert.doesNotMatch(html, /<script(?![^>]*\bsrc=)|<style|\son\w+=|style=|@VERSION@/);

  const etag = answer.headers.get('etag');
  assert.match(etag, /^"[0-9a-f]{16}"$/);
  for (const known of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
    const again = await service.fetch('/', { headers: { 'If-None-Match': known } });
    assert.equal(again.status, 304, known);
    assert.equal((await again.text()).length, 0);
  }
  assert.equal((await service.fetch('/', { headers: { 'If-None-Match': '"other"' } })).status, 200);

  const head = await service.fetch('/', { method: 'HEAD' });
  assert.equal(head.status, 200);
  assert.equal(Number(head.headers.get('content-length')), Buffer.byteLength(html));
  assert.equal((await service.fetch('/', { method: 'POST' })).status, 405);
});

test('all it loads is served for good under its version', async () => {
  const names = await assets();
  assert.ok(names.length > 10, String(names));
  for (const name of names) {
    const answer = await service.fetch(name);
    assert.equal(answer.status, 200, name);
    assert.equal(answer.headers.get('content-type'), TYPES[name.split('.').pop()], name);
    assert.equal(answer.headers.get('cache-control'), 'public, max-age=31536000, immutable');
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
    assert.ok((await answer.arrayBuffer()).byteLength > 100, name);
  }
});

test('nothing else is', async () => {
  const [first] = await assets();
  const [, , version, name] = first.split('/');
  const others = [`/web/0000000000000000/${name}`, `/web/${version}/index.html`, `/web/${version}/none.js`, `/web/${version}/`,
    `/web/${version}/..%2fbase.css`, `/web/${version}/%2e%2e/%2e%2e/etc/passwd`, `/web/${version}/${name}/x`, '/web', '/favicon.ico'];
  for (const other of others) {
    const answer = await service.fetch(other);
    assert.ok([400, 404].includes(answer.status), `${other}: ${answer.status}`);
    assert.match(answer.headers.get('content-type'), /^application\/problem\+json/);
  }
});
