// SPDX-License-Identifier: Apache-2.0
// The parts of the page that need no browser.
import assert from 'node:assert/strict';
import test from 'node:test';
import { errorOf } from '../../web/api.js';
import { formatBytes, formatDuration } from '../../web/dom.js';
import { EventParser } from '../../web/events.js';
import { Mask } from '../../web/mask.js';
import { sniff } from '../../web/photo.js';

const STREAM = ': ping\n\nid: 1\nevent: queued\ndata: {"a":\ndata:  "ü"}\n\nid: 2\r\nevent: step\r\ndata: 1\r\n\r\n' +
  'event: nothing\n\ndata\n\nid: 3\revent: succeeded\rdata: end\r\r:';
const EVENTS = [
  { id: '1', name: 'queued', data: '{"a":\n "ü"}' },
  { id: '2', name: 'step', data: '1' },
  { id: '2', name: 'message', data: '' },
  { id: '3', name: 'succeeded', data: 'end' },
];

test('events are parsed, wherever the stream is cut', () => {
  for (let first = 0; first <= STREAM.length; first++) {
    for (let second = first; second <= STREAM.length; second += 7) {
      const events = [];
      const parser = new EventParser((event) => events.push(event));
      for (const piece of [STREAM.slice(0, first), STREAM.slice(first, second), STREAM.slice(second)]) parser.push(piece);
      assert.deepEqual(events, EVENTS, `cut at ${first} and ${second}`);
    }
  }
});

test('an event without its blank line is not told', () => {
  const events = [];
  new EventParser((event) => events.push(event)).push('id: 1\nevent: step\ndata: {}\n');
  assert.equal(events.length, 0);
});

test('errors name field, reason and when to come back', () => {
  const body = JSON.stringify({ title: 'Invalid request', status: 400, detail: "steps: '0' is not …",
    errors: [{ detail: 'x', pointer: '#/a~1b~0c' }], error: { code: 'invalid_request' } });
  const error = errorOf(400, null, body);
  assert.deepEqual([error.message, error.field, error.code, error.isTransient],
    ["steps: '0' is not …", 'a/b~c', 'invalid_request', false]);
  const full = errorOf(429, '7', '{"title":"Queue full","error":{"code":"queue_full","param":null}}');
  assert.deepEqual([full.message, full.field, full.retryAfterS, full.isTransient], ['Queue full', null, 7, true]);
  assert.equal(errorOf(502, 'Wed, 21 Oct 2026 07:28:00 GMT', '<html>').message, 'The server answered 502');
});

test('files are known by their first bytes', () => {
  const bytes = (text) => Uint8Array.from(text, (character) => character.charCodeAt(0));
  assert.equal(sniff(bytes('\x89PNG\r\n\x1a\n....')), 'png');
  assert.equal(sniff(bytes('\xff\xd8\xff\xe0')), 'jpeg');
  assert.equal(sniff(bytes('RIFF....WEBPVP8 ')), 'webp');
  assert.equal(sniff(bytes('RIFF....WAVE')), null);
  assert.equal(sniff(bytes('GIF89a')), null);
  assert.equal(sniff(bytes('')), null);
});

test('times and sizes are told briefly', () => {
  assert.deepEqual([0, 1499, 59400, 61000, 3600000, 3900000].map(formatDuration),
    ['0 s', '1 s', '59 s', '1 min 1 s', '1 h 0 min', '1 h 5 min']);
  assert.deepEqual([5, 2048, 5 << 20].map(formatBytes), ['5 B', '2 KB', '5.0 MB']);
});

test('a mask is bounded, undone and empty when only erased', () => {
  const mask = new Mask();
  let changes = 0;
  mask.addEventListener('change', () => changes++);
  assert.ok(mask.add({ points: [[0, 0]], radius: 0.1, erase: true }));
  assert.ok(mask.isEmpty);
  mask.add({ box: [0, 0, 1, 1], erase: false });
  assert.ok(!mask.isEmpty);
  mask.extend([1, 1]); // a box has no points: nothing happens
  mask.undo();
  assert.ok(mask.isEmpty);
  assert.equal(changes, 3);
  for (let i = 0; i < 5000; i++) mask.add({ box: [0, 0, 1, 1] });
  assert.equal(mask.marks.length, 2000);
});
