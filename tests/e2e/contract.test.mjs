// SPDX-License-Identifier: Apache-2.0
// The live server against openapi.yaml: every operation with good and bad input; each answer's status, headers
// and body must be what the contract says. The contract itself passes a linter.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import YAML from 'yaml';
import { render } from '../../tools/gen-docs.mjs';
import { Service, collect, form, png } from './service.mjs';

const source = fs.readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8');
const contract = YAML.parse(source);
const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats(ajv);
ajv.addSchema(contract, 'contract');

const resolve = (node) => node?.$ref
  ? resolve(node.$ref.slice(2).split('/').reduce((at, key) => at[key.replaceAll('~1', '/')], contract)) : node;

// Compiles the schema at a place of the contract, references and all.
const validators = new Map();
function validator(...place) {
  const pointer = place.map((key) => encodeURIComponent(String(key).replaceAll('~', '~0').replaceAll('/', '~1'))).join('/');
  if (!validators.has(pointer)) validators.set(pointer, ajv.compile({ $ref: `contract#/${pointer}` }));
  return validators.get(pointer);
}

function check(value, where, ...place) {
  const validate = validator(...place);
  assert.ok(validate(value), `${where}: ${ajv.errorsText(validate.errors)}: ${JSON.stringify(value).slice(0, 600)}`);
}

function findOperation(method, path) {
  for (const [template, item] of Object.entries(contract.paths)) {
    const pattern = new RegExp('^' + template.replace(/[.]/g, '\\.').replace(/\{\w+\}/g, '[^/]+') + '$');
    if (pattern.test(path) && item[method.toLowerCase()]) return [template, item[method.toLowerCase()]];
  }
  return [];
}

const seen = new Set(); // "operationId status"
let service;

// A fetch that holds the answer against the contract.
async function ask(method, target, init = {}) {
  const [template, operation] = findOperation(method, target.split('?')[0]);
  assert.ok(operation, `${method} ${target} is in the contract`);
  const answer = await service.fetch(target, { method, ...init });
  const where = `${method} ${target} → ${answer.status}`;
  const base = ['paths', template, method.toLowerCase(), 'responses', String(answer.status)];
  const declared = operation.responses[answer.status];
  assert.ok(declared, `${where} is declared`);
  const response = resolve(declared);
  const place = declared.$ref ? declared.$ref.slice(2).split('/') : base;
  seen.add(`${operation.operationId} ${answer.status}`);
  for (const [name, header] of Object.entries(response.headers ?? {})) {
    const value = answer.headers.get(name);
    const optional = ['Idempotent-Replayed', 'Preference-Applied', 'Retry-After'];
    if (value === null && optional.includes(name)) continue;
    assert.ok(value !== null, `${where} has ${name}`);
    const at = header.$ref ? header.$ref.slice(2).split('/') : [...place, 'headers', name];
    check(value, `${where} ${name}`, ...at, 'schema');
  }
  const type = answer.headers.get('content-type')?.split(';')[0];
  const content = response.content ?? {};
  if (method === 'HEAD' || !Object.keys(content).length) {
    assert.equal((await answer.clone().arrayBuffer()).byteLength, 0, `${where} has no body`);
  } else {
    assert.ok(content[type], `${where} declares ${type}`);
    if (/json$/.test(type)) check(await answer.clone().json(), where, ...place, 'content', type, 'schema');
  }
  return answer;
}

before(async () => {
  service = await Service.start({ args: ['--max-body-bytes', '256KiB', '--max-queued', '2', '--max-runs', '1'] });
  await service.until((await service.submit({ steps: 1 })).id);
});
after(() => service.stop());

test('the contract passes a linter', async () => {
  const config = await createConfig({ extends: ['recommended'], rules: {
    'operation-4xx-response': 'off', // probes can't be asked wrongly
    'no-unused-components': 'off', // the data of events is used by their description
    'security-defined': 'off',
  } });
  const problems = await lintFromString({ source, config });
  assert.deepEqual(problems.map(({ severity, ruleId, message, location }) =>
    `${severity} ${ruleId}: ${message} at ${location[0].pointer}`), []);
});

test('the served contract is the file', async () => {
  assert.equal(await (await ask('GET', '/openapi.yaml')).text(), source);
});

test('the page at /docs is the contract, rendered', async () => {
  const answer = await ask('GET', '/docs');
  assert.match(answer.headers.get('content-security-policy'), /default-src 'none'/);
  assert.equal(await answer.text(), render(contract), 'node tools/gen-docs.mjs openapi.yaml > server/api/docs.html');
});

