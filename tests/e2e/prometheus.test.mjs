// SPDX-License-Identifier: Apache-2.0
// A real Prometheus scrapes the server. Skipped where there is none (Debian: apt install prometheus).
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { Service, collect, poll } from './service.mjs';

const has = (program) => !spawnSync(program, ['--version']).error;

test('promtool finds nothing to complain about', { skip: !has('promtool') }, async () => {
  const service = await Service.start();
  try {
    await collect(await service.post({ steps: 3 }, { headers: { accept: 'text/event-stream' } }));
    const text = await (await service.fetch('/metrics')).text();
    const checked = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
    assert.equal(checked.status, 0, checked.stderr);
    assert.equal(checked.stderr.trim(), '');
  } finally {
    await service.stop();
  }
});

test('Prometheus scrapes, and answers queries of what happened', { skip: !has('prometheus'), timeout: 60000 }, async () => {
  const service = await Service.start();
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'promptfix-prometheus-'));
  const port = await new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port: free } = server.address();
      server.close(() => resolve(free));
    });
  });
  fs.writeFileSync(path.join(dir, 'prometheus.yml'), `global: { scrape_interval: 1s }
scrape_configs: [{ job_name: promptfix, static_configs: [{ targets: ['127.0.0.1:${service.port}'] }] }]
`);
  const prometheus = spawn('prometheus', [`--config.file=${dir}/prometheus.yml`, `--storage.tsdb.path=${dir}/data`,
    `--web.listen-address=127.0.0.1:${port}`], { stdio: 'ignore' });
  try {
    for (let i = 0; i < 3; i++) await service.post({ steps: 5 }, { headers: { prefer: 'wait=20' } });
    const query = async (expression) => {
      try {
        const answer = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(expression)}`);
        const { data } = await answer.json();
        return data.result.map((item) => Number(item.value[1]));
      } catch {
        return [];
      }
    };
    await poll(async () => (await query('promptfix_jobs_ended_total{outcome="succeeded"}'))[0] === 3, 30000);
    assert.deepEqual(await query('up{job="promptfix"}'), [1]);
    assert.deepEqual(await query('promptfix_worker_ready'), [1]);
    assert.ok((await query('histogram_quantile(0.9, sum by (le) (promptfix_step_seconds_bucket))'))[0] >= 0);
    assert.ok((await query('promptfix_http_requests_total{route="createJob",status="200"}'))[0] === 3);
  } finally {
    prometheus.kill('SIGKILL');
    await service.stop();
    fs.rmSync(dir, { recursive: true, force: true });
  }
});
