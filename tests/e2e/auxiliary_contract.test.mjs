// SPDX-License-Identifier: Apache-2.0
// Jobs that asked a vision-language model, held against openapi.yaml.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import YAML from 'yaml';
import { Service, collect, png } from './service.mjs';
import { MODEL, Vlm, kind } from './vlm.mjs';

const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats(ajv);
ajv.addSchema(YAML.parse(fs.readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8')), 'contract');
function check(value, name) {
  const validate = ajv.getSchema(`contract#/components/schemas/${name}`);
  assert.ok(validate(value), `${ajv.errorsText(validate.errors)}: ${JSON.stringify(value)}`);
}

for (const [outcome, answers] of [['answered', ['defect', 'semantic']], ['partial', ['semantic']], ['failed', []]])
  test(`the log: ${outcome}`, async () => {
    const vlm = await Vlm.start((question) => (answers.includes(kind(question)) ? 'Yes.' : { status: 400 }));
    vlm.key = null; // this one wants none
    const service = await Service.start({ env: { no_proxy: '127.0.0.1' },
      args: ['--vlm-url', vlm.url, '--vlm-model', MODEL, '--vlm-on-failure', 'continue'] });
    try {
      const list = await collect(await service.post({ auxiliary: 'auto', steps: 1 }, { image: png(), headers: { accept: 'text/event-stream' } }));
      for (const item of list.filter(({ event }) => event !== 'step')) check(item.data, 'StateEvent');
      const job = await service.job(list[0].data.id);
      check(job, 'Job');
      assert.equal(job.status, 'succeeded');
      assert.equal(job.auxiliary_log.outcome, outcome);
      check(await (await service.fetch('/v1/capabilities')).json(), 'Capabilities');
    } finally {
      await service.stop();
      await vlm.stop();
    }
  });
