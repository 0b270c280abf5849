// SPDX-License-Identifier: Apache-2.0
// Everything the server must refuse, and how it says so.
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { Service, form, png } from './service.mjs';

let service;
before(async () => {
  service = await Service.start({ args: ['--max-body-bytes', '256KiB', '--request-deadline', '2s', '--max-pixels', '10000'] });
});
after(() => service.stop());

async function refused(answer, status, param, part) {
  const body = await answer.json();
  assert.equal(answer.status, status, JSON.stringify(body));
  assert.equal(answer.headers.get('content-type'), 'application/problem+json');
  assert.equal(body.status, status);
  assert.equal(body.request_id, answer.headers.get('x-request-id'));
  assert.equal(body.error.message, body.detail);
  if (param) {
    assert.equal(body.error.param, param);
    assert.equal(body.errors[0].pointer, '#/' + param);
  }
  if (part) assert.ok(body.detail.includes(part), `${body.detail} doesn't say ${part}`);
  return body;
}

test('fields: unknown, ill-typed, out of range are named', async () => {
  const cases = [
    ['colour', 'red', 'colour'], ['steps', '0', '1'], ['steps', '1001', '1000'], ['steps', '2.5', 'steps'],
    ['steps', '', 'steps'], ['steps', ' 3', 'steps'], ['steps', 'x', 'steps'], ['seed', '-1', 'seed'],
    ['seed', '9007199254740992', 'seed'], ['text_scale', 'nan', 'text_scale'], ['text_scale', 'inf', 'text_scale'],
    ['text_scale', '1e400', 'text_scale'], ['sampler', 'best', 'euler'], ['sampler', 'EULER', 'euler'],
    ['guidance', 'on', 'decoder'], ['guidance_region', 'all', 'mask'], ['output_format', 'gif', 'png'],
    ['output_quality', '101', '100'], ['previews', '11', '10'], ['previews_decoded', '11', '10'],
    ['previews_decoded', '1', 'previews (0)'], ['priority', 'high', 'batch'],
    ['auxiliary', 'yes', 'auto'], ['auxiliary', 'auto', 'vision'], ['metadata', '[1]', 'object'],
    ['metadata', '{', 'JSON'], ['metadata', '{"a":1,"a":2}', 'JSON'], ['metadata', `{"a":"${'x'.repeat(4096)}"}`, '4096'],
    ['webhook_url', 'http://127.0.0.1/', 'webhook'], ['instruction', 'x'.repeat(2001), '2000'],
    ['auxiliary_prompt', 'ä'.repeat(2001), '2000'], ['instruction', '', 'instruction'], ['guidance_region', 'mask', 'mask'],
  ];
  for (const [name, value, part] of cases) {
    const param = name === 'guidance_region' && value === 'mask' ? 'mask' : name;
    await refused(await service.post({ [name]: value }), 400, param, part);
  }
  const text = new TextEncoder().encode('steps');
  await refused(await service.post({ steps: Buffer.from(text) }), 400, 'steps', 'file');
  await refused(await service.post({ instruction: 'x'.repeat(17000) }), 400, 'instruction', '16384');
  const twice = form();
  twice.append('steps', '1');
  twice.append('steps', '2');
  await refused(await service.fetch('/v1/jobs', { method: 'POST', body: twice }), 400, 'steps', 'twice');
});

test('limits that are just met are fine', async () => {
  for (const fields of [{ instruction: 'ä'.repeat(2000) }, { steps: 1000, instruction: 'fail' }, { seed: 9007199254740991 },
    { instruction: '', auxiliary_prompt: 'hazy' }, { mask: png(), guidance_region: 'mask' }]) {
    const answer = await service.post({ steps: 1, ...fields });
    assert.equal(answer.status, 202, await answer.text());
  }
});

