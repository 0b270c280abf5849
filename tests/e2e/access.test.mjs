// SPDX-License-Identifier: Apache-2.0
// Keys, other people's jobs, pages of other origins, TLS, metrics, logs, reloading.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import https from 'node:https';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { Service, collect, form, poll } from './service.mjs';

const hash = (key) => crypto.createHash('sha256').update(key).digest('hex');
const folder = () => fs.mkdtempSync(path.join(os.tmpdir(), 'promptfix-access-'));
const bearer = (key) => ({ authorization: `Bearer ${key}` });

async function withService(options, use) {
  const service = await Service.start(options);
  try {
    await use(service);
  } finally {
    await service.stop();
  }
}

test('keys: who has none is told so; a key sees only its own jobs; reloading', async () => {
  const file = path.join(folder(), 'keys');
  fs.writeFileSync(file, `# keys of this test\nalice ${hash('key-a')}\nbob\t${hash('key-b').toUpperCase()}\r\n`);
  await withService({ args: ['--keys-file', file] }, async (service) => {
    const ask = (method, target, headers, body) => service.fetch(target, { method, headers, body });
    for (const headers of [{}, bearer('wrong'), bearer(''), bearer('key-a '.repeat(200)), { authorization: 'Basic key-a' },
      { authorization: 'Bearer' }, { authorization: 'key-a' }, bearer(hash('key-a'))]) {
      const answer = await ask('POST', '/v1/jobs', headers, form());
      assert.equal(answer.status, 401, JSON.stringify(headers));
      assert.match(answer.headers.get('www-authenticate'), /^Bearer/);
      assert.equal((await answer.json()).error.type, 'authentication_error');
    }
    for (const target of ['/v1/jobs', '/v1/models', '/v1/capabilities', '/metrics'])
      assert.equal((await ask('GET', target)).status, 401, target);
    for (const target of ['/health/live', '/openapi.yaml', '/']) assert.equal((await ask('GET', target)).status, 200, target);

    const mine = await (await ask('POST', '/v1/jobs', { ...bearer('key-a'), prefer: 'wait=20' }, form({ steps: 1 }))).json();
    assert.equal(mine.status, 'succeeded');
    for (const [method, target] of [['GET', mine.urls.self], ['GET', mine.urls.events], ['GET', mine.urls.result],
      ['POST', mine.urls.cancel], ['DELETE', mine.urls.self]])
      assert.equal((await ask(method, target, bearer('key-b'))).status, 404, `${method} ${target}`);
    assert.deepEqual((await (await ask('GET', '/v1/jobs', bearer('key-b'))).json()).data, []);
    assert.equal((await ask('GET', mine.urls.result, { authorization: 'bearer  key-a' })).status, 200);
    assert.equal((await (await ask('GET', '/v1/jobs', bearer('key-a'))).json()).data.length, 1);
    const same = { 'idempotency-key': 'x' };
    const a = await (await ask('POST', '/v1/jobs', { ...bearer('key-a'), ...same }, form({ steps: 1 }))).json();
    const b = await (await ask('POST', '/v1/jobs', { ...bearer('key-b'), ...same }, form({ steps: 1 }))).json();
    assert.notEqual(a.id, b.id);
    assert.ok(!service.log.includes('key-a'));

    fs.writeFileSync(file, `carol ${hash('key-c')}\n`);
    service.kill('SIGHUP');
    await poll(async () => (await ask('GET', '/v1/jobs', bearer('key-c'))).status === 200);
    assert.equal((await ask('GET', '/v1/jobs', bearer('key-a'))).status, 401);
    fs.writeFileSync(file, 'broken\n');
    service.kill('SIGHUP');
    await poll(() => service.log.includes('the keys are not reloaded'));
    assert.equal((await ask('GET', '/v1/jobs', bearer('key-c'))).status, 200);
  });
});

test('limits of one key', async () => {
  const file = path.join(folder(), 'keys');
  fs.writeFileSync(file, `alice ${hash('key-a')}\nbob ${hash('key-b')}\n`);
  await withService({ args: ['--keys-file', file, '--max-running-per-key', '1', '--max-queued-per-key', '3', '--drain-deadline', '0'] }, async (service) => {
    const post = (key, fields) => service.fetch('/v1/jobs', { method: 'POST', headers: bearer(key), body: form(fields) });
    const list = async (key, status) =>
      (await (await service.fetch(`/v1/jobs?status=${status}`, { headers: bearer(key) })).json()).data;
    const first = await (await post('key-a', { instruction: 'hold' })).json();
    await poll(async () => (await list('key-a', 'running')).length === 1);
    // All at once: the places of those still being written are taken too.
    const answers = await Promise.all(Array.from({ length: 20 }, () => post('key-a', { instruction: 'hold' })));
    assert.equal(answers.filter((answer) => answer.status === 202).length, 3);
    const refused = answers.filter((answer) => answer.status === 429);
    assert.equal(refused.length, 17);
    assert.match((await refused[0].json()).detail, /this key may have 3 jobs queued/);
    assert.ok(refused[0].headers.get('retry-after'));
    // Alice's wait, though the worker has room, which is bob's.
    const bobs = await (await post('key-b', { steps: 2 })).json();
    await poll(async () => (await list('key-b', 'succeeded')).some((job) => job.id === bobs.id));
    assert.equal((await list('key-a', 'running')).length, 1);
    assert.equal((await list('key-a', 'queued')).length, 3);
    await service.fetch(first.urls.cancel, { method: 'POST', headers: bearer('key-a') });
    await poll(async () => (await list('key-a', 'running')).length === 1 && (await list('key-a', 'queued')).length === 2);
  });
});

