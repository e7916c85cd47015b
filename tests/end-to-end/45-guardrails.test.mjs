// Guardrails from end to end: what a model may reach, what a person confirms, what is on record and cannot be taken back.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { editRecord } from './lib/ledger.mjs';
import { Installation } from './lib/installation.mjs';
import { MODEL, serveOn } from './lib/scripted-model.mjs';
import { docker, until } from './lib/shell.mjs';

const SECRET = 'first-token-of-the-house';
const NEXT_SECRET = 'second-token-of-the-house';

let bot;
let model;
let house;
let token;
/** What the upstream was asked, in order. */
const asked = [];

before(async () => {
  bot = await Installation.create('guard');
  await bot.up();
  model = await serveOn(`${bot.name}-spark`, think);
  house = await serveOn(bot.container('gate', 'personal'), answer);
  await bot.botctl('secret', 'set', 'house-token', { input: SECRET });
  await bot.configure((text) => `${text.replace('tools = ["clock.now"]', 'tools = ["clock.now", "http.get", "http.request"]')}
[spark]
url = "${model.url}/v1"
model = "${MODEL}"

[[profile.personal.policy]]
effect = "allow"
tool = "http.request"
session = "script"

[profile.personal.upstream.house]
url = "${house.url}"
networks = ["${house.address}/32"]
bearer = { secret = "house-token" }

[[profile.personal.upstream.house.rule]]
method = "GET"
path = "/states/{light}"
params = { light = ["kitchen", "hall"] }

[[profile.personal.upstream.house.rule]]
method = "POST"
path = "/doors/{door}"
params = { door = ["front"] }
body = { state = ["open"] }
confirm = true
card = "Open the {door} door"
`);
  await bot.well();
  token = (await bot.json('token', 'create', 'personal', 'test')).token;
});
after(async () => {
  model?.stop();
  house?.stop();
  await bot?.remove();
});

/** A model that calls the tool it is told to, and says what came back. */
function think(request, body, response) {
  if (request.url.endsWith('/models')) {
    return response.setHeader('content-type', 'application/json').end(JSON.stringify({ object: 'list', data: [{ id: MODEL, object: 'model' }] }));
  }
  const { messages, tools = [] } = JSON.parse(body);
  const last = messages.at(-1);
  const plain = (name) => name.replace(/\W|_/g, '');
  let delta = { content: String(last.content) };
  if (last.role === 'user' && last.content.startsWith('{')) {
    const call = JSON.parse(last.content);
    const name = tools.map((tool) => tool.function.name).find((found) => plain(found) === plain(call.tool)) ?? call.tool;
    delta = { tool_calls: [{ index: 0, id: 'call-1', type: 'function', function: { name, arguments: JSON.stringify(call.arguments) } }] };
  }
  const chunk = (delta, finish_reason) => `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: MODEL, choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
  response.setHeader('content-type', 'text/event-stream');
  response.end(`${chunk({ role: 'assistant', ...delta }, null)}${chunk({}, delta.tool_calls ? 'tool_calls' : 'stop')}data: [DONE]\n\n`);
}

/** The upstream: says what it was sent, the credential too. */
function answer(request, body, response) {
  asked.push({ method: request.method, url: request.url, body, authorization: request.headers.authorization });
  response.setHeader('content-type', 'application/json').end(JSON.stringify({ state: 'on', echo: request.headers.authorization ?? null }));
}

/** Has the model call a tool; gives the text of the whole answer. */
async function call(tool, args) {
  const response = await fetch(`${bot.url('personal')}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'assistant', messages: [{ role: 'user', content: JSON.stringify({ tool, arguments: args }) }] }),
  });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text).choices[0].message.content;
}

const get = (path) => call('http.get', { upstream: 'house', path });
const open = () => call('http.request', { upstream: 'house', method: 'POST', path: '/doors/front', body: { state: 'open' }, reason: 'somebody rings' });

async function pending() {
  const { profiles: [personal] } = await bot.json('approval', 'list', 'personal');
  return personal.confirmations.filter((card) => card.state.is === 'pending');
}

test('what a rule allows passes, with the credential that nobody inside sees', async () => {
  const text = await get('/states/kitchen');
  assert.match(text, /on/);
  assert.doesNotMatch(text, new RegExp(SECRET));
  assert.deepEqual(asked.splice(0), [{ method: 'GET', url: '/states/kitchen', body: '', authorization: `Bearer ${SECRET}` }]);
});

