// SPDX-License-Identifier: Apache-2.0
// Webhooks against a receiver that checks them as Standard Webhooks' libraries do.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Service, form, png, poll } from './service.mjs';

const secret = crypto.randomBytes(32);
const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'promptfix-webhooks-')), 'secret');
fs.writeFileSync(file, `whsec_${secret.toString('base64')}\n`);

// status: what to answer, by path; calls: what came; held: answers wait for it; open, most: calls at once.
const receiver = { calls: [], status: () => 200, held: null, open: 0, most: 0 };
before(async () => {
  receiver.server = http.createServer((request, response) => {
    const parts = [];
    request.on('data', (bytes) => parts.push(bytes));
    receiver.most = Math.max(receiver.most, ++receiver.open);
    response.on('close', () => { receiver.open--; });
    request.on('end', async () => {
      const body = Buffer.concat(parts);
      const id = request.headers['webhook-id'], time = request.headers['webhook-timestamp'];
      const expected = crypto.createHmac('sha256', secret).update(`${id}.${time}.${body}`).digest('base64');
      const status = receiver.status(request.url, receiver.calls.filter((call) => call.id === id).length);
      receiver.calls.push({ id, url: request.url, isSigned: request.headers['webhook-signature'] === `v1,${expected}`,
        age: Date.now() / 1000 - Number(time), type: request.headers['content-type'], traceparent: request.headers.traceparent, body: JSON.parse(body) });
      await receiver.held;
      if (status === 302) response.setHeader('location', '/elsewhere');
      if (status !== 0) response.writeHead(status).end('thank you');
      else request.socket.destroy();
    });
  }).listen(0, '127.0.0.1');
  await once(receiver.server, 'listening');
  receiver.url = `http://127.0.0.1:${receiver.server.address().port}`;
});
after(() => receiver.server.close());

const args = ['--webhook-secret-file', file, '--webhook-first-retry', '50ms'];
const callsOf = (job) => receiver.calls.filter((call) => call.id === `msg_${job.id}`);
const called = (job, times = 1) => poll(() => callsOf(job).length >= times);

test('every end is told, signed', async () => {
  const service = await Service.start({ args: [...args, '--webhook-allow-private'] });
  try {
    const hook = (fields) => service.submit({ webhook_url: `${receiver.url}/hook?a=1`, metadata: '{"mine":7}', ...fields });
    const good = await hook({ steps: 2 });
    assert.equal(good.webhook_url, `${receiver.url}/hook?a=1`);
    const bad = await hook({ instruction: 'fail' });
    const held = await hook({ instruction: 'hold' });
    await service.until(held.id, (job) => job.status === 'running');
    await service.fetch(held.urls.cancel, { method: 'POST' });
    for (const [job, end] of [[good, 'succeeded'], [bad, 'failed'], [held, 'cancelled']]) {
      await called(job);
      const [call] = callsOf(job);
      assert.ok(call.isSigned);
      assert.ok(Math.abs(call.age) < 30);
      assert.equal(call.url, '/hook?a=1');
      assert.equal(call.type, 'application/json');
      assert.equal(call.body.type, `job.${end}`);
      assert.equal(call.body.data.status, end);
      assert.deepEqual(call.body.data.metadata, { mine: 7 });
      assert.ok(Date.parse(call.body.timestamp) > 0);
    }
    const metrics = async () => (await service.fetch('/metrics')).text();
    await poll(async () => (await metrics()).includes('promptfix_webhooks_delivered_total 3\n'));
    assert.equal(receiver.calls.length, 3);
  } finally {
    await service.stop();
  }
});

test('tried again until it is taken; a redirect is not followed; 410 is the end', async () => {
  const service = await Service.start({ args: [...args, '--webhook-allow-private'] });
  receiver.status = (url, before) => ({ '/flaky': [500, 0, 302, 204][Math.min(before, 3)], '/gone': 410 })[url] ?? 200;
  try {
    const flaky = await service.submit({ steps: 1, webhook_url: `${receiver.url}/flaky` });
    const gone = await service.submit({ steps: 1, webhook_url: `${receiver.url}/gone` });
    await called(flaky, 4);
    const calls = callsOf(flaky);
    assert.ok(calls.every((call) => call.isSigned && call.id === calls[0].id));
    assert.ok(calls.every((call) => JSON.stringify(call.body) === JSON.stringify(calls[0].body)));
    assert.ok(!receiver.calls.some((call) => call.url === '/elsewhere'));
    await poll(() => service.log.includes('webhook given up'));
    assert.equal(callsOf(gone).length, 1);
  } finally {
    receiver.status = () => 200;
    await service.stop();
  }
});

test('not forgotten by a server that is killed; not repeated once taken', async () => {
  const all = [...args, '--webhook-allow-private'];
  const first = await Service.start({ args: all });
  const early = await first.submit({ steps: 1, webhook_url: `${receiver.url}/early` });
  await called(early);
  await poll(() => fs.readdirSync(`${first.dir}/data/webhooks`).includes(early.id));
  receiver.status = () => 500;
  const ended = await first.submit({ steps: 1, webhook_url: `${receiver.url}/ended` });
  await called(ended);
  const open = await first.submit({ instruction: 'step-ms=30', steps: 30, webhook_url: `${receiver.url}/open` });
  await first.stop({ keep: true, signal: 'SIGKILL' });
  receiver.status = () => 200;
  const before = callsOf(ended).length;
  const second = await Service.start({ dir: first.dir, args: all });
  try {
    await called(ended, before + 1);
    await called(open);
    assert.equal(callsOf(open)[0].body.type, 'job.succeeded');
    assert.equal(callsOf(early).length, 1);
  } finally {
    await second.stop();
  }
});

