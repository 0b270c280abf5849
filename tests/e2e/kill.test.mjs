// SPDX-License-Identifier: Apache-2.0
// kill -9 at random moments, of the server, of a worker, or of both, a hundred times and more: every accepted
// job ends, with its own picture, and none ends twice. KILLS sets how often, SEED which moments.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { test } from 'node:test';
import { Service, form, png } from './service.mjs';

const kills = Number(process.env.KILLS ?? 100);
let seed = Number(process.env.SEED ?? Date.now() % 1e6);
const random = () => {
  seed = (seed * 1103515245 + 12345) % 2147483648;
  return seed / 2147483648;
};
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function workersOf(pid) {
  try {
    return execFileSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' }).trim().split('\n').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

const killPid = (pid) => {
  try { process.kill(pid, 'SIGKILL'); } catch { /* it was quicker */ }
};

test(`${kills} kills lose no job (SEED=${seed})`, { timeout: 900000 }, async () => {
  // Attempts that a kill of the server cuts off are counted too: enough of them for the unluckiest job.
  const args = ['--max-attempts', '100', '--max-queued', '5000', '--max-runs', '4'];
  let service = await Service.start({ args });
  const accepted = new Map(); // id → width of its picture
  let running = true, number = 0, replays = 0, lost = 0, isBroken = false;

  // As a good client does: the same key and body again until there is an answer.
  const submitOne = async (key, width) => {
    while (!isBroken)
      try {
        const answer = await service.fetch('/v1/jobs', { method: 'POST', headers: { 'idempotency-key': key },
          body: form({ instruction: `step-ms=${width % 8}`, steps: 1 + (width % 7) }, png(width, 4)),
          signal: AbortSignal.timeout(30000) });
        const job = await answer.json();
        assert.notEqual(answer.status, 422, job.detail);
        if (answer.status < 300) {
          if (answer.headers.get('idempotent-replayed')) replays++;
          assert.ok(!accepted.has(job.id), 'a job of its own');
          accepted.set(job.id, width);
          return;
        }
        await pause(20);
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        lost++; // the answer went down with the server
        await pause(20);
      }
  };
  const submitter = async () => {
    while (running) {
      const mine = number++;
      await submitOne(`key-${mine}`, 8 + (mine % 200));
      await pause(random() * 30);
    }
  };
  const submitters = [submitter(), submitter(), submitter()];

  const counts = { server: 0, worker: 0, both: 0 };
  try {
    for (let i = 0; i < kills; i++) {
      await pause(20 + random() * 180);
      const pid = service.child.pid;
      const what = ['server', 'worker', 'both'][Math.floor(random() * 3)];
      const workers = what === 'server' ? [] : workersOf(pid);
      counts[what]++;
      workers.forEach(killPid);
      if (what === 'worker') continue;
      assert.equal(await service.stop({ keep: true, signal: 'SIGKILL' }), 'SIGKILL');
      service = await Service.start({ dir: service.dir, args });
    }
  } catch (error) {
    isBroken = true;
    throw error;
  } finally {
    running = false;
  }
  await Promise.all(submitters);

  try {
    for (const [id, width] of accepted) {
      const job = await service.until(id);
      assert.equal(job.status, 'succeeded', JSON.stringify(job.error));
      assert.equal(job.result.images[0].width, width, 'its own picture');
    }
    for (const id of [...accepted.keys()].slice(0, 20))
      assert.equal((await service.fetch(`/v1/jobs/${id}/result`)).status, 200);
    let after = '', all = 0;
    for (;;) {
      const page = await (await service.fetch(`/v1/jobs?limit=200${after && `&after=${after}`}`)).json();
      for (const job of page.data) assert.ok(accepted.has(job.id), `${job.id} was accepted`);
      all += page.data.length;
      if (!page.has_more) break;
      after = page.last_id;
    }
    assert.equal(all, accepted.size);
    // Input and result of each; and at most one file for each submission that a kill cut off.
    const jobs = accepted.size;
    const spool = fs.readdirSync(`${service.dir}/data/spool`).filter((name) => /^[0-9a-f]{32}$/.test(name));
    assert.ok(spool.length <= 2 * jobs + 3 * kills, `${spool.length} files for ${jobs} jobs`);
    console.log(`${JSON.stringify(counts)}: ${accepted.size} jobs, ${lost} answers lost, ${replays} of them accepted before`);
    assert.ok(accepted.size >= kills / 2, `only ${accepted.size} jobs`);
  } finally {
    assert.equal(await service.stop(), 0);
  }
});
