// SPDX-License-Identifier: Apache-2.0
// The unmodified `openai` package edits images here.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI, { toFile } from 'openai';
import { Service, form, png, poll } from './service.mjs';

let service, client;
before(async () => {
  service = await Service.start();
  client = new OpenAI({ baseURL: service.url + '/v1', apiKey: 'none', maxRetries: 0 });
});
after(() => service.stop());

const photo = (bytes = png(12, 8)) => toFile(bytes, 'photo.png', { type: 'image/png' });

test('images.edit', async () => {
  const image = png(12, 8);
  const answer = await client.images.edit({ image: await photo(image), prompt: 'remove the haze', model: 'fake' });
  assert.equal(answer.data.length, 1);
  assert.deepEqual(Buffer.from(answer.data[0].b64_json, 'base64'), image);
  assert.equal(answer.output_format, 'png');
  assert.equal(answer.size, '12x8');
  assert.ok(Math.abs(answer.created - Date.now() / 1000) < 60);
  assert.equal(answer.usage.total_tokens, 0);
});

test('n images with seeds that follow one another; own fields ride along', async () => {
  const answer = await client.images.edit({ image: [await photo()], prompt: 'step-ms=1', n: 3, size: '12x8',
    response_format: 'b64_json', steps: 4, seed: 9007199254740990, user: 'somebody "else"' });
  assert.equal(answer.data.length, 3);
  const { data } = await (await service.fetch('/v1/jobs?limit=3')).json();
  assert.deepEqual(data.map((job) => job.parameters.seed), [0, 9007199254740991, 9007199254740990]);
  assert.ok(data.every((job) => job.parameters.steps === 4 && job.metadata.user === 'somebody "else"'));
});

test('user: 512 bytes, and not one more', async () => {
  const edit = async (user) => client.images.edit({ image: [await photo()], prompt: 'x', steps: 1, user });
  const most = 'ä'.repeat(256);
  await edit(most);
  const { data } = await (await service.fetch('/v1/jobs?limit=1')).json();
  assert.equal(data[0].metadata.user, most);
  await assert.rejects(edit(most + 'a'), { status: 400, param: 'user' });
});

test('response_format url; output_format and output_compression; a mask', async () => {
  const answer = await client.images.edit({ image: await photo(), mask: await photo(), prompt: 'x',
    response_format: 'url', output_format: 'webp', output_compression: 55, background: 'auto', quality: 'auto' });
  assert.equal((await fetch(answer.data[0].url)).status, 200);
  const [job] = (await (await service.fetch('/v1/jobs?limit=1')).json()).data;
  assert.equal(job.parameters.output_format, 'webp');
  assert.equal(job.parameters.output_quality, 55);
  assert.equal(job.parameters.guidance_region, 'mask');
});

test('streaming with partial images', async () => {
  const image = png(12, 8);
  const stream = await client.images.edit({ image: await photo(image), prompt: 'x', stream: true, partial_images: 3, steps: 6 });
  const events = [];
  for await (const event of stream) events.push(event);
  const partial = events.slice(0, -1);
  assert.ok(partial.length >= 1 && partial.length <= 3);
  partial.forEach((event, i) => {
    assert.equal(event.type, 'image_edit.partial_image');
    assert.equal(event.partial_image_index, i);
    assert.equal(Buffer.from(event.b64_json, 'base64').subarray(1, 4).toString(), 'PNG');
  });
  const last = events.at(-1);
  assert.equal(last.type, 'image_edit.completed');
  assert.deepEqual(Buffer.from(last.b64_json, 'base64'), image);
  assert.equal(last.size, '12x8');
});

test('errors have the SDK\'s types, codes and params', async () => {
  const refused = async (fields, kind, status, param) => {
    const error = await client.images.edit({ image: await photo(), prompt: 'x', ...fields }).then(
      () => assert.fail('was taken'), (caught) => caught);
    assert.ok(error instanceof kind, `${error}`);
    assert.equal(error.status, status);
    if (param) assert.equal(error.param, param);
    assert.match(error.requestID, /^[0-9a-f]{32}$/);
    return error;
  };
  await refused({ prompt: '' }, OpenAI.BadRequestError, 400, 'instruction');
  await refused({ size: '1024x1024' }, OpenAI.BadRequestError, 400, 'size');
  await refused({ n: 11 }, OpenAI.BadRequestError, 400, 'n');
  await refused({ n: 2, stream: true }, OpenAI.BadRequestError, 400, 'n');
  await refused({ partial_images: 1 }, OpenAI.BadRequestError, 400, 'partial_images');
  await refused({ stream: true, partial_images: 1, previews_decoded: 2 }, OpenAI.BadRequestError, 400, 'previews_decoded');
  await refused({ quality: 'high' }, OpenAI.BadRequestError, 400, 'quality');
  await refused({ background: 'transparent' }, OpenAI.BadRequestError, 400, 'background');
  await refused({ colour: 'red' }, OpenAI.BadRequestError, 400, 'colour');
  await refused({ instruction: 'x' }, OpenAI.BadRequestError, 400, 'instruction');
  await refused({ model: 'gpt-image-1' }, OpenAI.NotFoundError, 404, 'model');
  await refused({ image: await toFile(Buffer.from('no image'), 'a.png') }, OpenAI.APIError, 415, 'image');
  const error = await refused({ prompt: 'fail' }, OpenAI.BadRequestError, 400, 'image');
  assert.equal(error.type, 'invalid_request_error');
  assert.match(error.message, /the script says so/);
  const inside = await refused({ prompt: 'internal' }, OpenAI.InternalServerError, 500);
  assert.ok(!inside.message.includes('shadow'));
});

