// SPDX-License-Identifier: Apache-2.0
// SIGHUP, and what promptfixd hands on to its workers.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { Service, poll } from './service.mjs';

const lines = (service) => service.log.trimEnd().split('\n').filter(Boolean).map((line) => JSON.parse(line));

test('SIGHUP: what can change does, the rest is named, a mistake changes nothing', async () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'promptfix-reload-'));
  const file = path.join(dir, 'config.json');
  const reload = async (config, message) => {
    const before = service.log.length;
    fs.writeFileSync(file, JSON.stringify(config));
    service.kill('SIGHUP');
    return poll(() => service.log.length > before && lines(service).findLast((line) => line.message === message));
  };
  fs.writeFileSync(file, '{"log_level": "error"}');
  const service = await Service.start({ args: ['--config', file] });
  try {
    await service.submit({ steps: 1 });
    assert.equal(service.log, '');
    const done = await reload({ log_level: 'debug', max_runs: 3, drain_deadline: '1s' }, 'configuration reloaded');
    assert.equal(done.after_restart, 'max_runs');
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
