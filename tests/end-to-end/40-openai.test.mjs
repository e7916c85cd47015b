// The OpenAI-compatible endpoint through the gate and on spark's own socket, with the SDK that people use.

import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Installation } from './lib/installation.mjs';
import { cache, run } from './lib/shell.mjs';

let bot;
let token;

before(async () => {
  bot = await Installation.create('openai');
  await bot.up();
});
after(() => bot?.remove());

const models = (bearer) => fetch(`${bot.url('personal')}/v1/models`, { headers: bearer ? { authorization: `Bearer ${bearer}` } : {} });

test('it is off until a token exists, and says what to do', async () => {
  const response = await models();
  assert.equal(response.status, 401);
  assert.match((await response.json()).error.message, /botctl(?: --root \S+)? token create/);
});

test('a token is shown once, works for its profile only, and is stored hashed', async () => {
  const created = await bot.json('token', 'create', 'personal', 'sdk');
  token = created.token;
  assert.match(token, /^bot_[\w-]{43}$/);
  assert.equal((await models(token)).status, 200);
  assert.equal((await fetch(`${bot.url('ops')}/v1/models`, { headers: { authorization: `Bearer ${token}` } })).status, 401);
  const listed = (await bot.botctl('token', 'list', 'personal')).stdout;
  assert.match(listed, /sdk/);
  assert.doesNotMatch(listed, new RegExp(token.slice(4)));
  assert.notEqual((await run('grep', ['-rqa', token, `${bot.root}/lib/supervisor.db`], { mayFail: true })).code, 0);
});

test('the openai SDK: models, plain, stream, error', async () => {
  const python = path.join(cache, 'openai-sdk/venv/bin/python');
  const checked = await run(python, ['tests/end-to-end/openai_sdk.py', `${bot.url('personal')}/v1`, token, 'assistant'], { mayFail: true });
  assert.equal(checked.code, 0, checked.stdout + checked.stderr);
});

test('the openai SDK on spark\'s own socket: the same, with tools, and a prompt that is too long', async () => {
  const python = path.join(cache, 'openai-sdk/venv/bin/python');
  const socket = path.join(bot.root, 'run/run/spark/personal/llm.sock');
  const checked = await run(python, ['tests/end-to-end/openai_sdk.py', '--socket', socket, '--tools', 'demo/echo'], { mayFail: true });
  assert.equal(checked.code, 0, checked.stdout + checked.stderr);
  const { rows } = await bot.json('spark', 'usage');
  assert.ok(rows.some(({ profile, bot: name, requests, input_tokens }) => profile === 'personal' && name === null && requests >= 5 && input_tokens > 0), JSON.stringify(rows));
  assert.ok(rows.some(({ profile, bot: name }) => profile === 'personal' && name === 'assistant'), JSON.stringify(rows));
  assert.match((await bot.botctl('spark', 'usage')).stdout, /PROFILE +BOT +REQUESTS[^]*personal +assistant/);
});

test('a revoked token is refused at once', async () => {
  await bot.botctl('token', 'revoke', 'personal', 'sdk');
  assert.equal((await models(token)).status, 401);
});
