// SPDX-License-Identifier: Apache-2.0
// A job's life over HTTP: submitting in all three ways, reading, listing, cancelling, deleting.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Service, collect, form, png, poll } from './service.mjs';

let service;
before(async () => { service = await Service.start(); });
after(() => service.stop());

test('the only line on stdout', () => {
  assert.match(service.stdout, /^listening on http:\/\/127\.0\.0\.1:\d+\n$/);
});

test('202, then the job runs and its result is the image', async () => {
  const image = png(20, 10);
  const answer = await service.post({ steps: 3, metadata: '{"a": [1, "x y"]}' }, { image });
  assert.equal(answer.status, 202);
  const job = await answer.json();
  assert.match(job.id, /^[0-9a-f]{32}$/);
  assert.equal(answer.headers.get('location'), `/v1/jobs/${job.id}`);
  assert.match(answer.headers.get('x-request-id'), /^[0-9a-f]{32}$/);
  assert.equal(job.object, 'job');
  assert.equal(job.instruction, 'remove the haze');
  assert.equal(job.model, 'fake');
  assert.deepEqual(job.metadata, { a: [1, 'x y'] });
  assert.equal(job.parameters.steps, 3);
  assert.equal(job.parameters.text_scale, 6.5);
  assert.equal(job.parameters.sampler, 'euler_ancestral');

  const ended = await service.until(job.id);
  assert.equal(ended.status, 'succeeded');
  assert.deepEqual(ended.progress, { step: 3, steps: 3, eta_ms: null });
  const [result] = ended.result.images;
  assert.deepEqual({ ...result, url: undefined },
    { url: undefined, format: 'png', width: 20, height: 10, bytes: image.length });
  assert.equal(result.url, `/v1/jobs/${job.id}/result`);

  const file = await service.fetch(result.url);
  assert.equal(file.status, 200);
  assert.equal(file.headers.get('content-type'), 'image/png');
  assert.match(file.headers.get('content-disposition'), /^inline; filename="promptfix-[0-9a-f]{8}\.png"$/);
  assert.deepEqual(Buffer.from(await file.arrayBuffer()), image);
  const again = await service.fetch(result.url, { headers: { 'if-none-match': file.headers.get('etag') } });
  assert.equal(again.status, 304);

  assert.equal(ended.result.images[0].b64_json, undefined);
  const whole = await service.job(job.id, '?include=image');
  assert.deepEqual(Buffer.from(whole.result.images[0].b64_json, 'base64'), image);
});

test('Prefer: wait gives the finished job, or 202 when time is over', async () => {
  const done = await service.post({ steps: 2 }, { headers: { prefer: 'respond-async, wait=30' }, query: '?include=image' });
  assert.equal(done.status, 200);
  assert.equal(done.headers.get('preference-applied'), 'wait=30');
  const job = await done.json();
  assert.equal(job.status, 'succeeded');
  assert.deepEqual(Buffer.from(job.result.images[0].b64_json, 'base64'), png());

  const start = Date.now();
  const late = await service.post({ instruction: 'hold' }, { headers: { prefer: 'wait=1' } });
  assert.equal(late.status, 202);
  assert.ok(Date.now() - start >= 900);
  const held = await late.json();
  assert.ok(['queued', 'running'].includes(held.status));
  await service.fetch(held.urls.cancel, { method: 'POST' });

  const failed = await service.post({ instruction: 'fail' }, { headers: { prefer: 'wait=30' } });
  assert.equal(failed.status, 200);
  assert.deepEqual((await failed.json()).error, { code: 'invalid', message: 'the script says so', field: 'image' });
});

test('what went wrong inside is not told', async () => {
  const answer = await service.post({ instruction: 'internal' }, { headers: { prefer: 'wait=30' } });
  const job = await answer.json();
  assert.equal(job.error.code, 'internal');
  assert.ok(!JSON.stringify(job).includes('shadow'));
});

test('cancel is idempotent, delete forgets', async () => {
  const job = await service.submit({ instruction: 'hold' });
  await service.until(job.id, (now) => now.status === 'running');
  for (let i = 0; i < 2; i++) {
    const answer = await service.fetch(job.urls.cancel, { method: 'POST' });
    assert.equal(answer.status, 200);
    assert.equal((await answer.json()).status, 'cancelled');
  }
  assert.equal((await service.fetch(job.urls.result)).status, 409);
  assert.equal((await service.fetch(job.urls.self, { method: 'DELETE' })).status, 204);
  for (const [url, method] of [[job.urls.self, 'GET'], [job.urls.self, 'DELETE'], [job.urls.events, 'GET'],
    [job.urls.result, 'GET'], [job.urls.cancel, 'POST']])
    assert.equal((await service.fetch(url, { method })).status, 404, `${method} ${url}`);
});

test('cancel at every step', async () => {
  const steps = 6;
  for (let at = 1; at <= steps; at++) {
    const answer = await service.post({ instruction: 'step-ms=200', steps },
      { headers: { accept: 'text/event-stream' } });
    const id = answer.headers.get('location').split('/').pop();
    const seen = [];
    const { events } = await import('./service.mjs');
    for await (const item of events(answer)) {
      if (!item.event) continue;
      seen.push(item.event);
      if (item.event === 'step' && item.data.step === at)
        await service.fetch(`/v1/jobs/${id}/cancel`, { method: 'POST' });
    }
    assert.equal(seen.at(-1), 'cancelled', `at step ${at}: ${seen}`);
    assert.ok(seen.filter((name) => name === 'step').length <= at + 1);
    assert.equal((await service.job(id)).status, 'cancelled');
  }
});

