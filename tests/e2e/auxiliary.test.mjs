// SPDX-License-Identifier: Apache-2.0
// Auxiliary prompts: auxiliary=auto against a strict local vision-language model (vlm.mjs).
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { KEY, MODEL, Vlm, completion, kind } from './vlm.mjs';
import { Service, collect, png, poll } from './service.mjs';

let keyFile;
before(() => {
  keyFile = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'promptfix-vlm-')), 'key');
  fs.writeFileSync(keyFile, KEY + '\n', { mode: 0o600 });
});
after(() => fs.rmSync(path.dirname(keyFile), { recursive: true }));

const auto = { auxiliary: 'auto', steps: 1 };
const env = { no_proxy: '127.0.0.1', NO_PROXY: '127.0.0.1' };

const flags = (url, ...more) => ['--vlm-url', url, '--vlm-model', MODEL, '--vlm-key-file', keyFile, ...more];

// A server asking a model; both end with the test.
async function pair(t, script, ...args) {
  const vlm = await Vlm.start(script);
  const service = await Service.start({ args: flags(vlm.url, ...args), env });
  t.after(async () => {
    const code = await service.stop();
    await vlm.stop();
    assert.equal(code, 0, service.log);
    assert.deepEqual(vlm.refused, []);
    assert.ok(!service.log.includes(KEY), 'the key is in the log');
  });
  return { vlm, service };
}

// A picture nobody has sent before.
let pictures = 0;
const picture = () => png(64, 48 + ++pictures);

const run = async (service, fields = {}, image = picture()) =>
  service.until((await service.submit({ ...auto, ...fields }, { image })).id);

test('both questions, side by side; the prompt and the log are in the job', async (t) => {
  let arrive;
  const both = new Promise((resolve) => { arrive = resolve; });
  const { vlm, service } = await pair(t, (question) => {
    if (vlm.count() === 2) arrive();
    return { after: both, body: completion(kind(question) === 'defect' ? '**Heavy haze**' : ' "A dog\non a beach." ') };
  });
  const capabilities = await (await service.fetch('/v1/capabilities')).json();
  assert.deepEqual(capabilities.auxiliary, ['off', 'auto']);
  const job = await run(service);
  assert.equal(job.status, 'succeeded');
  assert.equal(job.auxiliary, 'auto');
  assert.equal(job.auxiliary_prompt, 'Heavy haze. A dog on a beach.');
  const log = job.auxiliary_log;
  assert.equal(log.outcome, 'answered');
  assert.equal(log.model, MODEL);
  assert.equal(log.error, null);
  assert.ok(Date.parse(log.asked_at) > 0 && log.elapsed_ms >= 0);
  assert.deepEqual(log.questions.map((item) => item.name), ['defect', 'semantic']);
  for (const item of log.questions) {
    assert.ok(item.question.length > 20);
    assert.equal(item.cached, false);
    assert.equal(item.attempts, 1);
    assert.equal(item.error, null);
  }
  assert.equal(log.questions[0].answer, 'Heavy haze');
  assert.deepEqual(vlm.requests.map((item) => item.kind).sort(), ['defect', 'semantic']);
});