test('images: missing, empty, text, not an image, lying, too large', async () => {
  await refused(await service.post({}, { image: null }), 400, 'image', 'missing');
  await refused(await service.post({ image: 'text' }, { image: null }), 400, 'image', 'file');
  await refused(await service.post({}, { image: Buffer.alloc(0) }), 400, 'image', 'empty');
  await refused(await service.post({}, { image: Buffer.from('GIF89a' + 'x'.repeat(100)) }), 415, 'image');
  await refused(await service.post({}, { image: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>') }), 415, 'image');
  await refused(await service.post({}, { image: Buffer.from('%PDF-1.4') }), 415, 'image');
  await refused(await service.post({}, { image: png().subarray(0, 20) }), 422, 'image');
  await refused(await service.post({}, { image: png(101, 100) }), 422, 'image', '10000');
  await refused(await service.post({}, { image: png(8200, 1) }), 422, 'image', '8192 a side');
  const bomb = png();
  bomb.writeUInt32BE(60000, 16);
  bomb.writeUInt32BE(60000, 20);
  await refused(await service.post({}, { image: bomb }), 422, 'image');
  await refused(await service.post({ mask: Buffer.from('no') }), 415, 'mask');
  await refused(await service.post({ mask: png(9, 9) }), 400, 'mask', '9x9');
});

test('polyglots and lying names: what counts is how the bytes begin, and no more', async () => {
  const send = (bytes, name, type) => {
    const data = form({ steps: 1 }, null);
    data.set('image', new Blob([bytes], { type }), name);
    return service.fetch('/v1/jobs?include=image', { method: 'POST', body: data, headers: { prefer: 'wait=20' } });
  };
  // A picture by its bytes, whatever it is called; what hangs behind it isn't looked at.
  const zip = Buffer.concat([png(), Buffer.from('PK\x05\x06' + '\0'.repeat(18), 'latin1')]);
  const script = Buffer.concat([png(), Buffer.from('<script>alert(1)</script>')]);
  for (const bytes of [zip, script]) {
    const job = await (await send(bytes, '../../etc/passwd.html', 'text/html')).json();
    assert.equal(job.status, 'succeeded');
    assert.equal(job.result.images[0].format, 'png');
    const result = await service.fetch(job.result.images[0].url);
    assert.equal(result.headers.get('content-type'), 'image/png');
    assert.equal(result.headers.get('x-content-type-options'), 'nosniff');
    assert.match(result.headers.get('content-disposition'), /filename="promptfix-[0-9a-f]{8}\.png"/);
  }
  // No picture by its bytes, however it is called.
  for (const bytes of [Buffer.concat([Buffer.from('<!--'), png(), Buffer.from('-->')]), Buffer.from('MZ' + '\0'.repeat(64)),
    Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), png()]), Buffer.from('RIFF\x24\0\0\0AVI LIST', 'latin1'), Buffer.from('#!/bin/sh\n')])
    await refused(await send(bytes, 'photo.png', 'image/png'), 415, 'image');
});

test('headers of a submission', async () => {
  for (const prefer of ['wait=x', 'wait=', 'wait=-1', 'wait=99999'])
    await refused(await service.post({}, { headers: { prefer } }), 400, 'Prefer');
  await refused(await service.post({}, { query: '?include=all' }), 400, 'include');
  await refused(await service.post({}, { query: '?wait=1' }), 400);
});

test('bodies that are no form', async () => {
  await refused(await service.fetch('/v1/jobs', { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } }), 415);
  await refused(await service.fetch('/v1/jobs', { method: 'POST', body: new URLSearchParams({ a: '1' }) }), 415);
  await refused(await service.fetch('/v1/jobs', { method: 'POST' }), 415);
  const many = form();
  for (let i = 0; i < 1000; i++) many.append(`field${i}`, 'x');
  await refused(await service.fetch('/v1/jobs', { method: 'POST', body: many }), 400, null, '32 parts');
});

const post = (headers, body) => `POST /v1/jobs HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n${body}`;
const status = (text) => Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]);