test('jobs', async () => {
  const post = (fields, { image, headers, query = '' } = {}) =>
    ask('POST', '/v1/jobs' + query, { body: form(fields, image), headers });
  const job = await (await post({ steps: 2, metadata: '{"a":{"b":[1]}}', mask: png(), priority: 'batch' })).json();
  await service.until(job.id);
  const done = await post({ steps: 1, auxiliary_prompt: 'hazy' }, { headers: { prefer: 'wait=30', 'idempotency-key': 'k' }, query: '?include=image' });
  assert.equal(done.status, 200);
  await post({ steps: 1, auxiliary_prompt: 'hazy' }, { headers: { 'idempotency-key': 'k' } });
  assert.equal((await post({ steps: 2 }, { headers: { 'idempotency-key': 'k' } })).status, 422);
  assert.equal((await post({ steps: 0 })).status, 400);
  assert.equal((await post({}, { image: Buffer.from('x') })).status, 415);
  assert.equal((await post({}, { image: png().subarray(0, 20) })).status, 422);
  assert.equal((await post({}, { image: Buffer.concat([png(), Buffer.alloc(300000)]) })).status, 413);

  const stream = await ask('POST', '/v1/jobs', { body: form({ steps: 3, previews: 1 }), headers: { accept: 'text/event-stream' } });
  const schemas = { step: 'StepEvent', preview: 'PreviewEvent' };
  for (const item of await collect(stream))
    check(item.data, item.event, 'components', 'schemas', schemas[item.event] ?? 'StateEvent');
  const retried = await ask('POST', '/v1/jobs', { body: form({ steps: 3, instruction: 'crash-once@2' }), headers: { accept: 'text/event-stream' } });
  for (const item of await collect(retried))
    check(item.data, item.event, 'components', 'schemas', schemas[item.event] ?? 'StateEvent');

  const held = await (await post({ instruction: 'hold' })).json();
  await service.until(held.id, (now) => now.status === 'running');
  await ask('GET', `/v1/jobs/${held.id}`);
  assert.equal((await ask('GET', `/v1/jobs/${held.id}/result`)).status, 409);
  const waiting = [await (await post({})).json(), await (await post({})).json()];
  const refused = await post({});
  assert.equal(refused.status, 429);
  assert.ok(refused.headers.get('retry-after'));
  await ask('GET', '/v1/jobs?status=queued');
  await ask('GET', `/v1/jobs/${waiting[1].id}`);
  await ask('POST', `/v1/jobs/${held.id}/cancel`);
  for (const { id } of waiting) await service.until(id);

  const failed = await service.until((await (await post({ instruction: 'fail' })).json()).id);
  assert.equal(failed.status, 'failed');
  await ask('GET', `/v1/jobs/${failed.id}`);
  await ask('GET', `/v1/jobs/${job.id}?include=image`);
  assert.equal((await ask('GET', `/v1/jobs/${job.id}?include=all`)).status, 400);
  const result = await ask('GET', `/v1/jobs/${job.id}/result`);
  assert.equal((await ask('GET', `/v1/jobs/${job.id}/result`, { headers: { 'if-none-match': result.headers.get('etag') } })).status, 304);
  assert.equal((await ask('GET', `/v1/jobs/${job.id}/result?x=1`)).status, 400);

  const events = await collect(await ask('GET', `/v1/jobs/${job.id}/events`));
  check(events[0].data, 'snapshot', 'components', 'schemas', 'StateEvent');
  assert.equal((await ask('GET', `/v1/jobs/${job.id}/events`, { headers: { 'last-event-id': String(events[0].id) } })).status, 204);
  assert.equal((await ask('GET', `/v1/jobs/${job.id}/events`, { headers: { 'last-event-id': 'x' } })).status, 400);
  await ask('GET', '/v1/jobs?limit=3');
  await ask('GET', '/v1/jobs?status=cancelled&limit=200');
  assert.equal((await ask('GET', '/v1/jobs?limit=0')).status, 400);
  assert.equal((await ask('POST', `/v1/jobs/${job.id}/cancel?x=1`)).status, 400);
  assert.equal((await ask('DELETE', `/v1/jobs/${job.id}?x=1`)).status, 400);
  assert.equal((await ask('DELETE', `/v1/jobs/${job.id}`)).status, 204);
  for (const [method, path] of [['GET', ''], ['DELETE', ''], ['GET', '/events'], ['GET', '/result'], ['POST', '/cancel']])
    assert.equal((await ask(method, `/v1/jobs/${job.id}${path}`)).status, 404);
});

