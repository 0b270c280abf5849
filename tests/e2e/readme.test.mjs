// SPDX-License-Identifier: Apache-2.0
// Runs what README.md shows: every fenced block, as it stands there, but for the server's address.
// PROMPTFIX names the command-line program.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Service } from './service.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const has = (program) => !spawnSync(program, ['--version']).error;
const photo = fs.readFileSync(path.join(root, 'docs/sample.jpg'));
let service;

const blocks = [...fs.readFileSync(path.join(root, 'README.md'), 'utf8').matchAll(/^```(\w+)\n([^]*?)^```$/gm)]
  .map(([, language, code]) => ({ language, code }));

before(async () => { service = await Service.start({ fake: ['step-ms=5'] }); });
after(async () => { await service.stop(); });

// Runs a block in a folder with photo.jpg and holiday/, and hands over what came of it.
async function run({ language, code }, use) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'promptfix-readme-'));
  try {
    fs.writeFileSync(path.join(dir, 'photo.jpg'), photo);
    fs.mkdirSync(path.join(dir, 'holiday'));
    for (const name of ['beach.jpg', 'harbour.jpg']) fs.writeFileSync(path.join(dir, 'holiday', name), photo);
    fs.symlinkSync(path.join(root, 'tests/e2e/node_modules'), path.join(dir, 'node_modules'));
    const [program, name] = { sh: ['sh', 'example.sh'], js: [process.execPath, 'example.mjs'], python: ['python3', 'example.py'] }[language];
    const text = code.replaceAll('http://localhost:8080', service.url);
    assert.notEqual(text, code, 'it names the server');
    fs.writeFileSync(path.join(dir, name), language === 'sh' ? 'set -eu\n' + text : text);
    const child = spawn(program, [name], { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, PATH: `${path.dirname(process.env.PROMPTFIX)}:${process.env.PATH}` } });
    let out = '', err = '';
    child.stdout.on('data', (bytes) => { out += bytes; });
    child.stderr.on('data', (bytes) => { err += bytes; });
    const status = await new Promise((resolve, reject) => { child.on('error', reject); child.on('close', resolve); });
    assert.equal(status, 0, err);
    await use({ out, err, read: (file) => fs.readFileSync(path.join(dir, file)) });
  } finally {
    fs.rmSync(dir, { recursive: true, force: true });
  }
}

// The blocks in the order of the README: a name, its language, a word that is in it, and what must come of it. The
// fake worker gives the photo back as it was.
const steps = (out) => out.match(/^step \d+ of 20$/gm)?.length;
const isFixed = ({ read }) => assert.deepEqual(read('fixed.png'), photo);
const examples = [
  ['curl, streaming', 'sh', 'curl -N', ({ out }) => {
    assert.deepEqual(out.match(/(?<=^event: ).*$/gm), ['queued', 'started', ...Array(20).fill('step'), 'succeeded']);
  }],
  ['curl, waiting', 'sh', 'Prefer: wait', (result) => {
    assert.equal(JSON.parse(result.read('job.json')).status, 'succeeded');
    isFixed(result);
  }],
  ['JavaScript, fetch', 'js', 'fetch(', (result) => {
    assert.equal(steps(result.out), 20);
    isFixed(result);
  }],
  ['JavaScript, openai', 'js', "from 'openai'", (result) => {
    assert.deepEqual(result.out.trimEnd().split('\n'),
      ['image_edit.partial_image', 'image_edit.partial_image', 'image_edit.completed']);
    isFixed(result);
  }],
  ['Python, standard library', 'python', 'urllib', (result) => {
    assert.equal(steps(result.out), 20);
    isFixed(result);
  }],
  ['promptfix submit', 'sh', 'submit', ({ out, err, read }) => {
    assert.match(err, /2 done\n$/);
    assert.ok(out.match(/succeeded/g).length >= 2);
    for (const name of ['beach.jpg', 'harbour.jpg']) assert.deepEqual(read(path.join('fixed', name)), photo);
  }],
];

test('every block is an example that is run here', () => {
  assert.deepEqual(blocks.map(({ language }) => language), examples.map(([, language]) => language));
});

for (const [index, [name, language, word, check]] of examples.entries()) {
  const program = { sh: 'curl', js: 'node', python: 'python3' }[language];
  test(name, { skip: has(program) ? false : `there is no ${program}`, timeout: 60000 }, async () => {
    assert.ok(blocks[index].code.includes(word), blocks[index].code);
    await run(blocks[index], check);
  });
}
