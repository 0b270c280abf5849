// SPDX-License-Identifier: Apache-2.0
// Starts promptfixd with the fake worker (tests/server/fake_worker.c) and talks to it.
// PROMPTFIXD and FAKE_WORKER name the programs.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';

export const PROMPTFIXD = process.env.PROMPTFIXD;
export const FAKE_WORKER = process.env.FAKE_WORKER;

// A grey png of any size.
export function png(width = 8, height = 6) {
  const table = Array.from({ length: 256 }, (_, n) => {
    for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
    return n >>> 0;
  });
  const crc = (bytes) => ~bytes.reduce((c, b) => table[(c ^ b) & 255] ^ (c >>> 8), ~0) >>> 0;
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const out = Buffer.alloc(body.length + 8);
    out.writeUInt32BE(data.length, 0);
    body.copy(out, 4);
    out.writeUInt32BE(crc(body), body.length + 4);
    return out;
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 0, 0, 0, 0], 8);
  const rows = Buffer.alloc((width + 1) * height, 128);
  for (let y = 0; y < height; y++) rows[y * (width + 1)] = 0;
  return Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), chunk('IHDR', header),
    chunk('IDAT', zlib.deflateSync(rows)), chunk('IEND', Buffer.alloc(0))]);
}

export function form(fields = {}, image = png()) {
  const data = new FormData();
  if (image) data.set('image', new Blob([image]), 'photo.png');
  for (const [name, value] of Object.entries({ instruction: 'remove the haze', ...fields }))
    if (value instanceof Buffer) data.set(name, new Blob([value]), 'file');
    else if (value !== undefined) data.set(name, String(value));
  return data;
}

export class Service {
  // options: { args, fake: ['step-ms=5'], dir, env }; with { worker, model } a real one instead of the fake
  static async start(options = {}) {
    const service = new Service();
    service.dir = options.dir ?? fs.mkdtempSync(path.join(os.tmpdir(), 'promptfix-e2e-'));
    const worker = options.worker ?? path.join(service.dir, 'worker.sh');
    const fake = (options.fake ?? []).map((pair) => `--fake ${pair}`).join(' ');
    if (!options.worker) fs.writeFileSync(worker, `#!/bin/sh\nexec '${FAKE_WORKER}' "$@" ${fake}\n`, { mode: 0o755 });
    const model = options.model ?? path.join(service.dir, 'model.safetensors');
    if (!fs.existsSync(model)) fs.writeFileSync(model, '');
    service.child = spawn(PROMPTFIXD, ['--listen', '127.0.0.1:0', '--model', model, '--devices', 'cpu',
      '--worker-path', worker, '--data-dir', path.join(service.dir, 'data'), '--log-format', 'json',
      ...(options.args ?? [])], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...options.env } });
    service.log = '';
    service.exited = once(service.child, 'exit');
    service.child.stderr.on('data', (bytes) => { service.log += bytes; });
    service.stdout = '';
    service.url = await new Promise((resolve, reject) => {
      service.child.stdout.on('data', (bytes) => {
        service.stdout += bytes;
        const found = /^listening on (https?:\/\/\S+)\n/.exec(service.stdout);
        if (found) resolve(found[1]);
      });
      service.child.on('exit', (code, signal) =>
        reject(new Error(`promptfixd ended (${code ?? signal}): ${service.log}`)));
    });
    service.port = Number(new URL(service.url).port);
    return service;
  }

  kill(signal) { this.child.kill(signal); }

  // Ends the server and returns its exit status (or signal).
  async stop({ keep = false, signal = 'SIGTERM' } = {}) {
    this.kill(signal);
    const [code, by] = await this.exited;
    if (/ThreadSanitizer|AddressSanitizer|runtime error:/.test(this.log)) throw new Error(this.log);
    if (!keep) fs.rmSync(this.dir, { recursive: true, force: true });
    return code ?? by;
  }

  fetch(target, init) { return fetch(this.url + target, init); }

  post(fields, { image, headers, query = '' } = {}) {
    return this.fetch('/v1/jobs' + query, { method: 'POST', body: form(fields, image), headers });
  }

  async submit(fields, options) {
    const answer = await this.post(fields, options);
    const job = await answer.json();
    if (answer.status >= 300) throw new Error(JSON.stringify(job));
    return job;
  }

  async job(id, query = '') { return (await this.fetch(`/v1/jobs/${id}${query}`)).json(); }

  async until(id, done = (job) => ['succeeded', 'failed', 'cancelled'].includes(job.status)) {
    return poll(async () => {
      const job = await this.job(id);
      return done(job) && job;
    });
  }

  // Sends bytes as they are; resolves with all that came until the server closed or `until` came.
  raw(text, { until, within = 10000 } = {}) {
    return new Promise((resolve, reject) => {
      const socket = net.connect(this.port, '127.0.0.1');
      let data = '';
      const timer = setTimeout(() => { socket.destroy(); reject(new Error(`no end: ${data}`)); }, within);
      const finish = () => { clearTimeout(timer); socket.destroy(); resolve(data); };
      socket.on('data', (bytes) => {
        data += bytes.toString('latin1');
        if (until && data.includes(until)) finish();
      });
      socket.on('close', finish);
      socket.on('error', () => {});
      socket.write(text);
    });
  }
}

export async function poll(condition, within = 15000) {
  const end = Date.now() + within;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error('the condition was not met in time: ' + condition);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

// The events of a stream, one by one: { id, event, data } with data parsed; comments as { comment }.
export async function* events(answer) {
  const decoder = new TextDecoder();
  let text = '';
  for await (const bytes of answer.body) {
    text += decoder.decode(bytes, { stream: true });
    for (let end; (end = text.indexOf('\n\n')) >= 0; text = text.slice(end + 2)) {
      const item = {};
      for (const line of text.slice(0, end).split('\n')) {
        const colon = line.indexOf(':');
        if (colon === 0) item.comment = line.slice(1).trim();
        else item[line.slice(0, colon)] = line.slice(colon + 1).trimStart();
      }
      if (item.data !== undefined) item.data = JSON.parse(item.data);
      if (item.id !== undefined) item.id = Number(item.id);
      yield item;
    }
  }
  if (text) throw new Error(`the stream ends in mid-event: ${text}`);
}

export async function collect(answer) {
  const all = [];
  for await (const item of events(answer)) if (item.event) all.push(item);
  return all;
}
