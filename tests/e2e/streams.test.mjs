// SPDX-License-Identifier: Apache-2.0
// A thousand open streams while jobs run: all see every step and the end; what one costs in memory; readers that
// don't read cost nobody else.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { Service, poll } from './service.mjs';

const STREAMS = Number(process.env.STREAMS ?? 1000);
const MEMORY_MAX_KIB = 48; // of one stream
const IS_PLAIN = !process.env.SANITIZER || process.env.SANITIZER === 'none'; // a sanitizer's memory isn't the server's

let service;
before(async () => { service = await Service.start({ args: ['--max-connections', String(STREAMS + 100)] }); });
after(() => service.stop());

const residentKib = () => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${service.child.pid}/status`, 'utf8'))[1]);
const metric = async (name) => Number(new RegExp(`^promptfix_${name} (\\S+)$`, 'm').exec(await (await service.fetch('/metrics')).text())[1]);

// A stream on a bare socket: fetch would cost more than what it measures.
class Stream {
  constructor(id) {
    this.steps = 0;
    this.text = '';
    this.socket = net.connect(service.port, '127.0.0.1');
    this.socket.write(`GET /v1/jobs/${id}/events HTTP/1.1\r\nHost: x\r\n\r\n`);
    this.opened = new Promise((resolve) => { this.resolveOpened = resolve; });
    this.ended = new Promise((resolve) => {
      this.socket.on('data', (bytes) => {
        this.text += bytes.toString('latin1');
        this.resolveOpened();
        this.steps += this.text.split('event: step\n').length - 1;
        const isOver = this.text.includes('event: succeeded');
        this.text = this.text.slice(this.text.lastIndexOf('\n\n') + 1);
        if (isOver) { this.last = performance.now(); resolve(true); }
      });
      this.socket.on('close', () => resolve(false));
      this.socket.on('error', () => resolve(false));
    });
  }
}

test(`${STREAMS} streams`, { timeout: 120000 }, async () => {
  const held = await service.submit({ instruction: 'hold', steps: 10 });
  await service.until(held.id, (job) => job.status === 'running');
  // Warm: what the first streams cost once is not what each costs.
  const warm = Array.from({ length: 50 }, () => new Stream(held.id));
  await Promise.all(warm.map((stream) => stream.opened));
  const before = residentKib();
  const idle = Array.from({ length: STREAMS - 150 }, () => new Stream(held.id));
  await Promise.all(idle.map((stream) => stream.opened));
  assert.equal(await metric('http_streams'), STREAMS - 100);
  const each = (residentKib() - before) / idle.length;
  console.log(`memory: ${before} KiB with 50 streams, ${each.toFixed(1)} KiB for each more`);
  if (IS_PLAIN) assert.ok(each < MEMORY_MAX_KIB, `${each} KiB a stream`);

  const job = await service.submit({ instruction: 'step-ms=100', steps: 30 });
  const live = Array.from({ length: 100 }, () => new Stream(job.id));
  const results = await Promise.all(live.map((stream) => stream.ended));
  assert.ok(results.every(Boolean));
  assert.ok(live.every((stream) => stream.steps >= 20), 'the steps since each was opened');
  const ends = live.map((stream) => stream.last);
  console.log(`the end reached 100 streams within ${(Math.max(...ends) - Math.min(...ends)).toFixed(1)} ms`);

  for (const stream of [...warm, ...idle]) stream.socket.destroy();
  await poll(async () => (await metric('http_streams')) === 0);
  await service.fetch(held.urls.cancel, { method: 'POST' });
});

test('readers that do not read', { timeout: 60000 }, async () => {
  const job = await service.submit({ instruction: 'step-ms=4', steps: 1000, previews: 10 });
  // Their sockets take nothing: no data listener, the receive window fills.
  const stuck = Array.from({ length: 20 }, () => {
    const socket = net.connect({ port: service.port, host: '127.0.0.1', highWaterMark: 1 });
    socket.on('error', () => {});
    socket.write(`GET /v1/jobs/${job.id}/events HTTP/1.1\r\nHost: x\r\n\r\n`);
    return socket;
  });
  const reader = new Stream(job.id);
  assert.ok(await reader.ended);
  assert.ok(reader.steps > 900);
  const other = await service.submit({ steps: 2 });
  assert.equal((await service.until(other.id)).status, 'succeeded');
  // One that wakes up late still hears the end.
  const text = await new Promise((resolve) => {
    let all = '';
    stuck[0].on('data', (bytes) => {
      all += bytes;
      if (all.includes('event: succeeded')) resolve(all);
    });
  });
  assert.match(text, /event: succeeded/);
  for (const socket of stuck) socket.destroy();
  await poll(async () => (await metric('http_streams')) === 0);
});
