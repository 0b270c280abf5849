// SPDX-License-Identifier: Apache-2.0
// Batches: many images at once, what differs in a manifest, one stream for all.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Service, collect, events, png, poll } from './service.mjs';

let service;
before(async () => { service = await Service.start(); });
after(() => service.stop());

function batchForm(fields = {}, images = 3) {
  const data = new FormData();
  for (let i = 0; i < images; i++) data.append('image', new Blob([png(8 + i, 6)]), `photo${i}.png`);
  for (const [name, value] of Object.entries({ instruction: 'remove the snow', ...fields }))
    if (value !== undefined) data.set(name, typeof value === 'string' ? value : JSON.stringify(value));
  return data;
}
const post = (fields, images, headers) => service.fetch('/v1/batches', { method: 'POST', body: batchForm(fields, images), headers });
const read = async (target) => (await service.fetch(target)).json();

test('one instruction for all', async () => {
  const answer = await post({ steps: 3 });
  assert.equal(answer.status, 202);
  const batch = await answer.json();
  assert.equal(answer.headers.get('location'), batch.urls.self);
  assert.equal(batch.object, 'batch');
  assert.equal(batch.total, 3);
  const list = await collect(await service.fetch(batch.urls.events));
  assert.equal(list[0].event, 'batch');
  assert.equal(list.at(-1).event, 'completed');
  assert.deepEqual(list.at(-1).data.counts, { queued: 0, running: 0, succeeded: 3, failed: 0, cancelled: 0 });
  assert.equal(list.filter((item) => item.event === 'job' && item.data.status === 'succeeded').length, 3);
  const jobs = (await read(batch.urls.jobs)).data;
  assert.equal(jobs.length, 3);
  assert.ok(jobs.every((job) => job.batch === batch.id && job.priority === 'batch' && job.instruction === 'remove the snow'));
  assert.deepEqual(jobs.map((job) => job.result.images[0].width), [10, 9, 8]); // newest first
  assert.equal((await read(batch.urls.self)).status, 'completed');
  const over = await service.fetch(batch.urls.events, { headers: { 'last-event-id': String(list.at(-1).id) } });
  assert.equal(over.status, 204);
  const fresh = await collect(await service.fetch(batch.urls.events));
  assert.equal(fresh.at(-1).event, 'completed');
});

test('a manifest says what is different', async () => {
  const manifest = [
    { file: 'photo0.png', instruction: 'remove the haze', steps: 2, metadata: { n: [1, 2.5, null, true, 'x'] } },
    { sampler: 'ddim', text_scale: 3.5 },
    { auxiliary_prompt: 'a dark room', instruction: '' },
  ];
  const batch = await (await post({ steps: 4, metadata: { all: 1 }, manifest })).json();
  await poll(async () => (await read(batch.urls.self)).status === 'completed');
  const [third, second, first] = (await read(batch.urls.jobs)).data;
  assert.deepEqual([first.instruction, first.parameters.steps, first.metadata], ['remove the haze', 2, { n: [1, 2.5, null, true, 'x'] }]);
  assert.deepEqual([second.instruction, second.parameters.steps, second.parameters.sampler, second.parameters.text_scale, second.metadata],
    ['remove the snow', 4, 'ddim', 3.5, { all: 1 }]);
  assert.deepEqual([third.instruction, third.auxiliary_prompt], ['', 'a dark room']);
});

test('what is wrong is named, and nothing is accepted', async () => {
  const before = (await read('/v1/jobs?limit=200')).data.length;
  const cases = [
    [{ manifest: '{' }, 'manifest', 'JSON'], [{ manifest: {} }, 'manifest', 'array'], [{ manifest: [{}] }, 'manifest', '3 images'],
    [{ manifest: [{}, 1, {}] }, 'manifest', 'manifest[1]'], [{ manifest: [{}, { colour: 1 }, {}] }, 'manifest', 'colour'],
    [{ manifest: [{}, {}, { steps: 0 }] }, 'manifest', 'manifest[2].steps'], [{ manifest: [{ steps: '3' }, {}, {}] }, 'manifest', 'number'],
    [{ manifest: [{ instruction: 3 }, {}, {}] }, 'manifest', 'instruction'], [{ manifest: [{ file: 'photo1.png' }, {}, {}] }, 'manifest', 'photo0'],
    [{ manifest: [{ priority: 'interactive' }, {}, {}] }, 'manifest', 'priority'], [{ manifest: [{ metadata: [] }, {}, {}] }, 'manifest', 'object'],
    [{ manifest: [{ instruction: null }, {}, {}] }, 'manifest', 'instruction'],
    [{ priority: 'interactive' }, 'priority', 'priority'], [{ mask: 'x' }, 'mask', 'mask'], [{ steps: 'x' }, 'steps', 'steps'],
    [{ instruction: undefined }, 'instruction', 'missing'],
  ];
  for (const [fields, param, part] of cases) {
    const answer = await post(fields);
    const body = await answer.json();
    assert.equal(answer.status, 400, JSON.stringify(body));
    assert.equal(body.error.param, param);
    assert.ok(body.detail.includes(part), body.detail);
  }
  assert.equal((await post({}, 0)).status, 400);
  assert.equal((await read('/v1/jobs?limit=200')).data.length, before);
});

test('a batch beyond its limits', async () => {
  const data = new FormData();
  data.set('instruction', 'x');
  for (let i = 0; i < 1001; i++) data.append('image', new Blob([png(1, 1)]), `${i}.png`);
  const answer = await service.fetch('/v1/batches', { method: 'POST', body: data });
  assert.equal(answer.status, 400);
  const { error } = await answer.json();
  assert.equal(error.param, 'image');
  assert.match(error.message, /1 to 1000 images, not 1001/);
});

test('cancel, idempotency, isolation', async () => {
  const headers = { 'idempotency-key': 'batch-1' };
  const first = await (await post({ instruction: 'hold' }, 4, headers)).json();
  const second = await post({ instruction: 'hold' }, 4, headers);
  assert.equal(second.headers.get('idempotent-replayed'), 'true');
  assert.equal((await second.json()).id, first.id);
  const cancelled = await service.fetch(first.urls.cancel, { method: 'POST' });
  assert.deepEqual((await cancelled.json()).counts.cancelled, 4);
  assert.equal((await service.fetch('/v1/batches/' + '0'.repeat(32))).status, 404);
  assert.equal((await service.fetch(first.urls.self + '?x=1')).status, 400);
});

test('interactive jobs go first', async () => {
  const small = await Service.start({ args: ['--max-runs', '1'] });
  try {
    const answer = await small.fetch('/v1/batches', { method: 'POST', body: batchForm({ instruction: 'step-ms=20', steps: 5 }, 6) });
    const batch = await answer.json();
    const quick = await small.submit({ steps: 1 });
    await small.until(quick.id);
    const now = await (await small.fetch(batch.urls.self)).json();
    assert.ok(now.counts.queued >= 3, JSON.stringify(now.counts));
    await small.fetch(batch.urls.cancel, { method: 'POST' });
  } finally {
    await small.stop();
  }
});

test('the answer of POST is the stream; 60 images in one request', async () => {
  const list = await collect(await post({ steps: 1 }, 60, { accept: 'text/event-stream' }));
  assert.equal(list.at(-1).data.counts.succeeded, 60);
});