test('the list: newest first, by page, by status', async () => {
  const made = [];
  for (let i = 0; i < 5; i++) made.unshift((await service.submit({ steps: 1 })).id);
  for (const id of made) await service.until(id);
  const first = await (await service.fetch('/v1/jobs?limit=2')).json();
  assert.deepEqual(first.data.map((job) => job.id), made.slice(0, 2));
  assert.equal(first.has_more, true);
  assert.equal(first.last_id, made[1]);
  const second = await (await service.fetch(`/v1/jobs?limit=3&after=${first.last_id}`)).json();
  assert.deepEqual(second.data.map((job) => job.id), made.slice(2, 5));
  const cancelled = await (await service.fetch('/v1/jobs?status=cancelled')).json();
  assert.ok(cancelled.data.every((job) => job.status === 'cancelled'));
  for (const query of ['status=done', 'limit=0', 'limit=201', 'limit=x', 'after=x', 'colour=red',
    'after=00000000000000000000000000000000', 'limit=1&limit=2'])
    assert.equal((await service.fetch('/v1/jobs?' + query)).status, 400, query);
});

test('Idempotency-Key', async () => {
  const headers = { 'idempotency-key': 'key-1' };
  const first = await service.post({ steps: 1 }, { headers });
  const second = await service.post({ steps: 1 }, { headers });
  assert.equal(first.headers.get('idempotent-replayed'), null);
  assert.equal(second.headers.get('idempotent-replayed'), 'true');
  assert.equal((await first.json()).id, (await second.json()).id);
  assert.equal((await service.post({ steps: 2 }, { headers })).status, 422);
  assert.equal((await service.post({ steps: 1 }, { headers, image: png(9, 9) })).status, 422);
  assert.equal((await service.post({}, { headers: { 'idempotency-key': 'x'.repeat(256) } })).status, 400);
});

test('200 jobs at once', async () => {
  const answers = await Promise.all(Array.from({ length: 200 }, () => service.post({ steps: 2 })));
  const ids = await Promise.all(answers.map(async (answer) => {
    assert.equal(answer.status, 202);
    return (await answer.json()).id;
  }));
  assert.equal(new Set(ids).size, 200);
  for (const id of ids) assert.equal((await service.until(id)).status, 'succeeded');
});

test('models and capabilities', async () => {
  const list = await (await service.fetch('/v1/models')).json();
  assert.equal(list.data[0].id, 'fake');
  assert.equal((await (await service.fetch('/v1/models/fake')).json()).object, 'model');
  assert.equal((await service.fetch('/v1/models/other')).status, 404);
  const capabilities = await (await service.fetch('/v1/capabilities')).json();
  const steps = capabilities.parameters.find((parameter) => parameter.name === 'steps');
  assert.deepEqual([steps.type, steps.default, steps.minimum, steps.maximum], ['integer', 20, 1, 1000]);
  assert.equal(capabilities.limits.body_bytes, 32 << 20);
});

test('a result its format has no room for is refused at once', async () => {
  const image = png(16384, 100);
  const refused = await service.post({ output_format: 'webp', steps: 1, resolution: 64 }, { image });
  assert.equal(refused.status, 400);
  assert.equal((await refused.json()).errors[0].pointer, '#/output_format');
  const edit = await service.fetch('/v1/images/edits', { method: 'POST',
    body: form({ instruction: undefined, prompt: 'x', output_format: 'webp', resolution: 64 }, image) });
  assert.equal(edit.status, 400);
  assert.equal((await edit.json()).error.param, 'output_format');
  assert.equal((await service.submit({ output_format: 'jpeg', steps: 1, resolution: 64 }, { image: png(16384, 200) })).status, 'queued');
});

test('a full queue is a 429 that says when to come back', async () => {
  const small = await Service.start({ args: ['--max-queued', '3', '--max-queued-batch', '2', '--max-runs', '1', '--drain-deadline', '0'] });
  try {
    await small.submit({ instruction: 'hold' });
    await poll(async () => (await (await small.fetch('/v1/jobs?status=running')).json()).data.length === 1);
    for (let i = 0; i < 3; i++) await small.submit({ instruction: 'hold' });
    const refused = await small.post({});
    assert.equal(refused.status, 429);
    assert.match(refused.headers.get('retry-after'), /^[1-9]\d*$/);
    assert.equal((await refused.json()).error.code, 'queue_full');
    const queued = await (await small.fetch('/v1/jobs?status=queued')).json();
    assert.deepEqual(queued.data.map((job) => job.queue_position), [3, 2, 1]);
    // Batch jobs have places of their own.
    for (let i = 0; i < 2; i++) await small.submit({ instruction: 'hold', priority: 'batch' });
    const full = await small.post({ priority: 'batch' });
    assert.equal(full.status, 429);
    assert.match((await full.json()).detail, /2 of 2 jobs/);
  } finally {
    await small.stop();
  }
});
