// SPDX-License-Identifier: Apache-2.0
// Behind a real nginx, with the location block of docs/operations.md as it stands there.
// Skipped where there is none (Debian: apt install nginx).
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Service, collect, events, form, png, poll } from './service.mjs';

const NGINX = ['nginx', '/usr/sbin/nginx'].find((name) => !spawnSync(name, ['-v']).error);
const skip = NGINX ? false : 'there is no nginx';
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'promptfix-nginx-'));
let service, nginx, url, log = '';

const freePort = () => new Promise((resolve) => {
  const server = net.createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

// The indented block in the docs that begins with "location".
function documented(port) {
  const text = fs.readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
  const [block] = /^ {4}location \/ \{\n[^]*?^ {4}\}$/m.exec(text);
  assert.match(block, /proxy_pass http:\/\/127\.0\.0\.1:8080;/);
  return block.replace('127.0.0.1:8080', `127.0.0.1:${port}`);
}

before(async () => {
  if (skip) return;
  service = await Service.start({ fake: ['step-ms=5'] });
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${dir}/${name};`);
  fs.writeFileSync(path.join(dir, 'nginx.conf'), `daemon off; master_process off; worker_processes 1; pid ${dir}/pid; error_log stderr;
events { worker_connections 256; }
http { access_log off; ${temporary.join(' ')}
  server { listen 127.0.0.1:${port};
${documented(service.port)}
  } }\n`);
  nginx = spawn(NGINX, ['-p', dir, '-c', path.join(dir, 'nginx.conf'), '-e', 'stderr'], { stdio: ['ignore', 'ignore', 'pipe'] });
  nginx.stderr.on('data', (bytes) => { log += bytes; });
  await poll(async () => {
    assert.equal(nginx.exitCode, null, log);
    return fetch(url + '/health/live').then((answer) => answer.ok, () => false);
  });
});

after(async () => {
  nginx?.kill();
  await service?.stop();
  fs.rmSync(dir, { recursive: true, force: true });
});

const post = (fields, headers = {}, image) => fetch(url + '/v1/jobs', { method: 'POST', body: form(fields, image), headers });

test('events come as they happen, not when the job is over', { skip }, async () => {
  const answer = await post({ instruction: 'hold' }, { accept: 'text/event-stream' });
  assert.match(answer.headers.get('content-type'), /^text\/event-stream/);
  const stream = events(answer);
  let item;
  do item = (await stream.next()).value; while (item.event !== 'started'); // it stays there until it is cancelled
  assert.equal((await fetch(`${url}/v1/jobs/${item.data.job}/cancel`, { method: 'POST' })).status, 200);
  do item = (await stream.next()).value; while (item.event !== 'cancelled');
  assert.equal((await stream.next()).done, true);
});

test('every step, and the rest of them after a break', { skip }, async () => {
  const all = await collect(await post({ steps: 10 }, { accept: 'text/event-stream' }));
  assert.equal(all.filter((item) => item.event === 'step').length, 10);
  assert.equal(all.at(-1).event, 'succeeded');
  const again = await collect(await fetch(`${url}/v1/jobs/${all[0].data.job}/events`, { headers: { 'last-event-id': '6' } }));
  assert.deepEqual(again.map((item) => item.id), all.map((item) => item.id).filter((id) => id > 6));
});

test('the page, from its own origin; other origins stay out', { skip }, async () => {
  assert.match(await (await fetch(url + '/')).text(), /<title>/);
  assert.equal((await post({ steps: 1 }, { origin: url })).status, 202);
  assert.equal((await post({ steps: 1 }, { origin: 'http://elsewhere.example' })).status, 403);
});

test('large uploads as without nginx: 30 MB are taken, 33 MB are a 413', { skip }, async () => {
  const padded = (size) => Buffer.concat([png(), Buffer.alloc(size)]);
  const taken = await post({ steps: 1 }, { prefer: 'wait=30' }, padded(30 << 20));
  assert.equal(taken.status, 200);
  const refused = await post({ steps: 1 }, {}, padded(33 << 20)).then((answer) => answer.status, (error) => error.cause?.code);
  assert.ok([413, 'EPIPE', 'ECONNRESET', 'UND_ERR_SOCKET'].includes(refused), `${refused}`); // nginx may hang up first
  assert.equal((await (await fetch(url + '/v1/jobs')).json()).data[0].id, JSON.parse(await taken.text()).id);
});