test('expired', async () => {
  const kept = service;
  service = await Service.start({ args: ['--result-ttl', '1s'] });
  try {
    const job = { body: form({ steps: 1 }), headers: { prefer: 'wait=30', 'idempotency-key': 'job' } };
    const edit = { body: form({ instruction: undefined, prompt: 'x', steps: 1 }), headers: { 'idempotency-key': 'edit' } };
    const { id } = await (await ask('POST', '/v1/jobs', job)).json();
    await ask('POST', '/v1/images/edits', edit);
    const [edited] = (await (await ask('GET', '/v1/jobs?limit=1')).json()).data;
    await service.until(edited.id, (now) => now.expired);
    const expired = await (await ask('GET', `/v1/jobs/${id}`)).json();
    assert.equal(expired.expired, true);
    assert.equal(expired.status, 'succeeded');
    assert.equal(expired.result, null);
    assert.ok(Date.parse(expired.expires_at) - Date.parse(expired.finished_at) >= 24 * 3600 * 1000);
    const again = await (await ask('POST', '/v1/jobs', job)).json();
    assert.equal(again.id, id);
    const [snapshot] = await collect(await ask('GET', `/v1/jobs/${id}/events`));
    check(snapshot.data, 'snapshot', 'components', 'schemas', 'StateEvent');
    assert.equal(snapshot.data.expired, true);
    for (const [method, target, init] of [['GET', `/v1/jobs/${id}/result`], ['GET', `/v1/jobs/${id}?include=image`],
      ['GET', `/v1/jobs/${id}/events?include=image`], ['POST', '/v1/jobs?include=image', job], ['POST', '/v1/images/edits', edit]]) {
      const gone = await ask(method, target, init);
      assert.equal(gone.status, 410, `${method} ${target}`);
      assert.equal((await gone.json()).error.code, 'expired');
    }
    edit.body.set('response_format', 'url');
    assert.equal((await ask('POST', '/v1/images/edits', edit)).status, 410);
    edit.body.set('response_format', 'b64_json');
    edit.body.set('stream', 'true');
    const [error] = await collect(await ask('POST', '/v1/images/edits', edit));
    assert.equal(error.event, 'error');
    assert.equal(error.data.status, 410);
  } finally {
    await service.stop();
    service = kept;
  }
});

test('images', async () => {
  const edit = (fields, image) => {
    const data = form({ instruction: undefined, prompt: 'x', steps: 3, ...fields }, image);
    return ask('POST', '/v1/images/edits', { body: data });
  };
  assert.equal((await edit({ n: 2 })).status, 200);
  assert.equal((await edit({ response_format: 'url' })).status, 200);
  const schemas = { 'image_edit.partial_image': 'EditPartialImage', 'image_edit.completed': 'EditCompleted', error: 'Problem' };
  for (const item of await collect(await edit({ stream: 'true', partial_images: 2 })))
    check(item.data, item.event, 'components', 'schemas', schemas[item.event]);
  assert.equal((await edit({ prompt: '' })).status, 400);
  assert.equal((await edit({ model: 'x' })).status, 404);
  assert.equal((await edit({}, Buffer.from('x'))).status, 415);
  assert.equal((await edit({}, png().subarray(0, 20))).status, 422);
  assert.equal((await edit({}, Buffer.concat([png(), Buffer.alloc(300000)]))).status, 413);
  assert.equal((await edit({ prompt: 'internal' })).status, 500);
  assert.equal((await edit({ prompt: 'oom' })).status, 503);
});

test('batches', async () => {
  const batchForm = (fields, bytes = png()) => {
    const data = form(fields, bytes);
    data.append('image', new Blob([bytes]), 'second.png');
    return data;
  };
  const post = (fields, headers, bytes) => ask('POST', '/v1/batches', { body: batchForm(fields, bytes), headers });
  const batch = await (await post({ steps: 1 })).json();
  const schemas = { batch: 'Batch', job: 'BatchJobEvent', completed: 'BatchCompletedEvent' };
  const list = await collect(await ask('GET', `/v1/batches/${batch.id}/events`));
  for (const item of list) check(item.data, item.event, 'components', 'schemas', schemas[item.event]);
  await collect(await post({ steps: 1 }, { accept: 'text/event-stream' }));
  const last = { 'last-event-id': String(list.at(-1).id) };
  assert.equal((await ask('GET', `/v1/batches/${batch.id}/events`, { headers: last })).status, 204);
  assert.equal((await ask('GET', `/v1/batches/${batch.id}/events?x=1`)).status, 400);
  await ask('GET', `/v1/batches/${batch.id}`);
  assert.equal((await ask('GET', `/v1/batches/${batch.id}?x=1`)).status, 400);
  await ask('POST', `/v1/batches/${batch.id}/cancel`);
  assert.equal((await ask('POST', `/v1/batches/${batch.id}/cancel?x=1`)).status, 400);
  await ask('GET', `/v1/jobs?batch=${batch.id}`);
  assert.equal((await ask('GET', '/v1/jobs?batch=x')).status, 400);
  assert.equal((await post({ manifest: '[]' })).status, 400);
  assert.equal((await post({}, {}, Buffer.from('x'))).status, 415);
  assert.equal((await post({}, {}, png().subarray(0, 20))).status, 422);
  assert.equal((await post({}, {}, Buffer.concat([png(), Buffer.alloc(300000)]))).status, 413);
  const none = '0'.repeat(32);
  for (const [method, path] of [['GET', ''], ['GET', '/events'], ['POST', '/cancel']])
    assert.equal((await ask(method, `/v1/batches/${none}${path}`)).status, 404);
});

