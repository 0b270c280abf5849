// SPDX-License-Identifier: Apache-2.0
// The whole way with nothing faked but the weights: promptfix submit, TLS, promptfixd, promptfix-worker and a
// small model of random weights, written by promptfix-mkmodel.
// PROMPTFIXD, PROMPTFIX, WORKER and MKMODEL name the programs.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Service, png, poll } from './service.mjs';

const { PROMPTFIX, WORKER, MKMODEL } = process.env;
const NO_OPENSSL = spawnSync('openssl', ['version']).error ? 'there is no openssl' : false;
const KEY = crypto.randomBytes(16).toString('hex');

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'promptfix-real-'));
const at = (...names) => path.join(dir, ...names);
let service;

before(async () => {
  if (NO_OPENSSL) return;
  // A merges table of two merges, so a vocabulary of 512 + 2 + 2.
  fs.writeFileSync(at('merges.txt'), '#version: 0.2\nh a\nha z\n');
  execFileSync(MKMODEL, ['--preset', 'tiny', '--clip-vocabulary', '516', '--merges', at('merges.txt'), at('model.safetensors')]);
  for (const name of ['mine', 'other'])
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
      '-keyout', at(`${name}.key`), '-out', at(`${name}.pem`), '-days', '2', '-subj', '/CN=localhost',
      '-addext', 'subjectAltName=IP:127.0.0.1'], { stdio: 'ignore' });
  fs.writeFileSync(at('keys'), `me ${crypto.createHash('sha256').update(KEY).digest('hex')}\n`);
  fs.writeFileSync(at('key'), KEY + '\n');
  fs.mkdirSync(at('in/sub'), { recursive: true });
  fs.writeFileSync(at('in/a.png'), png(70, 64));
  fs.writeFileSync(at('in/sub/b.png'), png(64, 90));
  fs.copyFileSync(new URL('../../docs/sample.jpg', import.meta.url), at('in/c.jpg'));
  fs.writeFileSync(at('in/broken.png'), png(64, 64).subarray(0, 50)); // a header, no pixels
  service = await Service.start({ worker: WORKER, model: at('model.safetensors'), env: { OMP_WAIT_POLICY: 'passive' },
    args: ['--tls-certificate', at('mine.pem'), '--tls-key', at('mine.key'), '--keys-file', at('keys'), '--dtype', 'float32'] });
  assert.match(service.url, /^https:/);
});

after(async () => {
  if (service) assert.equal(await service.stop(), 0);
  fs.rmSync(dir, { recursive: true, force: true });
});

function run(...args) {
  return new Promise((resolve) => {
    const child = spawn(PROMPTFIX, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '', err = '';
    child.stdout.on('data', (bytes) => { out += bytes; });
    child.stderr.on('data', (bytes) => { err += bytes; });
    child.on('close', (code, signal) => resolve({ code: code ?? signal, out, err }));
  });
}

const access = (ca = 'mine.pem') => ['--server', service.url, '--ca-file', at(ca), '--key-file', at('key')];
const submit = (out, ...more) => run('submit', at('in'), '-o', at(out), '-i', 'remove the haze', '--steps', '2',
  '--resolution', '64', '--guidance', 'off', ...access(), ...more);
const report = (out) => Object.fromEntries(fs.readFileSync(at(out, 'report.jsonl'), 'utf8').trimEnd().split('\n')
  .map((line) => JSON.parse(line)).map((line) => [line.output, line]));

test('a certificate nobody vouches for: nothing is sent', { skip: NO_OPENSSL }, async () => {
  for (const ca of [[], ['--ca-file', at('other.pem')]]) {
    const { code, err } = await run('submit', at('in'), '-o', at('refused'), '-i', 'x', '--server', service.url,
      '--key-file', at('key'), '--retry-for', '0', ...ca);
    assert.equal(code, 6, err);
    assert.match(err, /certificate/i);
  }
  assert.deepEqual(JSON.parse((await run('jobs', '--json', ...access())).out).data, []);
  const gone = await run('jobs', ...access('nowhere.pem'), '--retry-for', '0');
  assert.notEqual(gone.code, 0);
  assert.match(gone.err, /nowhere\.pem/);
});

test('photos go in, pictures of the same size and format come back', { skip: NO_OPENSSL }, async () => {
  const { code, err } = await submit('out');
  assert.equal(code, 1, err); // one of them is broken
  const lines = report('out');
  assert.deepEqual(Object.entries(lines).map(([name, line]) => [name, line.status, line.format, line.width, line.height]).sort(), [
    ['a.png', 'succeeded', 'png', 70, 64],
    ['broken.png', 'failed', null, undefined, undefined],
    ['c.jpg', 'succeeded', 'jpeg', lines['c.jpg'].width, lines['c.jpg'].height],
    ['sub/b.png', 'succeeded', 'png', 64, 90],
  ]);
  assert.ok(lines['c.jpg'].width > 64);
  for (const name of ['a.png', 'c.jpg', 'sub/b.png'])
    assert.notDeepEqual(fs.readFileSync(at('out', name)), fs.readFileSync(at('in', name)), name); // something was done to it
  const list = await run('jobs', ...access());
  assert.equal(list.code, 0, list.err);
  assert.equal(list.out.match(/ succeeded /g).length, 3);
  const shown = JSON.parse((await run('jobs', 'show', lines['a.png'].job, '--json', ...access())).out);
  assert.deepEqual([shown.status, shown.progress.step, shown.parameters.resolution], ['succeeded', 2, 64]);
  assert.equal((await run('jobs', 'watch', lines['a.png'].job, ...access())).code, 0);
});

test('the same request gives the same picture, another seed another', { skip: NO_OPENSSL }, async () => {
  fs.rmSync(at('in/broken.png'));
  for (const [out, seed] of [['first', 7], ['second', 7], ['third', 8]]) {
    const { code, err } = await submit(out, '--seed', String(seed), '--output-format', 'png');
    assert.equal(code, 0, err);
  }
  const read = (out) => fs.readFileSync(at(out, 'a.png'));
  assert.deepEqual(read('first'), read('second'));
  assert.notDeepEqual(read('first'), read('third'));
});

test('a cancelled job ends in mid-run', { skip: NO_OPENSSL }, async () => {
  const running = run('submit', at('in/a.png'), '-o', at('long'), '-i', 'remove the haze', '--steps', '1000', '--resolution', '64',
    '--guidance', 'off', ...access());
  const jobs = async () => JSON.parse((await run('jobs', '--json', ...access())).out).data;
  const { id } = await poll(async () => (await jobs()).find((job) => job.status === 'running' && job.progress.step > 0), 60000);
  assert.deepEqual(await run('jobs', 'cancel', id, ...access()), { code: 0, out: `${id}  cancelled\n`, err: '' });
  assert.equal((await running).code, 1);
  assert.equal(report('long')['a.png'].status, 'cancelled');
  assert.ok((await jobs()).find((job) => job.id === id).progress.step < 1000);
});
