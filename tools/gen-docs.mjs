// SPDX-License-Identifier: Apache-2.0
// Renders openapi.yaml as the page served at /docs:
//     node tools/gen-docs.mjs openapi.yaml > server/api/docs.html
// Run it after a change of openapi.yaml (a test compares). Needs the `yaml` package of tests/e2e.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const escape = (text) => String(text).replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);
const inline = (text) => escape(text).replace(/`([^`]+)`/g, '<code>$1</code>');

// Paragraphs and lists, which is all the contract uses of Markdown.
function prose(text = '') {
  return text.trim().split(/\n\s*\n/).filter(Boolean).map((block) => {
    const lines = block.split('\n');
    if (!lines[0].startsWith('- ')) return `<p>${inline(lines.join(' '))}</p>`;
    const items = block.slice(2).split(/\n- /);
    return `<ul>${items.map((item) => `<li>${inline(item.replaceAll('\n', ' '))}</li>`).join('')}</ul>`;
  }).join('\n');
}

const nameOf = (ref) => ref.split('/').pop();
const link = (ref) => `<a href="#schema-${nameOf(ref)}">${nameOf(ref)}</a>`;

// A schema in words: "integer, 1 to 1000", "one of png, jpeg", a link, …
function typeOf(schema) {
  if (!schema) return '';
  const base = schema.$ref ? link(schema.$ref) : typeOfPlain(schema);
  return schema.default !== undefined && schema.default !== '' ? `${base}, default <code>${escape(schema.default)}</code>` : base;
}

function typeOfPlain(schema) {
  if (schema.const !== undefined) return `<code>${escape(schema.const)}</code>`;
  if (schema.enum) return `one of ${schema.enum.map((value) => `<code>${escape(value)}</code>`).join(', ')}`;
  if (schema.oneOf) return schema.oneOf.map(typeOf).join(' or ');
  const types = [schema.type ?? 'any'].flat().map((type) => (type === 'array' ? `array of ${typeOf(schema.items)}` : escape(type)));
  let text = types.join(' or ');
  if (schema.contentMediaType === 'application/octet-stream') text = 'file';
  if (schema.contentMediaType === 'application/json') text = 'JSON text';
  if (schema.contentEncoding) text = escape(schema.contentEncoding);
  if (schema.format) text += ` (${escape(schema.format)})`;
  if (schema.minimum !== undefined && schema.maximum !== undefined) text += `, ${schema.minimum} to ${schema.maximum}`;
  else if (schema.minimum !== undefined) text += `, from ${schema.minimum}`;
  if (schema.maxLength !== undefined) text += `, at most ${schema.maxLength} characters`;
  if (schema.pattern) text += `, <code>${escape(schema.pattern)}</code>`;
  return text;
}

function fields(schema, indent = '') {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).map(([name, field]) => {
    const row = `<tr><td>${indent}<code>${escape(name)}</code>${required.has(name) ? ' <abbr title="required">*</abbr>' : ''}</td>` +
      `<td>${typeOf(field)}</td><td>${inline(field.description ?? '')}</td></tr>`;
    const inner = field.properties ? field : field.items?.properties ? field.items : null;
    return row + (inner ? '\n' + fields(inner, `${indent}<span class="in"></span>`) : '');
  }).join('\n');
}

const table = (rows, heads) => rows
  ? `<div class="wide"><table><thead><tr>${heads.map((head) => `<th scope="col">${head}</th>`).join('')}</tr></thead><tbody>\n${rows}\n</tbody></table></div>`
  : '';

export function render(contract) {
  const resolve = (node) => (node?.$ref ? resolve(node.$ref.slice(2).split('/').reduce((at, key) => at[key], contract)) : node);

  const parameterRows = (list) => list.map(resolve).map((parameter) =>
    `<tr><td><code>${escape(parameter.name)}</code>${parameter.required ? ' <abbr title="required">*</abbr>' : ''}</td><td>${parameter.in}</td>` +
    `<td>${typeOf(parameter.schema)}</td><td>${inline(parameter.description ?? '')}</td></tr>`).join('\n');

  const responseRows = (responses) => Object.entries(responses).map(([status, node]) => {
    const response = resolve(node);
    const bodies = Object.entries(response.content ?? {}).map(([type, { schema }]) =>
      `<code>${type}</code>${schema ? ' ' + typeOf(schema) : ''}`).join('<br>');
    const headers = Object.keys(response.headers ?? {}).filter((name) => name !== 'X-Request-Id').map((name) => `<code>${name}</code>`).join(' ');
    return `<tr><td>${status}</td><td>${inline(response.description)}</td><td>${bodies}</td><td>${headers}</td></tr>`;
  }).join('\n');

  const operations = [];
  for (const [path, item] of Object.entries(contract.paths))
    for (const method of ['get', 'post', 'delete'])
      if (item[method]) operations.push({ path, method, ...item[method], parameters: [...(item.parameters ?? []), ...(item[method].parameters ?? [])] });

  const operation = (at) => {
    const [type, body] = Object.entries(at.requestBody?.content ?? {})[0] ?? [];
    return `<section class="operation" id="${at.operationId}">
