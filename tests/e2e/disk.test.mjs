// SPDX-License-Identifier: Apache-2.0
// A full disk and a damaged database: said clearly, and no accepted job and no finished result is lost.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { Service, events, png, poll } from './service.mjs';

const run = (...command) => execFileSync(command[0], command.slice(1), { stdio: 'pipe' });

// No file may grow any more: what a full disk looks like to everybody. Works without privileges.
const byLimit = (service) => {
  const limit = (soft) => run('prlimit', '--pid', String(service.child.pid), `--fsize=${soft}:unlimited`);
  return { fill: () => limit(0), free: () => limit('unlimited') };
};

// A file system of 4 MB, really full. Needs the right to mount.
const byFilling = (data) => {
  const filler = path.join(data, 'filler');
  return {
    fill() {
      const fd = fs.openSync(filler, 'a');
      try {
        for (const size of [65536, 1]) try { for (;;) fs.writeSync(fd, Buffer.alloc(size)); } catch (error) { assert.equal(error.code, 'ENOSPC'); }
      } finally {
        fs.closeSync(fd);
      }
    },
    free: () => fs.rmSync(filler),
  };
};

// Two jobs run and three wait when the disk gets full.
async function story(service, disk) {
  const slow = { instruction: 'step-ms=100', steps: 30 };
  const answer = await service.post(slow, { headers: { accept: 'text/event-stream' }, image: png(200, 100) });
  const ids = [answer.headers.get('location').split('/').pop()];
  for (let i = 0; i < 4; i++) ids.push((await service.submit(slow, { image: png(200, 101 + i) })).id);
  const seen = [];
  const reading = (async () => { for await (const item of events(answer)) if (item.event) seen.push(item); })();
  await service.until(ids[1], (job) => job.status === 'running');
  disk.fill();
  const caught = []; // by the full disk while they ran
  for (const id of ids.slice(0, 2)) if ((await service.job(id)).status === 'running') caught.push(id);
  assert.ok(caught.length > 0);
  const refused = await service.post(slow);
  const problem = await refused.json();
  assert.equal(refused.status, 503);
  assert.match(refused.headers.get('retry-after'), /^\d+$/);
  assert.match(problem.detail, /disk is full/);
  assert.equal(problem.error.code, 'unavailable');
  // They come to their last step; that they ended can't be written, so nobody is told so.
  await poll(() => caught.every((id) => service.log.split('\n').some((line) => line.includes(id) && /"level":"error"/.test(line))));
  assert.match(service.log, /No space left|File too large|disk is full|disk I\/O error/);
  for (const id of caught) assert.equal((await service.job(id)).status, 'running');
  for (const id of ids.slice(2)) assert.equal((await service.job(id)).status, 'queued');
  if (caught.includes(ids[0])) assert.ok(!seen.some((item) => ['succeeded', 'failed'].includes(item.event)));
  assert.equal((await service.fetch('/health/ready')).status, 200);
  const stuck = await service.fetch(`/v1/jobs/${ids[4]}/cancel`, { method: 'POST' });
  if (stuck.status !== 200) assert.equal(stuck.status, 503); // the log may have had room for that
  disk.free();
  for (const [i, id] of ids.entries()) {
    const job = await service.until(id);
    if (i === 4 && stuck.status === 200) continue;
    assert.equal(job.status, 'succeeded', JSON.stringify(job.error));
    assert.equal(job.attempts, 1, 'what was computed was kept');
    assert.equal((await (await service.fetch(job.urls.result)).arrayBuffer()).byteLength, png(200, 100 + i).length);
  }
  await reading;
  assert.equal(seen.at(-1).event, 'succeeded');
  assert.equal((await service.until((await service.submit({ steps: 1 })).id)).status, 'succeeded');
  return ids;
}

const args = ['--max-runs', '2', '--drain-deadline', '0'];

test('no file may grow', async () => {
  const service = await Service.start({ args });
  try {
    await story(service, byLimit(service));
  } finally {
    assert.equal(await service.stop(), 0);
  }
});

test('a full file system; killed and started while it is full', async (t) => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'promptfix-e2e-'));
  const data = path.join(dir, 'data');
  fs.mkdirSync(data, { mode: 0o700 });
  try {
    run('mount', '-t', 'tmpfs', '-o', 'size=4m,mode=0700', 'tmpfs', data);
  } catch {
    fs.rmSync(dir, { recursive: true });
    t.skip('mounting is not permitted');
    return;
  }
  let service;
  try {
    service = await Service.start({ args, dir });
    const disk = byFilling(data);
    const ids = await story(service, disk);
    const held = await service.submit({ instruction: 'step-ms=20', steps: 10 });
    await service.until(held.id, (job) => job.status === 'running');
    disk.fill();
    await service.stop({ keep: true, signal: 'SIGKILL' });
    service = await Service.start({ args, dir }).catch((error) => {
      assert.match(error.message, /ended \(1\).*(No space left|disk is full|disk I\/O error)/s);
    });
    disk.free();
    service ??= await Service.start({ args, dir });
    assert.equal((await service.until(held.id)).status, 'succeeded');
    const { data: all } = await (await service.fetch('/v1/jobs?limit=200')).json();
    assert.deepEqual(all.map((job) => job.id).filter((id) => ids.includes(id)).sort(), [...ids].sort());
    for (const job of all) if (job.status === 'succeeded') assert.equal((await service.fetch(job.urls.result)).status, 200);
  } finally {
    await service?.stop({ keep: true });
    run('umount', data);
    fs.rmSync(dir, { recursive: true });
  }
});

test('a damaged database, a folder that can\'t be used: said, and nothing is overwritten', async () => {
  const first = await Service.start();
  await first.until((await first.submit({ steps: 1 })).id);
  await first.stop({ keep: true });
  const file = path.join(first.dir, 'data', 'jobs.db');
  const whole = fs.readFileSync(file);
  for (const [at, size] of [[0, 200], [4096 + 8, 4000]]) { // the header; a page behind it
    const damaged = Buffer.from(whole);
    damaged.fill(0x5a, at, at + size);
    fs.writeFileSync(file, damaged);
    await assert.rejects(Service.start({ dir: first.dir }), /ended \(1\).*job store: .*(not a database|damaged|malformed)/s);
    assert.deepEqual(fs.readFileSync(file), damaged);
  }
  fs.writeFileSync(file, whole);
  const second = await Service.start({ dir: first.dir });
  assert.equal((await (await second.fetch('/v1/jobs')).json()).data.length, 1);
  await second.stop();
  await assert.rejects(Service.start({ args: ['--data-dir', '/proc/nowhere'] }), /ended \(1\).*\/proc\/nowhere/s);
});
