// SPDX-License-Identifier: Apache-2.0
// Start, readiness, draining, restarting.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Service, collect, events, poll } from './service.mjs';

const accept = { accept: 'text/event-stream' };
const ready = async (service) => {
  const answer = await service.fetch('/health/ready');
  return [answer.status, (await answer.json()).status];
};

test('loading: not ready, and a submission waits for the model', async () => {
  const service = await Service.start({ fake: ['load-ms=3000'] });
  try {
    assert.equal((await service.fetch('/health/live')).status, 200);
    assert.deepEqual(await ready(service), [503, 'loading']);
    assert.deepEqual((await (await service.fetch('/v1/models')).json()).data, []);
    const answer = await service.post({ steps: 1 });
    assert.equal(answer.status, 202);
    assert.deepEqual(await ready(service), [200, 'ready']);
    assert.equal((await service.until((await answer.json()).id)).status, 'succeeded');
  } finally {
    await service.stop();
  }
});

test('broken: says why, refuses jobs', async () => {
  const service = await Service.start({ fake: ['load=fail'] });
  try {
    await poll(async () => (await ready(service))[1] === 'broken', 30000);
    const answer = await (await service.fetch('/health/ready')).json();
    assert.match(answer.message, /tensor 'x' is missing/);
    const refused = await service.post({});
    assert.equal(refused.status, 503);
    assert.match((await refused.json()).detail, /tensor 'x' is missing/);
  } finally {
    await service.stop();
  }
});

test('SIGTERM: not ready, no new jobs, the running one ends, its stream too, then exit 0', async () => {
  const service = await Service.start();
  const answer = await service.post({ instruction: 'step-ms=100', steps: 15 }, { headers: accept });
  const id = answer.headers.get('location').split('/').pop();
  await service.until(id, (job) => job.status === 'running');
  const list = collect(answer);
  service.kill('SIGTERM');
  await poll(async () => (await ready(service))[1] === 'draining');
  const refused = await service.post({});
  assert.equal(refused.status, 503);
  assert.match(refused.headers.get('retry-after'), /^\d+$/);
  assert.equal((await list).at(-1).event, 'succeeded');
  assert.equal(await service.stop(), 0);
});

test('SIGTERM with work left: back to the queue at the deadline, run after the restart', async () => {
  const first = await Service.start({ args: ['--drain-deadline', '300ms'] });
  const stream = await first.post({ instruction: 'step-ms=60', steps: 20 }, { headers: accept });
  const id = stream.headers.get('location').split('/').pop();
  const waiting = first.post({ instruction: 'step-ms=60', steps: 20 }, { headers: { prefer: 'wait=60' } });
  await first.until(id, (job) => job.status === 'running');
  await poll(async () => (await (await first.fetch('/v1/jobs')).json()).data.length === 2);
  let lastId = 0;
  const reading = (async () => {
    for await (const item of events(stream)) if (item.id) lastId = item.id;
  })();
  assert.equal(await first.stop({ keep: true }), 0);
  await reading; // the stream ends well, without a terminal event
  const answer = await waiting;
  assert.equal(answer.status, 202);

  const second = await Service.start({ dir: first.dir });
  try {
    const resumed = await collect(await second.fetch(`/v1/jobs/${id}/events`, { headers: { 'last-event-id': String(lastId) } }));
    assert.equal(resumed.at(-1).event, 'succeeded');
    assert.ok(resumed.every((item) => item.id > lastId));
    assert.equal(resumed.at(-1).data.attempts, 1);
    assert.equal((await second.until((await answer.json()).id)).status, 'succeeded');
  } finally {
    await second.stop();
  }
});

test('kill -9: queued and running jobs run after the restart, finished ones are served', async () => {
  const first = await Service.start({ args: ['--max-runs', '2'] });
  const done = await first.until((await first.submit({ steps: 1 })).id);
  const ids = [];
  for (let i = 0; i < 6; i++) ids.push((await first.submit({ instruction: 'step-ms=50', steps: 10 })).id);
  await first.until(ids[0], (job) => job.status === 'running');
  assert.equal(await first.stop({ keep: true, signal: 'SIGKILL' }), 'SIGKILL');
  const second = await Service.start({ dir: first.dir });
  try {
    assert.equal((await second.fetch(done.urls.result)).status, 200);
    for (const id of ids) assert.equal((await second.until(id)).status, 'succeeded');
  } finally {
    await second.stop();
  }
});

test('two servers do not share a data directory; a port in use is said', async () => {
  const first = await Service.start();
  try {
    await assert.rejects(Service.start({ dir: first.dir }), /promptfixd ended \(1\)/);
    await assert.rejects(Service.start({ args: ['--listen', `127.0.0.1:${first.port}`] }), /in use/);
  } finally {
    await first.stop();
  }
});

test('bad options end with status 2 and say which', async () => {
  await assert.rejects(Service.start({ args: ['--steps', '3'] }), /ended \(2\).*--steps/s);
  await assert.rejects(Service.start({ args: ['--sse-ping', '3 parsecs'] }), /ended \(2\).*sse-ping/s);
  await assert.rejects(Service.start({ args: ['--max-body-bytes', '1MiB', '--max-buffered-bytes', '512KiB'] }), /ended \(1\).*max-buffered-bytes/s);
});
