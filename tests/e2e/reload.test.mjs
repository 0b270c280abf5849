// SPDX-License-Identifier: Apache-2.0
// SIGHUP, and what promptfixd hands on to its workers.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { Service, png, poll } from './service.mjs';

const lines = (service) => service.log.trimEnd().split('\n').filter(Boolean).map((line) => JSON.parse(line));

// A server with a configuration file; reload() writes it anew, and waits for the line that says what came of it.
async function configured(config) {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'promptfix-reload-')), 'config.json');
  fs.writeFileSync(file, JSON.stringify(config));
  const service = await Service.start({ args: ['--config', file] });
  const reload = async (next, message = 'configuration reloaded') => {
    const before = service.log.length;
    fs.writeFileSync(file, JSON.stringify(next));
    service.kill('SIGHUP');
    return poll(() => service.log.slice(before).split('\n').slice(0, -1).map((line) => JSON.parse(line))
      .find((line) => line.message === message));
  };
  return { service, reload };
}

test('SIGHUP: what can change does, the rest is named, a mistake changes nothing', async () => {
  const { service, reload } = await configured({ log_level: 'error' });
  try {
    await service.submit({ steps: 1 });
    assert.equal(service.log, '');
    const done = await reload({ log_level: 'debug', max_runs: 3, drain_deadline: '1s' }, 'configuration reloaded');
    assert.equal(done.after_restart, 'max_runs');
    assert.equal(done.changed, 'drain_deadline, log_level');
    await service.submit({ steps: 1 });
    const requests = () => lines(service).filter((line) => line.path === '/v1/jobs').length;
    await poll(() => requests() === 1); // logged now
    const refused = await reload({ log_level: 'error', max_run: 3 }, 'the configuration is not reloaded');
    assert.match(refused.reason, /unknown.*max_run.*max_runs/);
    await service.submit({ steps: 1 });
    await poll(() => requests() === 2); // still
    service.kill('SIGTERM');
    const draining = await poll(() => lines(service).find((line) => line.message === 'draining'));
    assert.equal(draining.deadline_ms, 1000);
  } finally {
    assert.equal(await service.stop(), 0);
  }
});

test('SIGHUP: origins, limits of requests and of jobs', async () => {
  const { service, reload } = await configured({ log_format: 'json' });
  try {
    const origin = 'https://good.example';
    const strange = () => service.post({ steps: 1 }, { headers: { origin } });
    const large = () => service.post({ steps: 1 }, { image: Buffer.concat([png(), Buffer.alloc(100000)]) });
    const many = async (fields) => (await Promise.all(Array.from({ length: 3 }, () => service.post(fields)))).map((answer) => answer.status).sort();
    assert.equal((await strange()).status, 403);
    assert.equal((await large()).status, 202);
    assert.deepEqual(await many({ steps: 1 }), [202, 202, 202]);
    await poll(async () => (await (await service.fetch('/v1/jobs')).json()).data.every((job) => job.status === 'succeeded'));
    const done = await reload({ cors_origins: [origin], max_body_bytes: 65536, max_running_per_key: 1, max_queued: 1,
      result_ttl: '1s', wait_max: '2s', max_connections: 50 });
    assert.equal(done.changed, 'wait_max, cors_origins, max_body_bytes, max_queued, max_running_per_key, result_ttl');
    assert.equal(done.after_restart, 'max_connections');
    const allowed = await strange();
    assert.equal(allowed.status, 202);
    assert.equal(allowed.headers.get('access-control-allow-origin'), origin);
    assert.equal((await large()).status, 413);
    assert.equal((await service.post({}, { headers: { prefer: 'wait=3' } })).status, 400);
    const { limits } = await (await service.fetch('/v1/capabilities')).json();
    assert.deepEqual([limits.body_bytes, limits.wait_seconds], [65536, 2]);
    const ended = await service.until((await allowed.json()).id);
    assert.equal(Date.parse(ended.expires_at) - Date.parse(ended.finished_at), 1000);
    const held = await service.submit({ instruction: 'hold' });
    await service.until(held.id, (job) => job.status === 'running');
    const waiting = await service.submit({ instruction: 'hold' });
    assert.equal((await service.post({})).status, 429);
    assert.equal((await service.job(waiting.id)).status, 'queued');
    // Back again: the one that waited for its key's turn runs.
    await reload({});
    assert.equal((await strange()).status, 403);
    await service.until(waiting.id, (job) => job.status === 'running');
    for (const job of [held, waiting]) await service.fetch(job.urls.cancel, { method: 'POST' });
  } finally {
    assert.equal(await service.stop(), 0);
  }
});

// The worker of this test writes down how it was started, then is the fake one.
async function startOfWorker(options) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'promptfix-worker-'));
  const script = path.join(dir, 'worker.sh'), told = path.join(dir, 'told');
  fs.writeFileSync(script, `#!/bin/sh\nprintf '%s\\n' "OMP=$OMP_WAIT_POLICY" "$@" > '${told}.new'\nmv '${told}.new' '${told}'\n`
    + `exec '${process.env.FAKE_WORKER}' "$@"\n`, { mode: 0o755 });
  const service = await Service.start({ ...options, args: ['--worker-path', script, ...(options.args ?? [])] });
  await poll(() => fs.existsSync(told));
  await service.stop();
  return fs.readFileSync(told, 'utf8').trimEnd().split('\n');
}

test('a worker gets the options it shares, and threads that sleep while they wait', async () => {
  const plain = await startOfWorker({ env: { OMP_WAIT_POLICY: undefined } });
  assert.equal(plain[0], 'OMP=passive');
  assert.equal(plain[plain.indexOf('--dtype') + 1], 'auto');
  assert.ok(plain.includes('--log-format=json') && plain.includes('--log-level=info'));
  assert.ok(!plain.some((arg) => arg.startsWith('--merges')));
  const given = await startOfWorker({ env: { OMP_WAIT_POLICY: 'active' }, args: ['--dtype', 'bfloat16', '--threads', '3',
    '--max-pixels', '5000', '--merges', '/a b', '--max-batch', '2', '--max-runs', '5', '--log-level', 'error'] });
  assert.equal(given[0], 'OMP=active');
  for (const [name, value] of [['--dtype', 'bfloat16'], ['--max-batch', '2'], ['--max-runs', '5']])
    assert.equal(given[given.indexOf(name) + 1], value);
  for (const arg of ['--threads=3', '--max-pixels=5000', '--merges=/a b', '--log-level=error'])
    assert.ok(given.includes(arg), arg);
});