<h3><span class="method ${at.method}">${at.method.toUpperCase()}</span> <code>${escape(at.path)}</code></h3>
<p class="summary">${inline(at.summary)}</p>
${prose(at.description)}
${at.parameters.length ? '<h4>Parameters</h4>' + table(parameterRows(at.parameters), ['Name', 'In', 'Type', 'Meaning']) : ''}
${body ? `<h4>Body</h4><p><code>${type}</code>: ${typeOf(body.schema)}</p>` : ''}
<h4>Answers</h4>
${table(responseRows(at.responses), ['Status', 'When', 'Body', 'Headers'])}
</section>`;
  };

  const schemas = Object.entries(contract.components.schemas).map(([name, schema]) => `<section id="schema-${name}">
<h3>${name}</h3>
${prose(schema.description)}
${schema.properties ? table(fields(schema), ['Member', 'Type', 'Meaning']) : schema.allOf
    ? `<p>${schema.allOf.filter((part) => part.$ref).map(typeOf).join(', ')} and</p>${table(schema.allOf.map((part) => fields(part)).filter(Boolean).join('\n'), ['Member', 'Type', 'Meaning'])}`
    : `<p>${typeOf(schema)}</p>`}
</section>`).join('\n');

  const contents = contract.tags.map((tag) => `<li><a href="#tag-${tag.name}">${tag.name}</a><ul>${operations.filter((at) => at.tags.includes(tag.name))
    .map((at) => `<li><a href="#${at.operationId}">${at.method.toUpperCase()} ${escape(at.path)}</a></li>`).join('')}</ul></li>`).join('\n');

  const groups = contract.tags.map((tag) => `<section id="tag-${tag.name}">
<h2>${tag.name}</h2>
<p>${inline(tag.description)}.</p>
${operations.filter((at) => at.tags.includes(tag.name)).map(operation).join('\n')}
</section>`).join('\n');

  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(contract.info.title)} API ${escape(contract.info.version)}</title>
<style>
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #0b6bcb; }
@media (prefers-color-scheme: dark) { :root { --accent: #6cb6ff; } }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 78rem; padding: 1rem; }
a { color: var(--accent); }
nav { font-size: .9rem; columns: 18rem; border-block: 1px solid var(--line); padding-block: .5rem; }
nav ul { margin: 0; padding-left: 1rem; list-style: none; }
nav > ul > li { break-inside: avoid; margin-bottom: .5rem; font-weight: 600; }
nav li li { font-weight: 400; }
code { font: .9em/1.4 ui-monospace, monospace; background: var(--soft); border-radius: .2rem; padding: 0 .2rem; overflow-wrap: anywhere; }
.operation { border-top: 1px solid var(--line); padding-top: .5rem; margin-top: 1.5rem; }
.method { font: 600 .8rem ui-monospace, monospace; border: 1px solid currentColor; border-radius: .25rem; padding: .1rem .4rem; }
.get { color: #0a7d36; } .post { color: #0b6bcb; } .delete { color: #c4281c; }
@media (prefers-color-scheme: dark) { .get { color: #57c785; } .post { color: #6cb6ff; } .delete { color: #ff8a80; } }
.summary { font-weight: 600; margin-block: .25rem; }
h4 { margin: .75rem 0 .25rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .5rem; border-bottom: 1px solid var(--line); }
.in { display: inline-block; width: 1.2rem; }
abbr { text-decoration: none; color: #c4281c; }
</style>
</head>
<body>
<header>
<h1>${escape(contract.info.title)} API</h1>
<p>${inline(contract.info.summary)}. Version ${escape(contract.info.version)}; the contract itself: <a href="/openapi.yaml">openapi.yaml</a>.</p>
${prose(contract.info.description)}
</header>
<nav aria-label="Contents"><ul>
${contents}
<li><a href="#schemas">schemas</a></li>
</ul></nav>
<main>
${groups}
<section id="schemas">
<h2>schemas</h2>
${schemas}
</section>
</main>
</body>
</html>
`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const require = createRequire(new URL('../tests/e2e/package.json', import.meta.url));
  process.stdout.write(render(require('yaml').parse(fs.readFileSync(process.argv[2], 'utf8'))));
}