test('key files with mistakes', async () => {
  const file = path.join(folder(), 'keys');
  for (const [text, part] of [['', 'none'], ['# only\n', 'none'], ['alice\n', 'line 1'], ['\nalice 12\n', 'line 2'],
    [`al ice ${hash('x')}\n`, 'line 1'], [`a ${hash('x')}\na ${hash('y')}\n`, 'again'], [`${'a'.repeat(64)} ${hash('x')}`, 'line 1']]) {
    fs.writeFileSync(file, text);
    await assert.rejects(Service.start({ args: ['--keys-file', file] }), new RegExp(part), text);
  }
  await assert.rejects(Service.start({ args: ['--keys-file', '/nowhere/keys'] }), /nowhere/);
});

test('a public address needs keys, or to be told', async () => {
  await assert.rejects(Service.start({ args: ['--listen', '0.0.0.0:0'] }), /keys-file/);
  const service = await Service.start({ args: ['--listen', '0.0.0.0:0', '--allow-without-keys'] });
  service.url = service.url.replace('0.0.0.0', '127.0.0.1');
  assert.equal((await service.fetch('/health/live')).status, 200);
  await service.stop();
});

test('a limit for each key', async () => {
  const file = path.join(folder(), 'keys');
  fs.writeFileSync(file, `alice ${hash('a')}\nbob ${hash('b')}\n`);
  await withService({ args: ['--keys-file', file, '--max-queued-per-key', '1', '--max-runs', '1', '--drain-deadline', '0'] }, async (service) => {
    const post = (key) => service.post({ instruction: 'hold' }, { headers: bearer(key) });
    await post('a');
    await poll(async () => (await (await service.fetch('/v1/jobs?status=running', { headers: bearer('a') })).json()).data.length === 1);
    assert.equal((await post('a')).status, 202);
    const refused = await post('a');
    assert.equal(refused.status, 429);
    assert.match(refused.headers.get('retry-after'), /^\d+$/);
    assert.equal((await post('b')).status, 202);
  });
});

test('pages of other origins', async () => {
  await withService({ args: ['--cors-origins', 'https://good.example,http://localhost:3000'] }, async (service) => {
    const good = await service.fetch('/v1/models', { headers: { origin: 'https://good.example' } });
    assert.equal(good.headers.get('access-control-allow-origin'), 'https://good.example');
    assert.equal(good.headers.get('vary'), 'Origin');
    assert.match(good.headers.get('access-control-expose-headers'), /Location/);
    for (const origin of ['https://evil.example', 'http://good.example', 'https://good.example.evil', 'null', 'https://GOOD.example']) {
      const answer = await service.fetch('/v1/models', { headers: { origin } });
      assert.equal(answer.status, 200);
      assert.equal(answer.headers.get('access-control-allow-origin'), null, origin);
      const post = await service.fetch('/v1/jobs', { method: 'POST', headers: { origin }, body: form() });
      assert.equal(post.status, 403, origin);
      const preflight = await service.fetch('/v1/jobs', { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } });
      assert.equal(preflight.headers.get('access-control-allow-methods'), null);
    }
    const preflight = await service.fetch('/v1/jobs/x', { method: 'OPTIONS',
      headers: { origin: 'http://localhost:3000', 'access-control-request-method': 'DELETE', 'access-control-request-headers': 'authorization' } });
    assert.equal(preflight.status, 204);
    assert.match(preflight.headers.get('access-control-allow-methods'), /DELETE/);
    assert.match(preflight.headers.get('access-control-allow-headers'), /Authorization/);
    assert.equal((await service.fetch('/v1/jobs', { method: 'POST', headers: { origin: 'http://localhost:3000' }, body: form({ steps: 1 }) })).status, 202);
    const failed = await service.fetch('/v1/jobs/x', { headers: { origin: 'https://good.example' } });
    assert.equal(failed.status, 404);
    assert.equal(failed.headers.get('access-control-allow-origin'), 'https://good.example');
    // The server's own page.
    assert.equal((await service.fetch('/v1/jobs', { method: 'POST', headers: { origin: service.url }, body: form({ steps: 1 }) })).status, 202);
  });
});