test('the trace of the request, over a restart, with a parent id of each call', async () => {
  const all = [...args, '--webhook-allow-private'];
  const trace = '0af7651916cd43dd8448eb211c80319c', parent = 'b7ad6b7169203331';
  const first = await Service.start({ args: all });
  receiver.status = (url, before) => (url === '/trace' && before === 0 ? 500 : 200);
  const submit = (traceparent) => first.submit({ instruction: 'step-ms=30', steps: 10, webhook_url: `${receiver.url}/trace` },
    { headers: traceparent ? { traceparent } : {} });
  const sampled = await submit(`00-${trace}-${parent}-01`);
  const unsampled = await submit(`00-${trace}-${parent}-00`);
  const none = await submit();
  const malformed = [];
  for (const text of [`00-${trace}-${parent}`, `00-${trace.toUpperCase()}-${parent}-01`, `ff-${trace}-${parent}-01`,
    `00-${'0'.repeat(32)}-${parent}-01`, `00-${trace}-${'0'.repeat(16)}-01`]) malformed.push(await submit(text));
  await first.stop({ keep: true, signal: 'SIGKILL' });
  const second = await Service.start({ dir: first.dir, args: all });
  try {
    const parents = new Set([parent]);
    for (const [job, flags] of [[sampled, '01'], [unsampled, '00']]) {
      await called(job, 2);
      for (const { traceparent } of callsOf(job)) {
        assert.match(traceparent, new RegExp(`^00-${trace}-[0-9a-f]{16}-${flags}$`));
        assert.ok(!parents.has(traceparent.slice(36, 52)));
        parents.add(traceparent.slice(36, 52));
      }
    }
    for (const job of [none, ...malformed]) {
      await called(job, 2);
      assert.ok(callsOf(job).every(({ traceparent }) => traceparent === undefined));
    }
    const lineOf = (job) => (first.log + second.log).split('\n').find((line) => line.includes('webhook: again') && line.includes(job.id));
    await poll(() => lineOf(sampled) && lineOf(none));
    assert.ok(lineOf(sampled).includes(trace));
    assert.ok(!lineOf(none).includes('trace_id'));
  } finally {
    receiver.status = () => 200;
    await second.stop();
  }
});

test('batches', async () => {
  const service = await Service.start({ args: [...args, '--webhook-allow-private'] });
  try {
    const data = form({ steps: 1, webhook_url: `${receiver.url}/batch` });
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    data.append('image', new Blob([png()]), 'b.png');
    const batch = await (await service.fetch('/v1/batches', { method: 'POST', body: data, headers: { traceparent } })).json();
    const calls = () => receiver.calls.filter((call) => call.body.data.batch === batch.id);
    await poll(() => calls().length === 2);
    for (const call of calls()) assert.equal(call.traceparent.slice(0, 35), traceparent.slice(0, 35));
  } finally {
    await service.stop();
  }
});

test('sixteen calls at once, the others after them', async () => {
  const service = await Service.start({ args: [...args, '--webhook-allow-private'] });
  let release;
  receiver.held = new Promise((resolve) => { release = resolve; });
  receiver.most = 0;
  try {
    const jobs = [];
    for (let i = 0; i < 20; i++) jobs.push(await service.submit({ steps: 1, webhook_url: `${receiver.url}/held` }));
    for (const job of jobs) await service.until(job.id);
    await poll(() => receiver.open === 16);
    release();
    for (const job of jobs) await called(job);
    assert.equal(receiver.most, 16);
    assert.ok(jobs.every((job) => callsOf(job).length === 1));
  } finally {
    release();
    receiver.held = null;
    await service.stop();
  }
});

test('private addresses, odd URLs, and a server without a secret', async () => {
  const service = await Service.start({ args });
  try {
    const count = receiver.calls.length;
    for (const url of [receiver.url, 'http://localhost.:0x50/', 'http://[::1]/', 'http://2130706433/', 'http://169.254.169.254/',
      'file:///etc/passwd', 'gopher://x/', 'https://user:pass@example.org/', 'example.org', '']) {
      const answer = await service.post({ webhook_url: url });
      if (url === 'http://localhost.:0x50/') continue; // a name: looked up when it is called
      assert.equal(answer.status, 400, url);
      assert.equal((await answer.json()).error.param, 'webhook_url');
    }
    // A name that means this machine passes the border, and is refused when it is called.
    const named = await service.submit({ steps: 1, webhook_url: receiver.url.replace('127.0.0.1', 'localhost') });
    await poll(() => service.log.includes(named.id) && service.log.includes('not one of the public network'));
    assert.equal(receiver.calls.length, count);
    assert.equal((await (await service.fetch('/v1/capabilities')).json()).webhooks, true);
  } finally {
    await service.stop();
  }
  const without = await Service.start();
  try {
    const answer = await without.post({ webhook_url: 'https://example.org/' });
    assert.equal(answer.status, 400);
    assert.match((await answer.json()).detail, /not enabled/);
  } finally {
    await without.stop();
  }
});
