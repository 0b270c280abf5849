// SPDX-License-Identifier: Apache-2.0
// promptfix submit and promptfix jobs against the real server with the fake worker, and against servers
// that misbehave. PROMPTFIX names the program.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { Service, poll, png } from './service.mjs';

const { PROMPTFIX } = process.env;

// A folder of this test, with files by name; images differ in width.
function folder(files = {}) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'promptfix-submit-'));
  for (const [name, bytes] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
    fs.writeFileSync(path.join(dir, name), bytes);
  }
  return dir;
}

const images = (count) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`in/p${i}.png`, png(10 + i)]));

// Starts the program; `done` resolves with { code, out, err } and `child` can be sent signals.
function start(args, { env = {}, cwd } = {}) {
  const child = spawn(PROMPTFIX, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  const result = { child, out: '', err: '' };
  child.stdout.on('data', (bytes) => { result.out += bytes; });
  child.stderr.on('data', (bytes) => { result.err += bytes; });
  result.done = new Promise((resolve) => child.on('close', (code, signal) =>
    resolve({ code: code ?? signal, out: result.out, err: result.err })));
  return result;
}

const run = (args, options) => start(args, options).done;

const submit = (dir, url, ...more) =>
  ['submit', path.join(dir, 'in'), '-o', path.join(dir, 'out'), '--server', url, '-i', 'remove the haze', ...more];

const report = (dir, file = 'out/report.jsonl') => fs.readFileSync(path.join(dir, file), 'utf8').trimEnd().split('\n')
  .map((line) => JSON.parse(line));

const tree = (dir) => fs.readdirSync(dir, { recursive: true }).filter((name) => fs.statSync(path.join(dir, name)).isFile())
  .sort();

const jobs = async (service) => (await (await service.fetch('/v1/jobs?limit=200')).json()).data;

// The fake worker gives its input back.
function checkResults(dir, names) {
  for (const name of names)
    assert.deepEqual(fs.readFileSync(path.join(dir, 'out', name)), fs.readFileSync(path.join(dir, 'in', name)), name);
}

async function withService(options, use) {
  const service = await Service.start(options);
  try {
    await use(service);
  } finally {
    await service.stop();
  }
}

test('a tree: mirrored results, one bad image among good ones, other files passed over', async () => {
  const dir = folder({ ...images(5), 'in/sub/deep/q.png': png(40), 'in/broken.png': png().subarray(0, 30),
    'in/notes.txt': 'no image', 'in/.thumbnails/x.png': png(50), 'in/sub/empty.png': '' });
  await withService({}, async (service) => {
    const { code, out, err } = await run(submit(dir, service.url, '--steps', '3', '--metadata', '{"run": 1}'));
    assert.equal(code, 1, err);
    assert.equal(out, '');
    assert.match(err, /broken\.png: failed, unprocessable: image: /);
    assert.match(err, /p0\.png: done, \d+\.\d s\n/);
    assert.match(err, /6 done, 1 failed; 2 other files\n$/);
    const names = ['p0.png', 'p1.png', 'p2.png', 'p3.png', 'p4.png', 'sub/deep/q.png'];
    assert.deepEqual(tree(path.join(dir, 'out')), [...names, 'report.jsonl'].sort());
    checkResults(dir, names);
    const lines = report(dir);
    assert.equal(lines.length, 7);
    const good = lines.find((line) => line.output === 'sub/deep/q.png');
    assert.equal(good.status, 'succeeded');
    assert.equal(good.source, path.join(dir, 'in/sub/deep/q.png'));
    assert.deepEqual([good.width, good.height, good.format, good.error, good.replayed], [40, 6, 'png', null, false]);
    const job = await service.job(good.job);
    assert.deepEqual([job.parameters.steps, job.priority, job.metadata.run], [3, 'batch', 1]);
    const bad = lines.find((line) => line.output === 'broken.png');
    assert.deepEqual([bad.status, bad.error.code, bad.job], ['failed', 'unprocessable', null]);
  });
});

test('a rerun sends nothing that is done, fetches what is missing, tries again what failed', async () => {
  const dir = folder({ ...images(4), 'in/broken.png': png().subarray(0, 30) });
  await withService({}, async (service) => {
    await run(submit(dir, service.url, '--steps', '2'));
    assert.equal((await jobs(service)).length, 4);
    fs.rmSync(path.join(dir, 'out/p1.png'));
    fs.writeFileSync(path.join(dir, 'out/p2.png'), 'cut'); // not the size the report has
    const again = await run(submit(dir, service.url, '--steps', '2'));
    assert.equal(again.code, 1);
    assert.match(again.err, /2 done, 2 done before, 1 failed\n$/);
    assert.equal((await jobs(service)).length, 4); // the old jobs' results
    checkResults(dir, ['p0.png', 'p1.png', 'p2.png', 'p3.png']);
    assert.equal(report(dir).length, 5 + 3);
    assert.ok(report(dir).filter((line) => line.replayed).every((line) => /p[12]/.test(line.output)));

    fs.rmSync(path.join(dir, 'in/broken.png'));
    assert.equal((await run(submit(dir, service.url, '--steps', '2'))).code, 0);
    assert.equal((await jobs(service)).length, 4);
    fs.writeFileSync(path.join(dir, 'in/p3.png'), png(99)); // another image
    assert.equal((await run(submit(dir, service.url, '--steps', '2'))).code, 0);
    assert.equal((await jobs(service)).length, 5);
    checkResults(dir, ['p3.png']);
    assert.match((await run(submit(dir, service.url, '--steps', '1'))).err, /4 done\n$/); // another request
    assert.equal((await jobs(service)).length, 9);
  });
});

test('what failed on the server gets a new job; a cancelled job is told', async () => {
  const dir = folder({ 'in/a.png': png(20), 'in/b.png': png(21),
    'list.jsonl': '{"image": "in/a.png", "instruction": "fail", "output": "a.png"}\n{"image": "in/b.png", "instruction": "hold"}\n' });
  const args = (service) => ['submit', '--manifest', path.join(dir, 'list.jsonl'), '-o', path.join(dir, 'out'),
    '--server', service.url];
  await withService({}, async (service) => {
    const first = start(args(service));
    const held = await poll(async () => (await jobs(service)).find((job) => job.instruction === 'hold' && job.status === 'running'));
    await poll(async () => (await jobs(service)).some((job) => job.status === 'failed'));
    assert.equal((await run(['jobs', 'cancel', held.id, '--server', service.url])).code, 0);
    assert.equal((await first.done).code, 1);
    const byOutput = Object.fromEntries(report(dir).map((line) => [line.output, line]));
    assert.equal(byOutput['a.png'].error.code, 'invalid');
    assert.equal(byOutput['a.png'].error.message, 'the script says so');
    assert.equal(byOutput['in/b.png'].status, 'cancelled');
    const second = start(args(service));
    const next = await poll(async () => (await jobs(service)).find((job) => job.instruction === 'hold' && job.status === 'running'));
    await run(['jobs', 'cancel', next.id, '--server', service.url]);
    assert.equal((await second.done).code, 1);
    const all = await jobs(service);
    assert.equal(all.length, 4);
    const last = report(dir).filter((line) => line.output === 'a.png').at(-1);
    assert.equal(last.replayed, false);
    assert.notEqual(last.job, byOutput['a.png'].job);
  });
});

test('the server dies in mid-batch and comes back: every image once', async () => {
  const dir = folder(images(12));
  let service = await Service.start({ fake: ['step-ms=20'] });
  const running = start(submit(dir, service.url, '--steps', '10', '--parallel', '3'));
  try {
    for (const signal of ['SIGKILL', 'SIGTERM']) {
      const done = (await jobs(service)).filter((job) => job.status === 'succeeded').length;
      await poll(async () => (await jobs(service)).filter((job) => job.status === 'succeeded').length >= done + 2);
      await service.stop({ keep: true, signal });
      service = await Service.start({ dir: service.dir, fake: ['step-ms=20'],
        args: ['--listen', `127.0.0.1:${service.port}`] });
    }
    const { code, err } = await running.done;
    assert.equal(code, 0, err);
    checkResults(dir, Object.keys(images(12)).map((name) => name.slice(3)));
    const all = await jobs(service);
    assert.equal(all.length, 12);
    assert.deepEqual(report(dir).map((line) => line.job).sort(), all.map((job) => job.id).sort());
  } finally {
    running.child.kill('SIGKILL');
    await service.stop();
  }
});

test('a server that forgets its jobs gets them again', async () => {
  const dir = folder(images(3));
  let service = await Service.start({ args: ['--store', ':memory:'], fake: ['step-ms=30'] });
  const running = start(submit(dir, service.url, '--steps', '20'));
  try {
    await poll(async () => (await jobs(service)).some((job) => job.status === 'running'));
    await service.stop({ keep: true, signal: 'SIGKILL' });
    service = await Service.start({ dir: service.dir, args: ['--store', ':memory:', '--listen', `127.0.0.1:${service.port}`] });
    const { code, err } = await running.done;
    assert.equal(code, 0, err);
    checkResults(dir, ['p0.png', 'p1.png', 'p2.png']);
  } finally {
    running.child.kill('SIGKILL');
    await service.stop();
  }
});

test('a full queue is waited out', async () => {
  const dir = folder(images(8));
  await withService({ args: ['--max-queued', '1', '--max-runs', '1'] }, async (service) => {
    const first = await service.submit({ instruction: 'hold' });
    await service.until(first.id, (job) => job.status === 'running');
    const second = await service.submit({ instruction: 'hold too' });
    const running = start(submit(dir, service.url, '--steps', '3', '--parallel', '8', '--priority', 'interactive'));
    await poll(() => /\(429\); next try in \d+ s\n/.test(running.err));
    for (const held of [second, first]) await service.fetch(held.urls.cancel, { method: 'POST' });
    const { code, err } = await running.done;
    assert.equal(code, 0, err);
    assert.equal((await jobs(service)).length, 8 + 2);
  });
});

test('an interrupt leaves jobs to the server; the rerun takes them up', async () => {
  const dir = folder(images(6));
  await withService({ fake: ['step-ms=40'], args: ['--max-runs', '2'] }, async (service) => {
    const args = submit(dir, service.url, '--steps', '15', '--parallel', '2');
    const first = start(args);
    await poll(async () => (await jobs(service)).some((job) => job.status === 'succeeded'));
    await poll(async () => (await jobs(service)).some((job) => job.status === 'running' && job.progress.step > 2));
    first.child.kill('SIGINT');
    const { code, err } = await first.done;
    assert.equal(code, 130, err);
    assert.match(err, /left\n.*interrupted\n$/);
    assert.ok(report(dir).some((line) => line.status === 'interrupted' && line.job));
    assert.ok(tree(path.join(dir, 'out')).every((name) => /^(p\d\.png|report\.jsonl)$/.test(name)));
    const known = (await jobs(service)).length;
    assert.ok(known < 6);
    const second = await run(args);
    assert.equal(second.code, 0, second.err);
    const all = await jobs(service);
    assert.equal(all.length, 6);
    assert.ok(all.every((job) => job.status === 'succeeded' && job.attempts === 1));
    checkResults(dir, tree(path.join(dir, 'in')));
  });
});

test('an interrupt cancels what is in flight when asked to', async () => {
  const dir = folder(images(3));
  await withService({}, async (service) => {
    const args = submit(dir, service.url, '--cancel-on-interrupt');
    args[args.indexOf('-i') + 1] = 'hold';
    const first = start(args);
    await poll(async () => (await jobs(service)).filter((job) => job.status === 'running').length === 3);
    first.child.kill('SIGTERM');
    assert.equal((await first.done).code, 130);
    assert.ok((await jobs(service)).every((job) => job.status === 'cancelled'));
  });
});

test('the key: from a file or the environment; without one nothing is sent', async () => {
  const dir = folder(images(2));
  const hash = crypto.createHash('sha256').update('secret').digest('hex');
  fs.writeFileSync(path.join(dir, 'keys'), `me ${hash}\n`);
  fs.writeFileSync(path.join(dir, 'key'), 'secret\n');
  await withService({ args: ['--keys-file', path.join(dir, 'keys')] }, async (service) => {
    const refused = await run(submit(dir, service.url));
    assert.equal(refused.code, 6);
    assert.match(refused.err, /promptfix submit: .*\(401\)\n$/);
    assert.equal((await run(submit(dir, service.url), { env: { PROMPTFIX_KEY: 'wrong' } })).code, 6);
    assert.equal((await run(submit(dir, service.url, '--key-file', path.join(dir, 'key')))).code, 0);
    const listed = await run(['jobs'], { env: { PROMPTFIX_KEY: 'secret', PROMPTFIX_SERVER: service.url } });
    assert.equal(listed.code, 0, listed.err);
    assert.equal(listed.out.trimEnd().split('\n').length, 2);
  });
});

test('jobs: list, show, watch, cancel', async () => {
  await withService({ fake: ['step-ms=5'] }, async (service) => {
    const call = (...args) => run(['jobs', ...args, '--server', service.url]);
    const good = await service.submit({ instruction: 'make it \u001b[31mred', steps: 4 });
    const bad = await service.submit({ instruction: 'fail' });
    assert.deepEqual(await call('watch', good.id),
      { code: 0, out: `${good.id}  succeeded  8×6 png, 71 bytes\n`, err: '' });
    const failed = await call('watch', bad.id);
    assert.deepEqual([failed.code, failed.out], [1, `${bad.id}  failed  invalid: the script says so\n`]);
    const list = await call();
    assert.equal(list.code, 0);
    assert.match(list.out, new RegExp(`^${bad.id}  failed .*\n${good.id}  succeeded .*  make it \\?\\[31mred\n$`));
    assert.match((await call('list', '--status', 'failed')).out, new RegExp(`^${bad.id}[^\n]*\n$`));
    assert.match((await call('list', '-n', '1')).out, new RegExp(`^${bad.id}[^\n]*\n$`));
    assert.equal(JSON.parse((await call('list', '--json')).out).data.length, 2);
    assert.match((await call('show', good.id)).out, /status {7}succeeded\n[^]*steps {8}4\/4\n/);
    assert.equal(JSON.parse((await call('show', good.id, '--json')).out).id, good.id);

    const held = await service.submit({ instruction: 'hold' });
    const watching = start(['jobs', 'watch', '--server', service.url]);
    await poll(async () => (await service.job(held.id)).status === 'running');
    assert.deepEqual((await call('cancel', '--all')), { code: 0, out: `${held.id}  cancelled\n`, err: '' });
    const watched = await watching.done; // begun before or after: it saw the end, or nothing to watch
    assert.ok(watched.out === '' ? watched.code === 0 : watched.code === 1, JSON.stringify(watched));

    const nobody = '0123456789abcdef0123456789abcdef';
    assert.equal((await call('show', nobody)).code, 3);
    assert.match((await call('cancel', nobody)).err, /\(404\)/);
    for (const args of [['show'], ['cancel'], ['watch', 'x'], ['frobnicate'], ['list', nobody], ['cancel', nobody, '--all']])
      assert.equal((await call(...args)).code, 2, args.join(' '));
  });
});

test('jobs: a list longer than a page', async () => {
  await withService({ args: ['--max-queued', '1000'] }, async (service) => {
    for (let i = 0; i < 210; i++) await service.submit({ instruction: i === 0 ? 'hold' : `hold ${i}` });
    const list = await run(['jobs', '-n', '205', '--server', service.url]);
    const ids = list.out.trimEnd().split('\n').map((line) => line.slice(0, 32));
    assert.equal(new Set(ids).size, 205);
    const cancelled = await run(['jobs', 'cancel', '--all', '--server', service.url]);
    assert.equal(cancelled.out.trimEnd().split('\n').length, 210);
  });
});

test('wrong usage and inputs are told before anything is sent', async () => {
  const dir = folder({ 'in/a.png': png(), 'in/a.jpg': 'x', 'text/b.txt': 'x', 'twin/a.png': png(9),
    'list.jsonl': '{"image": "in/a.png", "stesp": 3}\n', 'bad.key': 'two words\n' });
  const at = (name) => path.join(dir, name);
  const server = 'http://127.0.0.1:1';
  const cases = [
    [2, /no images given/, ['-i', 'x', '-o', at('out')]],
    [2, /no output folder/, [at('in'), '-i', 'x']],
    [2, /no instruction/, [at('in'), '-o', at('out')]],
    [2, /did you mean --steps/, [at('in'), '--stesp', '3']],
    [2, /--parallel is '65'/, [at('in'), '-i', 'x', '-o', at('out'), '--parallel', '65']],
    [2, /--server is 'ftp:/, [at('in'), '-i', 'x', '-o', at('out'), '--server', 'ftp://x']],
    [2, /has no place/, [at('in'), '-i', 'x', '-o', at('out'), '--server', 'http://me:secret@x']],
    [2, /one line of visible/, [at('in'), '-i', 'x', '-o', at('out'), '--key-file', at('bad.key')]],
    [3, /nowhere: no such file/, [at('nowhere'), '-i', 'x', '-o', at('out')]],
    [3, /no images: 1 other/, [at('text'), '-i', 'x', '-o', at('out')]],
    [3, /would overwrite/, [at('in'), '-i', 'x', '-o', at('in')]],
    [3, /would both be a\.png/, [at('in'), at('twin'), '-i', 'x', '-o', at('out')]],
    [3, /line 1: unknown member 'stesp'/, ['--manifest', at('list.jsonl'), '-o', at('out')]],
  ];
  for (const [code, message, args] of cases) {
    const result = await run(['submit', '--server', server, '--retry-for', '0', ...args]);
    assert.equal(result.code, code, result.err);
    assert.match(result.err, message);
  }
  assert.ok(!fs.existsSync(at('out')));
  const away = await run(submit(dir, server, '--retry-for', '0'));
  assert.equal(away.code, 6);
  assert.match(away.err, /127\.0\.0\.1:1: /);
});

test('help pages say it all within 80 columns', async () => {
  for (const [command, words] of [['submit', ['--steps', '--guidance-rate', 'MANIFEST', 'REPORT', 'same']],
    ['jobs', ['watch', '--json']]]) {
    const { code, out } = await run([command, '--help']);
    assert.equal(code, 0);
    for (const word of [...words, 'NAME', 'SYNOPSIS', '--server', '--key-file', 'EXIT STATUS', 'EXAMPLES'])
      assert.ok(out.includes(word), word);
    for (const line of out.split('\n')) assert.ok([...line].length <= 80, line);
  }
  assert.match((await run(['--help'])).out, /submit .*\n.*jobs /);
});

test('a terminal gets one line that is drawn anew', async (t) => {
  const dir = folder(images(4));
  await withService({ fake: ['step-ms=60'] }, async (service) => {
    const command = [PROMPTFIX, ...submit(dir, service.url, '--steps', '10')].map((arg) => `'${arg}'`).join(' ');
    const child = spawn('script', ['-qefc', command, '/dev/null'], { stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, TERM: 'xterm' } });
    let out = '';
    child.stdout.on('data', (bytes) => { out += bytes; });
    const code = await new Promise((resolve) => { child.on('error', () => resolve(null)); child.on('close', resolve); });
    if (code === null) {
      t.skip('there is no script(1)');
      return;
    }
    assert.equal(code, 0, out);
    assert.match(out, /\r\x1b\[K\[#* *\] +\d+%  \d\/4/);
    assert.match(out, /p\d\.png \d+\/10/);
    assert.match(out, /4 done\r?\n$/);
    assert.ok(!out.includes('p0.png: done')); // lines of their own only with --verbose
  });
});

// ---- servers that misbehave ----

// A server of one job after the other, that does as `script` says. Remembers what was asked.
async function scripted(script, use) {
  const seen = [];
  const server = http.createServer((request, response) => {
    const chunks = [];
    request.on('data', (bytes) => chunks.push(bytes));
    request.on('error', () => {});
    request.on('end', () => {
      const entry = { method: request.method, url: request.url, headers: request.headers, at: Date.now(),
        body: Buffer.concat(chunks).toString('latin1') };
      seen.push(entry);
      const json = (status, body, headers = {}) => {
        response.writeHead(status, { 'content-type': 'application/json', ...headers });
        response.end(JSON.stringify(body));
      };
      if (request.url === '/v1/capabilities') json(200, { limits: { body_bytes: 1 << 20 }, auxiliary: ['off'] });
      else script({ entry, request, response, json, count: (method, url) =>
        seen.filter((one) => one.method === method && (!url || url.test(one.url))).length });
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await use(`http://127.0.0.1:${server.address().port}`, seen);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const id = 'abcdefabcdefabcdefabcdefabcdefab';
const result = png(77);
const job = (status, more = {}) => ({ id, status, priority: 'batch', instruction: 'x', attempts: 1,
  progress: { step: 0, steps: 5, eta_ms: null }, queue_position: null, error: null,
  result: status === 'succeeded' ? { images: [{ format: 'png', width: 77, height: 6, bytes: result.length }] } : null,
  ...more });

const serveResult = (response) => { response.writeHead(200, { 'content-type': 'image/png' }); response.end(result); };

test('Retry-After is kept; a lost answer is asked for again under the same key', async () => {
  const dir = folder({ 'in/a.png': png() });
  await scripted(({ entry, request, response, json, count }) => {
    if (entry.method === 'POST') {
      const n = count('POST');
      if (n === 1) json(429, { detail: 'full', error: { code: 'queue_full' } }, { 'retry-after': '2' });
      else if (n === 2) json(503, { detail: 'starting' }, { 'retry-after': '1' });
      else if (n === 3) request.socket.destroy(); // taken, but nobody hears of it
      else json(202, job('succeeded'), { 'idempotent-replayed': 'true' });
    } else serveResult(response);
  }, async (url, seen) => {
    const { code, err } = await run(submit(dir, url));
    assert.equal(code, 0, err);
    const posts = seen.filter((entry) => entry.method === 'POST');
    assert.equal(posts.length, 4);
    assert.ok(posts[1].at - posts[0].at >= 2000, `${posts[1].at - posts[0].at}`);
    assert.ok(posts[2].at - posts[1].at >= 1000);
    assert.equal(new Set(posts.map((entry) => entry.headers['idempotency-key'])).size, 1);
    assert.match(posts[0].headers['idempotency-key'], /^[0-9a-f]{64}$/);
    assert.match(posts[0].body, /name="instruction"\r\n\r\nremove the haze\r\n/);
    assert.match(posts[0].body, /name="image"; filename="image"/);
    assert.equal(report(dir)[0].replayed, true);
  });
});

test('a stream that breaks off is taken up behind its last event', async () => {
  const dir = folder({ 'in/a.png': png() });
  const event = (n, name, data) => `id: ${n}\nevent: ${name}\ndata: ${JSON.stringify({ job: id, ...data })}\n\n`;
  await scripted(({ entry, response, request, json, count }) => {
    if (entry.method === 'POST') json(202, job('queued', { queue_position: 2 }));
    else if (entry.url.endsWith('/events')) {
      const n = count('GET', /events$/);
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      if (n === 1) response.write(event(1, 'queued', job('queued', { queue_position: 1 })) +
        event(2, 'started', job('running')) + 'id: 3\nevent: step\nda', () => request.socket.destroy());
      else if (n === 2) response.end(': ping\n\n' + event(3, 'step', { step: 1, steps: 5 })); // a clean end, too early
      else response.end(event(4, 'succeeded', job('succeeded')));
    } else if (entry.url.endsWith('/result')) serveResult(response);
    else json(200, job('running'));
  }, async (url, seen) => {
    const { code, err } = await run(submit(dir, url));
    assert.equal(code, 0, err);
    const streams = seen.filter((entry) => entry.url.endsWith('/events'));
    assert.deepEqual(streams.map((entry) => entry.headers['last-event-id']), [undefined, '2', '3']);
    assert.ok(streams.every((entry) => entry.headers.accept === 'text/event-stream'));
    assert.equal(seen.filter((entry) => entry.method === 'POST').length, 1);
  });
});

test('a result that is not what it should be is not written', async () => {
  const dir = folder({ 'in/a.png': png() });
  for (const body of ['<html>', result.subarray(0, -1), Buffer.concat([Buffer.from('BM'), result.subarray(2)])])
    await scripted(({ entry, response, json }) => {
      if (entry.method === 'POST') json(202, job('succeeded'));
      else response.end(body);
    }, async (url) => {
      assert.equal((await run(submit(dir, url))).code, 1);
      assert.equal(report(dir).at(-1).error.code, 'bad_result');
      assert.deepEqual(tree(path.join(dir, 'out')), ['report.jsonl']);
    });
});

test('answers that stop everything, and answers that stop one image', async () => {
  const dir = folder(images(3));
  const cases = [
    // [what POST answers, exit code, number of POSTs, message]
    [401, {}, 6, 1, /answers 401/],
    [302, { location: 'http://127.0.0.1:1/' }, 6, 1, /answers 302/],
    [422, {}, 1, 3, /failed, http_422/],
    [413, {}, 1, 3, /failed, http_413/],
    [200, {}, 1, 3, /no job of promptfix/],
    [500, {}, 1, 9, /failed, http_500/], // a fault gets three tries
  ];
  for (const [status, headers, code, posts, message] of cases)
    await scripted(({ entry, json }) => { if (entry.method === 'POST') json(status, {}, headers); }, async (url, seen) => {
      const result = await run(submit(dir, url, '--parallel', '1', '--retry-for', '1min'));
      assert.equal(result.code, code, `${status}: ${result.err}`);
      assert.equal(seen.filter((entry) => entry.method === 'POST').length, posts, `${status}`);
      assert.match(result.err, message);
    });
});

test('a server that stays away ends the run', async () => {
  const dir = folder(images(3));
  await scripted(({ request }) => request.socket.destroy(), async (url, seen) => {
    const { code, err } = await run(submit(dir, url, '--parallel', '1', '--retry-for', '2s'));
    assert.equal(code, 6, err);
    assert.match(err, /given up after \d tries in \d s\n$/);
    assert.match(err, /3 left\n/);
    const posts = seen.filter((entry) => entry.method === 'POST').length;
    assert.ok(posts >= 2 && posts <= 5, `${posts}`);
  });
});