test('truncated at every length', async () => {
  const body = `--B\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n${png().toString('latin1')}\r\n--B--\r\n`;
  for (let size = 0; size < body.length - 2; size += 7) {
    const text = await service.raw(Buffer.from(post(`Connection: close\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: ${size}`,
      body.slice(0, size)), 'latin1'));
    assert.equal(status(text), 400, text);
  }
});

test('too large: refused before the body with Expect, after it without', async () => {
  const before = await service.raw(post('Content-Type: multipart/form-data; boundary=B\r\nContent-Length: 999999\r\nExpect: 100-continue', ''));
  assert.equal(status(before), 413);
  assert.ok(!before.includes('100 Continue'));
  const answer = await service.post({}, { image: Buffer.concat([png(), Buffer.alloc(300000)]) });
  await refused(answer, 413);
});

test('a body that is asked for is told to come', async () => {
  const body = `--B\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n${png().toString('latin1')}\r\n` +
    '--B\r\nContent-Disposition: form-data; name="instruction"\r\n\r\nx\r\n--B--\r\n';
  const answer = await new Promise((resolve, reject) => {
    const socket = net.connect(service.port, '127.0.0.1');
    let text = '';
    socket.on('error', reject);
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      if (text === 'HTTP/1.1 100 Continue\r\n\r\n') socket.write(Buffer.from(body, 'latin1'));
      if (/\r\n\r\n\{.*\}$/s.test(text)) { socket.destroy(); resolve(text); }
    });
    socket.write(post(`Content-Type: multipart/form-data; boundary=B\r\nContent-Length: ${body.length}\r\nExpect: 100-continue`, ''));
  });
  assert.match(answer, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 202 /);
});

test('smuggling', async () => {
  for (const headers of ['Content-Length: 5\r\nTransfer-Encoding: chunked', 'Content-Length: 5\r\nContent-Length: 6',
    'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked', 'Transfer-Encoding: gzip', 'Transfer-Encoding:\x0bchunked']) {
    const text = await service.raw(post(`Content-Type: multipart/form-data; boundary=B\r\n${headers}`,
      '0\r\n\r\nGET /health/live HTTP/1.1\r\nHost: x\r\n\r\n'));
    assert.equal(status(text), 400, headers);
    assert.ok(!text.includes('"status":"ok"'), headers);
  }
});

test('a slow drip is cut off by the deadline of the whole request', async () => {
  const start = Date.now();
  const text = await service.raw(post('Content-Type: multipart/form-data; boundary=B\r\nContent-Length: 1000', '--B'));
  assert.ok(Date.now() - start >= 1500);
  assert.equal(status(text), 408);
});

test('paths', async () => {
  for (const path of ['/v1', '/v1/', '/v1/jobs/', '//v1/jobs', '/v1/jobs/x/y', '/../etc/passwd', '/v1/jobs/%2e%2e/result',
    '/v1/jobs/..%2f..%2fetc%2fpasswd', `/v1/jobs/${'a'.repeat(32)}`, `/v1/jobs/${'A'.repeat(32)}/events`]) {
    const text = await service.raw(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    assert.equal(status(text), 404, path);
  }
  for (const path of ['/v1/jobs/%00', '/v1/jobs/%zz', '/v1/jobs/%ff', `/v1/jobs/${'a'.repeat(200)}`]) {
    const text = await service.raw(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    assert.equal(status(text), 400, path);
  }
  const wrong = await service.fetch('/v1/jobs', { method: 'PUT' });
  assert.equal(wrong.headers.get('allow'), 'POST, GET, HEAD, OPTIONS');
  await refused(wrong, 405);
  const options = await service.fetch('/v1/jobs', { method: 'OPTIONS' });
  assert.equal(options.status, 204);
  const head = await service.fetch('/v1/models', { method: 'HEAD' });
  assert.equal(head.status, 200);
});

test('the server is well after all that', async () => {
  const answer = await service.post({ steps: 1 }, { headers: { prefer: 'wait=20' } });
  assert.equal((await answer.json()).status, 'succeeded');
});
