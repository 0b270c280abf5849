// SPDX-License-Identifier: Apache-2.0
// Event streams: one event a step, snapshots, resuming, deaths of workers seen from the stream.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Service, collect, events, png, poll } from './service.mjs';

let service;
before(async () => { service = await Service.start({ args: ['--sse-ping', '200ms'] }); });
after(() => service.stop());

const accept = { accept: 'text/event-stream' };
const names = (list) => list.map((item) => item.event);

test('the answer of POST is the stream: one step event for each sampling step', async () => {
  const answer = await service.post({ steps: 7 }, { headers: accept });
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get('content-type'), /^text\/event-stream/);
  assert.equal(answer.headers.get('cache-control'), 'no-cache, no-transform');
  assert.equal(answer.headers.get('x-accel-buffering'), 'no');
  const list = await collect(answer);
  assert.deepEqual(names(list), ['queued', 'started', ...Array(7).fill('step'), 'succeeded']);
  const steps = list.filter((item) => item.event === 'step').map((item) => item.data);
  assert.deepEqual(steps.map((data) => data.step), [1, 2, 3, 4, 5, 6, 7]);
  for (const data of steps) {
    assert.equal(data.steps, 7);
    assert.ok(data.sigma > 0 && data.elapsed_ms >= 0 && data.eta_ms >= 0);
    assert.ok(data.guidance_loss === null || data.guidance_loss > 0);
  }
  const ids = list.map((item) => item.id);
  assert.deepEqual(ids, [...ids].sort((a, b) => a - b));
  assert.equal(list.at(-1).data.status, 'succeeded');
  assert.ok(list.every((item) => item.data.job === list[0].data.id));
});

test('?include=image: the last event carries the image', async () => {
  const image = png(33, 44);
  const list = await collect(await service.post({ steps: 1 }, { image, headers: accept, query: '?include=image' }));
  assert.deepEqual(Buffer.from(list.at(-1).data.result.images[0].b64_json, 'base64'), image);
  const again = await collect(await service.fetch(`/v1/jobs/${list[0].data.id}/events?include=image`));
  assert.deepEqual(names(again), ['succeeded']);
  assert.deepEqual(Buffer.from(again[0].data.result.images[0].b64_json, 'base64'), image);
});

test('previews', async () => {
  const list = await collect(await service.post({ steps: 6, previews: 3 }, { headers: accept }));
  const previews = list.filter((item) => item.event === 'preview');
  assert.ok(previews.length >= 1 && previews.length <= 3);
  for (const { data } of previews)
    assert.equal(Buffer.from(data.b64_json, 'base64').subarray(1, 4).toString(), 'PNG');
});

test('a fresh connection opens with a snapshot; resuming gives what was missed; at the end 204', async () => {
  const steps = 20;
  const job = await service.submit({ instruction: 'step-ms=100', steps });
  const first = [];
  for await (const item of events(await service.fetch(job.urls.events))) {
    if (!item.event) continue;
    first.push(item);
    if (item.event === 'step') break; // the connection is dropped here
  }
  assert.equal(first[0].data.id, job.id);
  assert.ok(['queued', 'started'].includes(first[0].event));
  const resumed = await collect(await service.fetch(job.urls.events,
    { headers: { 'last-event-id': String(first.at(-1).id) } }));
  const next = first.at(-1).data.step + 1;
  assert.deepEqual(resumed.filter((item) => item.event === 'step').map((item) => item.data.step),
    Array.from({ length: steps + 1 - next }, (_, i) => next + i));
  assert.equal(resumed.at(-1).event, 'succeeded');

  const over = await service.fetch(job.urls.events, { headers: { 'last-event-id': String(resumed.at(-1).id) } });
  assert.equal(over.status, 204);
  const fresh = await collect(await service.fetch(job.urls.events));
  assert.deepEqual(names(fresh), ['succeeded']);
  const all = await collect(await service.fetch(job.urls.events, { headers: { 'last-event-id': '1' } }));
  assert.equal(all.filter((item) => item.event === 'step').length, steps);
  for (const bad of ['x', '-1', '1.5'])
    assert.equal((await service.fetch(job.urls.events, { headers: { 'last-event-id': bad } })).status, 400);
});

for (const word of ['crash-once@4', 'exit-once@4', 'garbage-once@4', 'unknown-once@4', 'oom-once'])
  test(`a worker that fails in mid-step (${word}) is a retry on the same stream`, async () => {
    const list = await collect(await service.post({ instruction: word, steps: 6 }, { headers: accept }));
    assert.equal(list.at(-1).event, 'succeeded', names(list).join());
    assert.equal(list.at(-1).data.attempts, 2);
    assert.equal(names(list).filter((name) => name === 'started').length, 2);
    const retry = list.findIndex((item, i) => i > 0 && item.event === 'queued' && item.data.reason);
    assert.ok(retry > 0, 'a queued event with the reason');
    const last = list.slice(retry).filter((item) => item.event === 'step').map((item) => item.data);
    assert.deepEqual(last.map((data) => data.step), [1, 2, 3, 4, 5, 6]);
    assert.ok(last.every((data) => data.attempt === 2));
  });

test('a job that always kills its worker fails after three attempts', async () => {
  const list = await collect(await service.post({ instruction: 'crash@2', steps: 3 }, { headers: accept }));
  assert.equal(list.at(-1).event, 'failed');
  assert.equal(list.at(-1).data.attempts, 3);
  assert.ok(list.at(-1).data.error.code.length > 0);
  await poll(async () => (await service.fetch('/health/ready')).status === 200);
});

test('pings while nothing happens; the client\'s leaving is noticed', async () => {
  const job = await service.submit({ instruction: 'hold' });
  const controller = new AbortController();
  const answer = await service.fetch(job.urls.events, { signal: controller.signal });
  let pings = 0;
  for await (const item of events(answer)) if (item.comment === 'ping' && ++pings === 3) break;
  controller.abort();
  await service.fetch(job.urls.cancel, { method: 'POST' });
});

test('many streams of one job get the same', async () => {
  const job = await service.submit({ instruction: 'step-ms=10', steps: 20 });
  const lists = await Promise.all(Array.from({ length: 50 }, async () => collect(await service.fetch(job.urls.events))));
  for (const list of lists) assert.equal(list.at(-1).event, 'succeeded');
});

test('a deleted job ends its streams', async () => {
  const job = await service.submit({ instruction: 'hold' });
  const answer = await service.fetch(job.urls.events);
  const ended = collect(answer);
  assert.equal((await service.fetch(job.urls.self, { method: 'DELETE' })).status, 204);
  await ended;
});