test('TLS', async () => {
  const dir = folder();
  const key = path.join(dir, 'key.pem'), certificate = path.join(dir, 'cert.pem');
  try {
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key,
      '-out', certificate, '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'], { stdio: 'ignore' });
  } catch (error) {
    if (error.code === 'ENOENT') return; // no openssl here
    throw error;
  }
  await assert.rejects(Service.start({ args: ['--tls-certificate', certificate] }), /need one another/);
  await assert.rejects(Service.start({ args: ['--tls-certificate', certificate, '--tls-key', certificate] }), /pair/);
  const service = await Service.start({ args: ['--tls-certificate', certificate, '--tls-key', key], scheme: 'https' });
  assert.match(service.stdout, /^listening on https:/);
  const ca = fs.readFileSync(certificate);
  const ask = (target, options = {}) => new Promise((resolve, reject) => {
    https.get(service.url + target, { ca, ...options }, (answer) => {
      let text = '';
      answer.on('data', (bytes) => { text += bytes; });
      answer.on('end', () => resolve({ status: answer.statusCode, text }));
    }).on('error', reject);
  });
  assert.equal((await ask('/health/live')).status, 200);
  await assert.rejects(ask('/health/live', { maxVersion: 'TLSv1.1', minVersion: 'TLSv1' }));
  // A job and its stream over TLS, by curl.
  const image = path.join(dir, 'photo.png');
  const { png } = await import('./service.mjs');
  fs.writeFileSync(image, png());
  const stream = execFileSync('curl', ['-sN', '--cacert', certificate, '-F', `image=@${image}`, '-F', 'instruction=step-ms=20', '-F', 'steps=5',
    '-H', 'Accept: text/event-stream', service.url + '/v1/jobs'], { encoding: 'utf8', timeout: 20000 });
  assert.equal(stream.match(/^event: step$/gm).length, 5);
  assert.match(stream, /event: succeeded/);
  assert.equal(await service.stop(), 0);
});

test('metrics', async () => {
  await withService({}, async (service) => {
    await collect(await service.post({ steps: 4 }, { headers: { accept: 'text/event-stream' } }));
    await service.post({ steps: 0 });
    await service.fetch('/nowhere');
    const answer = await service.fetch('/metrics');
    assert.match(answer.headers.get('content-type'), /^text\/plain; version=0\.0\.4/);
    const text = await answer.text();
    const value = (name) => {
      const line = text.split('\n').find((at) => at.startsWith(name + ' '));
      assert.ok(line, `${name} in\n${text}`);
      return Number(line.split(' ').at(-1));
    };
    assert.equal(value('promptfix_http_requests_total{route="createJob",status="200"}'), 1);
    assert.equal(value('promptfix_http_requests_total{route="createJob",status="400"}'), 1);
    assert.equal(value('promptfix_http_requests_total{route="none",status="404"}'), 1);
    assert.equal(value('promptfix_jobs_ended_total{outcome="succeeded"}'), 1);
    assert.ok(value('promptfix_step_seconds_count') >= 3);
    assert.equal(value('promptfix_jobs_queued{priority="interactive"}'), 0);
    assert.equal(value('promptfix_worker_ready{worker="0",device="cpu"}'), 1);
    assert.ok(value('promptfix_http_connections') >= 1);
    const kinds = new Set();
    for (const line of text.trimEnd().split('\n')) {
      if (line.startsWith('# TYPE')) kinds.add(line.split(' ')[2]);
      else if (!line.startsWith('#')) {
        assert.match(line, /^promptfix_[a-z0-9_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? -?[0-9.+eInf]+$/);
        assert.ok(kinds.has(line.split(/[{ ]/)[0].replace(/_(bucket|sum|count)$/, '')) || kinds.has(line.split(/[{ ]/)[0]), line);
      }
    }
  });
});

test('logs, request ids, trace context, Server-Timing', async () => {
  await withService({}, async (service) => {
    const trace = '0af7651916cd43dd8448eb211c80319c';
    const answer = await service.post({ steps: 2 }, { headers: { prefer: 'wait=20', 'x-request-id': 'my-id.1',
      traceparent: `00-${trace}-b7ad6b7169203331-01` } });
    assert.equal(answer.headers.get('x-request-id'), 'my-id.1');
    for (const name of ['queued', 'sample', 'total'])
      assert.ok(answer.headers.get('server-timing').includes(`${name};dur=`), name);
    await answer.arrayBuffer();
    const line = await poll(() => service.log.split('\n').find((text) => text.includes('my-id.1')));
    const entry = JSON.parse(line);
    assert.equal(entry.trace_id, trace);
    assert.equal(entry.status, 200);
    assert.match(entry.job, /^[0-9a-f]{32}$/);
    assert.equal(entry.method, 'POST');
    assert.ok(entry.duration_us > 0);
    for (const text of service.log.trimEnd().split('\n')) JSON.parse(text);
  });
});
