// SPDX-License-Identifier: Apache-2.0
// A vision-language model behind the chat endpoint, as strict about requests as llama.cpp's server, vLLM and
// Ollama are, and as badly behaved as a test wants: script() gives what it does with each question.
import http from 'node:http';
import { once } from 'node:events';

export const KEY = 'sk-test-0123456789';
export const MODEL = 'llava-test';

// What the headers of a JPEG say: { width, height, segments: ['APP0', …] }.
export function jpeg(bytes) {
  const found = { segments: [] };
  if (bytes.readUInt16BE(0) !== 0xffd8) throw new Error('no SOI');
  if (bytes.readUInt16BE(bytes.length - 2) !== 0xffd9) throw new Error('no EOI');
  for (let at = 2; ;) {
    if (bytes[at] !== 0xff) throw new Error(`no marker at ${at}`);
    const marker = bytes[at + 1];
    if (marker === 0xda) return found;
    if (marker >= 0xe0 && marker <= 0xef) found.segments.push(`APP${marker - 0xe0}`);
    if (marker >= 0xc0 && marker <= 0xc2) {
      found.height = bytes.readUInt16BE(at + 5);
      found.width = bytes.readUInt16BE(at + 7);
    }
    at += 2 + bytes.readUInt16BE(at + 2);
  }
}

class Refusal extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

const refuse = (condition, status, message) => { if (!condition) throw new Refusal(status, message); };
const only = (object, names, where) => {
  for (const name of Object.keys(object)) refuse(names.includes(name), 400, `unexpected '${name}' in ${where}`);
};

// Throws a Refusal, or returns { text, image, body }.
function check(request, raw, key) {
  refuse(request.method === 'POST', 405, 'method');
  refuse(request.url === '/v1/chat/completions', 404, `no ${request.url}`);
  refuse(request.headers.authorization === (key ? `Bearer ${key}` : undefined), 401, `Incorrect API key provided: ${request.headers.authorization}`);
  refuse(request.headers['content-type'] === 'application/json', 415, 'Unsupported Media Type');
  refuse(Number(request.headers['content-length']) === raw.length, 411, 'Content-Length');
  refuse(request.headers.expect === undefined, 417, 'Expect');
  let body;
  try { body = JSON.parse(raw.toString()); } catch { throw new Refusal(400, 'body is no JSON'); }
  only(body, ['model', 'messages', 'max_tokens', 'temperature', 'stream'], 'the request');
  refuse(body.model === MODEL, 404, `The model \`${body.model}\` does not exist.`);
  refuse(Number.isInteger(body.max_tokens) && body.max_tokens >= 1 && body.max_tokens <= 4096, 400, 'max_tokens');
  refuse(typeof body.temperature === 'number' && body.temperature >= 0 && body.temperature <= 2, 400, 'temperature');
  refuse(body.stream === undefined || body.stream === false, 400, 'stream');
  refuse(Array.isArray(body.messages) && body.messages.length === 1, 400, 'messages');
  const [message] = body.messages;
  only(message, ['role', 'content'], 'a message');
  refuse(message.role === 'user', 400, 'role');
  refuse(Array.isArray(message.content) && message.content.length === 2, 400, 'content');
  const text = message.content.find((part) => part.type === 'text');
  const image = message.content.find((part) => part.type === 'image_url');
  refuse(text && image, 400, 'content parts');
  only(text, ['type', 'text'], 'a text part');
  only(image, ['type', 'image_url'], 'an image part');
  only(image.image_url, ['url', 'detail'], 'image_url');
  refuse(typeof text.text === 'string' && text.text.length > 0, 400, 'text');
  const data = /^data:image\/jpeg;base64,([A-Za-z0-9+/]+={0,2})$/.exec(image.image_url.url);
  refuse(data && data[1].length % 4 === 0, 400, 'invalid image input');
  const bytes = Buffer.from(data[1], 'base64');
  let picture;
  try { picture = jpeg(bytes); } catch (error) { throw new Refusal(400, `failed to load image: ${error.message}`); }
  return { text: text.text, bytes, picture };
}

export const completion = (content, reason = 'stop') => ({
  id: 'chatcmpl-1', object: 'chat.completion', created: 1, model: MODEL,
  choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: reason, logprobs: null }],
  usage: { prompt_tokens: 600, completion_tokens: 12, total_tokens: 612 },
});

export const kind = (question) => (/wrong/.test(question) ? 'defect' : 'semantic');

export class Vlm {
  // script(question, n): what to do with the n-th request (1, 2, …) of its kind: a string to answer, or
  // { status, headers, body, hang, drop, after (a promise) }.
  static async start(script = (question) => (kind(question) === 'defect' ? 'It is hazy.' : 'A dog on a beach.'), port = 0) {
    const vlm = new Vlm();
    vlm.script = script;
    vlm.key = KEY;
    vlm.requests = []; // { kind, question, bytes, picture, at, closed, traceparent }
    vlm.refused = [];
    vlm.open = vlm.most = 0;
    vlm.server = http.createServer((request, response) => vlm.#take(request, response));
    vlm.server.listen(port, '127.0.0.1');
    await once(vlm.server, 'listening');
    vlm.port = vlm.server.address().port;
    vlm.url = `http://127.0.0.1:${vlm.port}/v1`;
    return vlm;
  }

  async #take(request, response) {
    const parts = [];
    try { for await (const part of request) parts.push(part); } catch { return; }
    this.open++;
    this.most = Math.max(this.most, this.open);
    let item;
    response.on('close', () => { this.open--; if (item) item.closed = true; });
    let asked;
    try {
      asked = check(request, Buffer.concat(parts), this.key);
    } catch (error) {
      this.refused.push(error.message);
      this.#send(response, error.status ?? 500, {}, { error: { message: error.message, type: 'invalid_request_error', code: error.status } });
      return;
    }
    item = { kind: kind(asked.text), question: asked.text, at: Date.now(), closed: false, traceparent: request.headers.traceparent, ...asked };
    this.requests.push(item);
    const count = this.requests.filter((other) => other.kind === item.kind).length;
    let act = this.script(asked.text, count, item);
    if (typeof act === 'string') act = { body: completion(act) };
    await act.after;
    if (act.hang) return;
    if (act.drop) { request.socket.destroy(); return; }
    this.#send(response, act.status ?? 200, act.headers ?? {}, act.body ?? '');
  }

  #send(response, status, headers, body) {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(text);
  }

  count(which) { return this.requests.filter((item) => !which || item.kind === which).length; }

  async stop() {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}