test('the trace of the request goes on to the model, and into the log', async (t) => {
  const { vlm, service } = await pair(t, (question, n) => (n === 1 ? { status: 503, headers: { 'retry-after': '1' } } : 'Haze.'));
  const trace = '0af7651916cd43dd8448eb211c80319c';
  const job = await service.submit(auto, { image: picture(), headers: { traceparent: `00-${trace}-b7ad6b7169203331-01` } });
  assert.equal((await service.until(job.id)).status, 'succeeded');
  const sent = vlm.requests.map((item) => item.traceparent);
  assert.equal(sent.length, 4);
  for (const text of sent) assert.match(text, new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`));
  assert.equal(new Set(sent).size, 4);
  const line = service.log.split('\n').find((text) => text.includes('vision-language model: again') && text.includes(job.id));
  assert.ok(line.includes(trace));
  vlm.requests.length = 0;
  for (const headers of [{}, { traceparent: `00-${trace}-b7ad6b7169203331` }]) {
    const other = await service.submit(auto, { image: picture(), headers });
    assert.equal((await service.until(other.id)).status, 'succeeded');
  }
  assert.ok(vlm.requests.length >= 4 && vlm.requests.every((item) => item.traceparent === undefined));
});

// docs/sample.jpg (512x384) with an EXIF block that turns it and says where it was taken.
function turned() {
  const tiff = Buffer.from('4d4d002a00000008' + '0001' + '0112' + '0003' + '00000001' + '00060000' + '00000000', 'hex');
  const exif = Buffer.concat([Buffer.from('Exif\0\0'), tiff, Buffer.from('48.8583N 2.2944E')]);
  const head = Buffer.alloc(4);
  head.writeUInt16BE(0xffe1, 0);
  head.writeUInt16BE(exif.length + 2, 2);
  const file = fs.readFileSync(new URL('../../docs/sample.jpg', import.meta.url));
  return Buffer.concat([file.subarray(0, 2), head, exif, file.subarray(2)]);
}

test('the picture: a JPEG scaled to the bound, upright, without metadata; small ones keep their size', async (t) => {
  const { vlm, service } = await pair(t, undefined, '--vlm-image-side', '300');
  const sent = async (image) => {
    const job = await run(service, {}, image);
    assert.equal(job.status, 'succeeded', JSON.stringify(job.error));
    const { picture: { width, height, segments }, bytes } = vlm.requests.at(-1);
    assert.ok(!segments.includes('APP1'));
    assert.ok(!bytes.includes('48.8583N'));
    return [width, height];
  };
  assert.deepEqual(await sent(png(2000, 1000)), [300, 150]);
  assert.deepEqual(await sent(png(500, 3000)), [50, 300]);
  assert.deepEqual(await sent(png(80, 60)), [80, 60]);
  assert.deepEqual(await sent(turned()), [225, 300]);
});

test('blind mode: no instruction; and who waits sees the prompt on the stream', async (t) => {
  const { service } = await pair(t);
  const answer = await service.post({ ...auto, instruction: '' }, { image: picture(), headers: { accept: 'text/event-stream' } });
  const list = await collect(answer);
  assert.deepEqual(list.map((item) => item.event), ['queued', 'queued', 'started', 'step', 'succeeded']);
  assert.equal(list[0].data.auxiliary_prompt, null);
  assert.equal(list[0].data.auxiliary_log, null);
  assert.equal(list[1].data.auxiliary_prompt, 'It is hazy. A dog on a beach.');
  assert.equal(list[1].data.queue_position, 1);
  const refused = await service.post({ instruction: '', auxiliary: 'off' });
  assert.equal(refused.status, 400);
  assert.equal((await refused.json()).error.param, 'instruction');
});

test('a prompt that is given is used, and nobody asked; off asks nobody', async (t) => {
  const { vlm, service } = await pair(t);
  const given = await run(service, { auxiliary_prompt: 'snow' });
  assert.equal(given.auxiliary_prompt, 'snow');
  assert.equal(given.auxiliary_log, null);
  const off = await run(service, { auxiliary: 'off' });
  assert.equal(off.auxiliary_prompt, null);
  assert.equal(vlm.count(), 0);
});

test('the same picture again is answered from the cache; the least recently used goes', async (t) => {
  const { vlm, service } = await pair(t, undefined, '--vlm-cache-entries', '4');
  const [a, b, c] = [picture(), picture(), picture()];
  await run(service, {}, a);
  await run(service, {}, b);
  const again = await run(service, {}, a);
  assert.equal(vlm.count(), 4);
  assert.equal(again.auxiliary_prompt, 'It is hazy. A dog on a beach.');
  assert.deepEqual(again.auxiliary_log.questions.map((item) => [item.cached, item.attempts]), [[true, 0], [true, 0]]);
  await run(service, {}, c); // b goes
  assert.equal(vlm.count(), 6);
  await run(service, {}, a);
  assert.equal(vlm.count(), 6);
  await run(service, {}, b);
  assert.equal(vlm.count(), 8);
});

test('own questions; one left out', async (t) => {
  const { vlm, service } = await pair(t, (question) => question.toUpperCase(),
    '--vlm-question-semantic', '', '--vlm-question-defect', 'qu\'est-ce qui "cloche" ?');
  const job = await run(service);
  assert.equal(vlm.count(), 1);
  assert.equal(job.auxiliary_prompt, 'QU\'EST-CE QUI "CLOCHE" ?');
});

test('failures that pass: 500, 429, a broken connection, garbage, no words', async (t) => {
  const ways = [{ status: 500, body: { error: { message: 'boom' } } }, { status: 429, body: { detail: 'slow down' } }, { drop: true },
    { body: '<html>' }, { body: '{"choices":[]}' }, { body: completion(null) }, { body: completion(' \n') }, { body: completion('<think>hm</think>') },
    { body: '' }, { status: 503, body: 'x'.repeat(1000) }];
  for (const way of ways) {
    const { service } = await pair(t, (question, n) => (n === 1 ? way : 'Fine.'));
    const job = await run(service);
    assert.equal(job.status, 'succeeded', JSON.stringify(way));
    assert.equal(job.auxiliary_prompt, 'Fine. Fine.');
    assert.deepEqual(job.auxiliary_log.questions.map((item) => item.attempts), [2, 2]);
  }
});

test('Retry-After is honoured, to a bound', async (t) => {
  const busy = (seconds) => ({ status: 429, headers: { 'retry-after': seconds }, body: { error: 'rate limit' } });
  const { vlm, service } = await pair(t, (question, n) => (kind(question) === 'defect' && n === 1 ? busy('2') : 'Fine.'));
  assert.equal((await run(service)).status, 'succeeded');
  const [first, second] = vlm.requests.filter((item) => item.kind === 'defect');
  assert.ok(second.at - first.at >= 1900, `${second.at - first.at} ms`);

  const other = await pair(t, () => busy('3600'));
  const job = await run(other.service);
  assert.equal(job.status, 'failed');
  assert.match(job.error.message, /HTTP status 429, and to come back in 3600 s/);
  assert.equal(other.vlm.count(), 2);
});

test('failures that last: the job says so, without the address or the key', async (t) => {
  const always = [
    [{ status: 500, body: { error: { message: 'CUDA error at /secret/path' } } }, 2, /HTTP status 500/],
    [{ status: 401, body: { error: { message: `Incorrect API key provided: ${KEY}` } } }, 1, /HTTP status 401/],
    [{ status: 404, body: { object: 'error', message: 'no such model' } }, 1, /HTTP status 404/],
    [{ status: 302, headers: { location: 'http://127.0.0.1:1/' } }, 1, /HTTP status 302/],
    [{ body: '{' }, 2, /not JSON/],
    [{ body: completion('x'.repeat(300 << 10)) }, 1, /longer than/],
    [{ hang: true }, 2, /no answer within 300 ms/],
  ];
  for (const [way, attempts, reason] of always) {
    const vlm = await Vlm.start(() => way);
    const service = await Service.start({ args: flags(vlm.url, '--vlm-retries', '1', '--vlm-timeout', '300ms'), env });
    const job = await run(service);
    assert.equal(job.status, 'failed');
    assert.equal(job.attempts, 0);
    assert.equal(job.error.code, 'auxiliary_failed');
    assert.equal(job.error.field, 'auxiliary');
    assert.match(job.error.message, reason);
    assert.equal(job.auxiliary_prompt, null);
    assert.equal(job.auxiliary_log.outcome, 'failed');
    for (const item of job.auxiliary_log.questions) {
      assert.match(item.error, reason);
      assert.equal(item.answer, null);
      assert.equal(item.attempts, attempts);
    }
    assert.equal(vlm.count(), 2 * attempts);
    const text = JSON.stringify(job);
    for (const secret of [KEY, String(vlm.port), 'secret']) assert.ok(!text.includes(secret), `${secret} in ${text}`);
    assert.equal(await service.stop(), 0);
    await vlm.stop();
  }
});

test('nobody listens', async (t) => {
  const vlm = await Vlm.start();
  await vlm.stop();
  const service = await Service.start({ args: flags(vlm.url, '--vlm-retries', '1'), env });
  t.after(() => service.stop());
  const job = await run(service);
  assert.match(job.error.message, /Couldn't connect/);
});

test('--vlm-on-failure continue: without, or with what was answered; a blind job fails', async (t) => {
  const { service } = await pair(t, (question, n, item) =>
    (item.picture.width === 65 || kind(question) === 'defect' ? { status: 400 } : 'A dog.'), '--vlm-on-failure', 'continue');
  const without = await run(service, {}, png(65, 10));
  assert.equal(without.status, 'succeeded');
  assert.equal(without.auxiliary_prompt, null);
  assert.equal(without.auxiliary_log.outcome, 'failed');
  const partial = await run(service, { instruction: '' });
  assert.equal(partial.status, 'succeeded');
  assert.equal(partial.auxiliary_prompt, 'A dog.');
  assert.equal(partial.auxiliary_log.outcome, 'partial');
  assert.match(partial.auxiliary_log.questions[0].error, /HTTP status 400/);
  const blind = await run(service, { instruction: '' }, png(65, 10));
  assert.equal(blind.status, 'failed');
  assert.equal(blind.error.code, 'auxiliary_failed');
});

test('long answers are cut to whole sentences', async (t) => {
  const { service } = await pair(t, (question) => (kind(question) === 'defect' ? 'It is hazy and dim. ' : 'A dog runs on the beach. ').repeat(400));
  const job = await run(service);
  assert.ok(job.auxiliary_prompt.length <= 320 && job.auxiliary_prompt.length > 250, job.auxiliary_prompt);
  assert.match(job.auxiliary_prompt, /^It is hazy and dim\. .*A dog runs on the beach\.$/);
  assert.ok(job.auxiliary_log.questions[0].answer.length <= 4096);
});

test('a damaged picture', async (t) => {
  const { vlm, service } = await pair(t);
  const job = await run(service, {}, png(300, 300).subarray(0, 70));
  assert.equal(job.error.code, 'auxiliary_failed');
  assert.match(job.error.message, /damaged or truncated/);
  assert.equal(vlm.count(), 0);
});

test('concurrency is bounded across jobs', async (t) => {
  const { vlm, service } = await pair(t, () => ({ after: new Promise((resolve) => setTimeout(resolve, 50)), body: completion('Yes.') }),
    '--vlm-concurrency', '3');
  const jobs = await Promise.all(Array.from({ length: 12 }, () => service.submit(auto, { image: picture() })));
  for (const { id } of jobs) assert.equal((await service.until(id)).status, 'succeeded');
  assert.equal(vlm.most, 3);
  assert.equal(vlm.count(), 24);
});

test('meanwhile the device works for others, and the queue counts who waits', async (t) => {
  let go;
  const { service } = await pair(t, () => ({ after: new Promise((resolve) => { go = resolve; }), body: completion('Yes.') }), '--max-queued', '2');
  const waiting = await service.submit(auto, { image: picture() });
  assert.equal(waiting.status, 'queued');
  assert.equal(waiting.queue_position, 1);
  assert.equal((await run(service, { auxiliary: 'off' })).status, 'succeeded');
  await service.submit(auto, { image: picture() });
  const full = await service.post({ steps: 1 });
  assert.equal(full.status, 429);
  assert.equal((await service.job(waiting.id)).status, 'queued');
  go?.();
});

test('cancelling in mid-question works at once and hangs up', async (t) => {
  const { vlm, service } = await pair(t, () => ({ hang: true }));
  const job = await service.submit(auto, { image: picture() });
  await poll(() => vlm.count() === 2);
  const start = Date.now();
  const cancelled = await (await service.fetch(job.urls.cancel, { method: 'POST' })).json();
  assert.equal(cancelled.status, 'cancelled');
  assert.ok(Date.now() - start < 1000);
  await poll(() => vlm.requests.every((item) => item.closed));
  vlm.script = () => 'Fine.';
  assert.equal((await run(service)).status, 'succeeded');
  const other = await service.submit(auto, { image: picture() });
  assert.equal((await service.fetch(other.urls.self, { method: 'DELETE' })).status, 204);
});

test('kill -9 in mid-question: asked again after the restart, or not', async () => {
  const vlm = await Vlm.start(() => ({ hang: true }));
  const first = await Service.start({ args: flags(vlm.url), env });
  const job = await first.submit(auto, { image: picture() });
  await poll(() => vlm.count() === 2);
  await first.stop({ keep: true, signal: 'SIGKILL' });
  await poll(() => vlm.requests.every((item) => item.closed));
  const second = await Service.start({ dir: first.dir, args: flags(vlm.url), env });
  await poll(() => vlm.count() === 4);
  assert.equal((await second.job(job.id)).status, 'queued');
  assert.equal(await second.stop({ keep: true }), 0); // SIGTERM leaves it queued, too

  vlm.script = () => 'Fine.';
  const third = await Service.start({ dir: first.dir, args: flags(vlm.url), env });
  const done = await third.until(job.id);
  assert.equal(done.status, 'succeeded');
  assert.equal(done.auxiliary_prompt, 'Fine. Fine.');
  assert.equal(done.attempts, 1);

  vlm.script = () => ({ hang: true });
  const left = await third.submit(auto, { image: picture() });
  await third.stop({ keep: true, signal: 'SIGKILL' });
  const fourth = await Service.start({ dir: first.dir }); // without a model
  const failed = await fourth.until(left.id);
  assert.equal(failed.error.code, 'auxiliary_failed');
  assert.match(failed.error.message, /no vision-language model any more/);
  assert.equal(failed.auxiliary_log.model, null);
  await fourth.stop();
  await vlm.stop();
});

test('a worker that dies costs no second question', async (t) => {
  const { vlm, service } = await pair(t);
  const job = await run(service, { instruction: 'crash-once@1' });
  assert.equal(job.status, 'succeeded');
  assert.equal(job.attempts, 2);
  assert.equal(job.auxiliary_prompt, 'It is hazy. A dog on a beach.');
  assert.equal(vlm.count(), 2);
});

test('batches and OpenAI\'s edits take it, too', async (t) => {
  const { vlm, service } = await pair(t);
  const data = new FormData();
  for (let i = 0; i < 3; i++) data.append('image', new Blob([picture()]), `${i}.png`);
  for (const [name, value] of Object.entries({ ...auto, instruction: '' })) data.set(name, String(value));
  const answer = await service.fetch('/v1/batches', { method: 'POST', body: data });
  const batch = await answer.json();
  assert.equal(answer.status, 202, JSON.stringify(batch));
  const list = await collect(await service.fetch(batch.urls.events));
  assert.equal(list.at(-1).data.counts.succeeded, 3);
  const jobs = (await (await service.fetch(batch.urls.jobs)).json()).data;
  for (const job of jobs) assert.equal(job.auxiliary_prompt, 'It is hazy. A dog on a beach.');

  const edit = new FormData();
  edit.set('image', new Blob([picture()]), 'a.png');
  edit.set('prompt', 'remove the haze');
  edit.set('auxiliary', 'auto');
  edit.set('steps', '1');
  const edited = await service.fetch('/v1/images/edits', { method: 'POST', body: edit });
  assert.equal(edited.status, 200, await edited.text());
  assert.equal(vlm.count(), 8);

  vlm.script = () => ({ status: 400 });
  edit.set('image', new Blob([picture()]), 'b.png');
  const failed = await service.fetch('/v1/images/edits', { method: 'POST', body: edit });
  assert.equal(failed.status, 503);
  assert.match((await failed.json()).detail, /did not answer/);
});

test('metrics', async (t) => {
  const { service } = await pair(t, (question, n) => (n === 1 ? { status: 500 } : n === 2 ? 'Yes.' : { status: 400 }));
  await run(service);
  await run(service);
  const text = await (await service.fetch('/metrics')).text();
  const value = (name) => Number(new RegExp(`^promptfix_vlm_${name} (\\S+)$`, 'm').exec(text)?.[1]);
  assert.deepEqual(['jobs', 'in_flight', 'requests_total', 'retried_total', 'answered_total', 'cached_total', 'failed_total',
    'jobs_without_total', 'jobs_failed_total'].map(value), [0, 0, 6, 2, 2, 0, 2, 0, 1]);
  assert.ok(value('answer_seconds_total') >= 0);
});

test('options that make no sense end the start with their name', async () => {
  const url = 'http://127.0.0.1:1/v1';
  const empty = path.join(path.dirname(keyFile), 'empty');
  fs.writeFileSync(empty, ' \n');
  for (const [args, message] of [
    [['--vlm-url', 'ftp://x/v1'], /--vlm-url/], [['--vlm-url', 'http://a:b@c/v1'], /--vlm-url/], [['--vlm-url', url], /--vlm-model/],
    [['--vlm-url', url, '--vlm-model', 'm', '--vlm-key-file', empty], /--vlm-key-file/],
    [['--vlm-url', url, '--vlm-model', 'm', '--vlm-key-file', '/nowhere/key'], /\/nowhere\/key/],
    [['--vlm-url', url, '--vlm-model', 'm', '--vlm-question-defect', '', '--vlm-question-semantic', ''], /question/],
    [['--vlm-on-failure', 'maybe'], /fail or continue/], [['--vlm-concurrency', '0'], /--vlm-concurrency/],
  ])
    await assert.rejects(Service.start({ args }), message);
});

test('SIGHUP: another model, another key, none', async (t) => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'promptfix-vlm-'));
  const file = path.join(dir, 'config.json'), key = path.join(dir, 'key');
  const stuck = await Vlm.start(() => ({ hang: true }));
  const vlm = await Vlm.start();
  t.after(async () => { await stuck.stop(); await vlm.stop(); fs.rmSync(dir, { recursive: true }); });
  const config = (url, more = {}) => fs.writeFileSync(file, JSON.stringify({ vlm_url: url, vlm_model: MODEL, vlm_key_file: key, ...more }));
  fs.writeFileSync(key, KEY);
  config(stuck.url);
  const service = await Service.start({ args: ['--config', file], env });
  t.after(async () => assert.equal(await service.stop(), 0, service.log));
  const reload = async () => {
    const before = service.log.length;
    service.kill('SIGHUP');
    return poll(() => service.log.slice(before).split('\n').slice(0, -1).map((line) => JSON.parse(line))
      .find((line) => line.message === 'configuration reloaded'));
  };
  // What is being asked about is asked again, of the new one.
  const job = await service.submit(auto, { image: picture() });
  await poll(() => stuck.count() === 2);
  config(vlm.url, { vlm_timeout: '20s' });
  assert.equal((await reload()).changed, 'vlm_url, vlm_timeout');
  const done = await service.until(job.id);
  assert.equal(done.auxiliary_prompt, 'It is hazy. A dog on a beach.');
  assert.equal(vlm.count(), 2);
  // The same options: nothing is thrown away, the answers remembered neither.
  assert.equal((await reload()).changed, undefined);
  assert.equal((await run(service, {}, png(64, 48 + pictures))).auxiliary_log.questions[0].cached, true);
  // The key's file is read again.
  vlm.key = 'another';
  fs.writeFileSync(key, 'another');
  await reload();
  assert.equal((await run(service)).status, 'succeeded');
  // A key that is none changes nothing.
  fs.writeFileSync(key, 'two words');
  await reload();
  assert.match(service.log, /options are not reloaded.*holds no key/);
  assert.equal((await run(service)).status, 'succeeded');
  // None: new jobs are refused, one that waits ends as vlm_on_failure says.
  fs.writeFileSync(key, 'another');
  vlm.script = () => ({ hang: true });
  const waiting = await service.submit(auto, { image: picture() });
  const asked = vlm.count();
  await poll(() => vlm.count() >= asked);
  fs.writeFileSync(file, '{}');
  await reload();
  assert.equal((await service.post(auto, { image: picture() })).status, 400);
  assert.deepEqual((await (await service.fetch('/v1/capabilities')).json()).auxiliary, ['off']);
  assert.equal((await service.until(waiting.id)).error.code, 'auxiliary_failed');
  assert.deepEqual(vlm.refused, []);
});