test('models, capabilities, probes', async () => {
  await ask('GET', '/v1/models');
  await ask('GET', '/v1/models/fake');
  assert.equal((await ask('GET', '/v1/models/x')).status, 404);
  await ask('GET', '/v1/capabilities');
  for (const path of ['/v1/models', '/v1/models/fake', '/v1/capabilities'])
    assert.equal((await ask('GET', `${path}?x=1`)).status, 400);
  await ask('GET', '/metrics');
  await ask('GET', '/health/live');
  await ask('GET', '/health/ready');
});

test('parameters of the capabilities and of the contract are the same', async () => {
  const { parameters } = await (await service.fetch('/v1/capabilities')).json();
  for (const form of ['JobSubmission', 'BatchSubmission', 'Parameters']) {
    const fields = contract.components.schemas[form].properties;
    for (const parameter of parameters) {
      const where = `${form}.${parameter.name}`;
      const field = { ...resolve(fields[parameter.name]), ...fields[parameter.name] };
      if (form !== 'Parameters') assert.equal(field.default, parameter.default, where);
      if (parameter.type === 'choice') assert.deepEqual(field.enum, parameter.choices, where);
      else assert.deepEqual([field.type, field.minimum, field.maximum], [parameter.type, parameter.minimum, parameter.maximum], where);
    }
  }
});

test('loading and draining', async () => {
  const kept = service;
  service = await Service.start({ fake: ['load-ms=500'] });
  try {
    assert.equal((await ask('GET', '/health/ready')).status, 503);
    const held = await (await ask('POST', '/v1/jobs', { body: form({ instruction: 'step-ms=100', steps: 20 }) })).json();
    await service.until(held.id, (job) => job.status === 'running');
    service.kill('SIGTERM');
    while ((await ask('GET', '/health/ready')).status === 200);
    assert.equal((await ask('POST', '/v1/jobs', { body: form({}) })).status, 503);
    assert.equal((await ask('POST', '/v1/images/edits', { body: form({ prompt: 'x', instruction: undefined }) })).status, 503);
    assert.equal((await ask('POST', '/v1/batches', { body: form({}) })).status, 503);
  } finally {
    await service.stop();
    service = kept;
  }
});

test('keys and origins, at every operation', async () => {
  const kept = service;
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'promptfix-contract-'));
  const file = path.join(dir, 'keys');
  fs.writeFileSync(file, `alice ${crypto.createHash('sha256').update('key').digest('hex')}\n`);
  service = await Service.start({ args: ['--keys-file', file] });
  try {
    for (const [template, item] of Object.entries(contract.paths))
      for (const method of ['get', 'post', 'delete']) {
        if (!item[method]) continue;
        const target = template.replace(/\{\w+\}/g, '0'.repeat(32));
        const body = item[method].requestBody ? form({}) : undefined;
        const isOpen = !item[method].responses['401'];
        const answer = await ask(method.toUpperCase(), target, { body });
        assert.equal(answer.status === 401, !isOpen, `${method} ${template}`);
        if (!item[method].responses['403']) continue;
        const headers = { origin: 'https://evil.example', authorization: 'Bearer key' };
        assert.equal((await ask(method.toUpperCase(), target, { body, headers })).status, 403);
      }
  } finally {
    await service.stop();
    service = kept;
  }
});

// What a test can't bring about at will.
const unreachable = /^\w+ (500|503|408|409|417|429)$/;

test('every operation and status of the contract was seen', () => {
  const missing = [];
  for (const item of Object.values(contract.paths))
    for (const method of ['get', 'post', 'delete'])
      for (const status of Object.keys(item[method]?.responses ?? {})) {
        const key = `${item[method].operationId} ${status}`;
        if (!seen.has(key) && !unreachable.test(key)) missing.push(key);
      }
  assert.deepEqual(missing, []);
});