test('what no rule allows does not pass', async () => {
  for (const path of ['/states/cellar', '/states', '/config', '/doors/front']) {
    assert.match(await get(path), /egress_denied|no rule/i, path);
  }
  assert.deepEqual(asked.splice(0), []);
});

test('a confirm is decided by the operator, about exactly what was shown, once', async () => {
  const opening = open();
  const [card] = await until('the gate asks', async () => ((await pending()).length ? pending() : false));
  assert.equal(card.words, 'Open the front door');
  assert.match(card.request, /POST .*\/doors\/front/);
  assert.deepEqual(asked, [], 'nothing happens before');
  const without = await bot.botctl('approval', 'allow', 'personal', card.id, { mayFail: true });
  assert.equal(without.code, 2);
  assert.match(without.stderr, /--yes/);
  const shown = await bot.botctl('approval', 'allow', 'personal', card.id.slice(0, 8), '--yes');
  assert.match(shown.stdout, /Open the front door[\s\S]*somebody rings[\s\S]*is allowed, by operator/);
  assert.match(await opening, /on/);
  assert.equal(asked.length, 1);
  assert.deepEqual(JSON.parse(asked.splice(0)[0].body), { state: 'open' });
  const again = await bot.botctl('approval', 'allow', 'personal', card.id, '--yes', { mayFail: true });
  assert.notEqual(again.code, 0);

  const refused = open();
  const [second] = await until('the gate asks again', async () => ((await pending()).length ? pending() : false));
  assert.notEqual(second.id, card.id);
  await bot.botctl('approval', 'deny', 'personal', second.id, '--yes');
  assert.match(await refused, /denied/);
  assert.deepEqual(asked.splice(0), []);
});

test('a rotated secret reaches the gate without a restart', async () => {
  const ids = await bot.ids();
  const unknown = await bot.botctl('secret', 'rotate', 'no-such-secret', { input: 'x', mayFail: true });
  assert.equal(unknown.code, 1);
  const rotated = await bot.botctl('secret', 'rotate', 'house-token', { input: NEXT_SECRET });
  assert.match(rotated.stdout, /given to personal\/gate/);
  await get('/states/hall');
  assert.equal(asked.splice(0)[0].authorization, `Bearer ${NEXT_SECRET}`);
  assert.deepEqual(await bot.ids(), ids);
  assert.match((await bot.botctl('secret', 'list')).stdout, /house-token .*personal\/gate/);
});

test('all of it is on record, in three chains that hold', async () => {
  const trail = await until('heads are kept', async () => {
    const found = await bot.json('audit', 'personal', '-n', '1000', '--verify');
    return found.chains.every((chain) => chain.anchored > 0) ? found : false;
  }, 90);
  assert.equal(trail.verified, true);
  const kinds = new Set(trail.lines.map((line) => `${line.chain} ${line.kind}`));
  for (const kind of ['supervisor secret.set', 'supervisor config.applied', 'supervisor token.created', 'supervisor confirmation.decided',
    'supervisor secret.rotated', 'gate egress.allowed', 'gate egress.denied', 'gate confirmation.decided', 'agent tool.decided', 'agent tool.ran']) {
    assert.ok(kinds.has(kind), `${kind} is not in ${[...kinds].join(', ')}`);
  }
  assert.doesNotMatch(JSON.stringify(trail), new RegExp(`${SECRET}|${NEXT_SECRET}`));
  assert.match((await bot.botctl('audit', 'personal', '--verify')).stdout, /agent +holds up to entry/);
});

test('an entry that an agent takes back is found', async () => {
  const volume = await docker('volume', 'inspect', `${bot.name}-personal-state`, '--format', '{{.Mountpoint}}');
  await editRecord(`${volume}/current/agent.db`, 'audit', "UPDATE audit SET actor = 'nobody' WHERE n = 2");
  const found = await bot.botctl('audit', 'personal', '--verify', { mayFail: true });
  assert.equal(found.code, 1);
  assert.match(found.stdout, /agent +entry 2 was changed/);
  assert.match(found.stdout, /gate +holds/);
});