test('an error in mid-stream is thrown', async () => {
  const stream = await client.images.edit({ image: await photo(), prompt: 'fail', stream: true });
  await assert.rejects(async () => { for await (const event of stream) assert.fail(event.type); }, /the script says so/);
});

test('a caller that gives up takes its job with it', async () => {
  const controller = new AbortController();
  const asked = client.images.edit({ image: await photo(), prompt: 'hold' }, { signal: controller.signal });
  const job = await poll(async () => (await (await service.fetch('/v1/jobs?status=running')).json()).data[0]);
  controller.abort();
  await assert.rejects(asked, OpenAI.APIUserAbortError);
  assert.equal((await service.until(job.id)).status, 'cancelled');

  const patience = new OpenAI({ baseURL: service.url + '/v1', apiKey: 'none', timeout: 500, maxRetries: 0 });
  await assert.rejects(patience.images.edit({ image: await photo(), prompt: 'hold' }), OpenAI.APIConnectionTimeoutError);

  const stream = await client.images.edit({ image: await photo(), prompt: 'step-ms=50', steps: 1000, stream: true, partial_images: 3 });
  const running = await poll(async () => (await (await service.fetch('/v1/jobs?status=running')).json()).data[0]);
  stream.controller.abort();
  assert.equal((await service.until(running.id)).status, 'cancelled');
});

test('a long edit: spaces while it runs; a late failure is an error, and isn\'t tried again', async () => {
  const slow = await Service.start({ args: ['--sse-ping', '1s'] });
  try {
    const patient = new OpenAI({ baseURL: slow.url + '/v1', apiKey: 'none' });
    const long = { image: await photo(), steps: 20 };
    const fields = { instruction: undefined, prompt: 'step-ms=150', steps: 20 };
    const raw = await slow.fetch('/v1/images/edits', { method: 'POST', body: form(fields, png(12, 8)) });
    assert.equal(raw.status, 200);
    assert.equal(raw.headers.get('content-type'), 'application/json');
    const text = await raw.text();
    assert.match(text, /^ +\{/);
    assert.equal(JSON.parse(text).size, '12x8');
    assert.equal((await patient.images.edit({ ...long, prompt: 'step-ms=150' })).data.length, 1);

    // The status is out when it fails.
    const count = async () => (await (await slow.fetch('/v1/jobs?limit=200')).json()).data.length;
    const before = await count();
    const late = await patient.images.edit({ ...long, prompt: 'step-ms=150 fail@15' }).then(() => assert.fail('was taken'), (error) => error);
    assert.ok(!(late instanceof OpenAI.APIError), `${late}`);
    assert.match(`${late} ${late.cause}`, /terminated|closed/);
    assert.equal(await count(), before + 1);
    // The same to one who reads what there is: the reason, and no end.
    const body = '--B\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n' + png().toString('latin1') +
      '\r\n--B\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nstep-ms=150 fail@15\r\n--B--\r\n';
    const post = (version) => slow.raw(Buffer.from(`POST /v1/images/edits HTTP/${version}\r\nHost: x\r\n` +
      `Content-Type: multipart/form-data; boundary=B\r\nContent-Length: ${body.length}\r\n\r\n${body}`, 'latin1'));
    const cut = await post('1.1');
    assert.match(cut, /^HTTP\/1\.1 200 /);
    assert.match(cut, /the script says so/);
    assert.ok(!cut.includes('\r\n0\r\n'), cut);
    // HTTP/1.0 can't tell a cut answer from a whole one: its status waits for the end.
    assert.match(await post('1.0'), /^HTTP\/1\.[01] 400 /);
    // One that fails in time has its status.
    await assert.rejects(patient.images.edit({ ...long, prompt: 'fail' }), OpenAI.BadRequestError);

    const controller = new AbortController();
    const left = await slow.fetch('/v1/images/edits',
      { method: 'POST', body: form({ ...fields, prompt: 'hold' }), signal: controller.signal });
    controller.abort();
    await assert.rejects(left.text());
    const [job] = (await (await slow.fetch('/v1/jobs?limit=1')).json()).data;
    assert.equal((await slow.until(job.id)).status, 'cancelled');
  } finally {
    await slow.stop();
  }
});

test('the SDK retries a full queue when told to', async () => {
  const small = await Service.start({ args: ['--max-queued', '1', '--max-runs', '1'] });
  try {
    const held = [];
    for (let i = 0; i < 2; i++) {
      held.push(await small.submit({ instruction: 'hold' }));
      if (i === 0) await small.until(held[0].id, (job) => job.status === 'running');
    }
    const retrying = new OpenAI({ baseURL: small.url + '/v1', apiKey: 'none', maxRetries: 4 });
    const asked = retrying.images.edit({ image: await photo(), prompt: 'x' });
    await poll(() => small.log.includes('"status":429'));
    for (const job of held) await small.fetch(job.urls.cancel, { method: 'POST' });
    assert.equal((await asked).data.length, 1);
  } finally {
    await small.stop();
  }
});

test('models.list and models.retrieve', async () => {
  const models = [];
  for await (const model of client.models.list()) models.push(model.id);
  assert.deepEqual(models, ['fake']);
  assert.equal((await client.models.retrieve('fake')).owned_by, 'promptfix');
});
