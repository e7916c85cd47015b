// Every bot of the example configuration on the real llama.cpp server: its instructions and tools are taken, a call that llama.cpp itself
// parsed out of the model's text runs a tool, the result goes back in the next request, and the answer comes in pieces.
//
// The model is untrained: which tool it calls is written into its weights, one file a tool. That a model calls the right one is not shown.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { House } from './lib/house.mjs';
import { Installation } from './lib/installation.mjs';
import { MODEL, SENTENCE, serveModel } from './lib/model-server.mjs';
import { serveOn } from './lib/scripted-model.mjs';
import { cache, repository, run } from './lib/shell.mjs';

const SAYS = 'Hello , this is model alpha answering over the local router .';
const PROFILE = 'personal';
/** What went to the server since a question began, and what came back. */
let wire = [];
let bot;
let house;
let way;
let model;
let models;
let token;
let bots;

before(async () => {
  models = await mkdtemp(path.join(tmpdir(), 'bot-models-'));
  bots = shipped(await readFile(path.join(repository, 'deploy/platform.example.toml'), 'utf8'));
  bot = await Installation.create('llama');
  await bot.up();
  [house, way] = await Promise.all([House.start(bot.container('gate', PROFILE)), serveOn(`${bot.name}-spark`, watched), calls('clock.now')]);
  for (const secret of ['ha-token', 'jobs-key', 'jobs-apikey', 'spark-ssh']) {
    const input = secret === 'spark-ssh' ? await sshKey() : secret === 'ha-token' ? house.tokens.bot : 'unused';
    await bot.botctl('secret', 'set', secret, { input });
  }
  await bot.configure((text) => text.replace(/\[profile\.personal\.bot\.assistant\]\n(.+\n)*/, '') + configuration());
  await bot.well();
  token = (await bot.json('token', 'create', PROFILE, 'test')).token;
});
after(async () => {
  model?.stop();
  way?.stop();
  await house?.stop();
  await bot?.remove();
  await rm(models, { recursive: true, force: true });
});

/** The bots of the example, those behind `#` as well: name, instructions, tools. */
function shipped(example) {
  const found = [];
  let section;
  for (const line of example.split('\n').map((text) => text.replace(/^# ?/, '').trim())) {
    if (line.startsWith('[')) {
      const name = /^\[profile\.\w+\.bot\.([\w-]+)\]$/.exec(line)?.[1];
      section = name && { name, instructions: 'bots/assistant.md' };
      if (section) found.push(section);
    } else if (section && line.startsWith('tools = [')) section.tools = JSON.parse(line.slice('tools = '.length).split('#')[0]);
    else if (section && line.startsWith('instructions = ')) section.instructions = line.split('"')[1];
  }
  return found.filter(({ tools }) => tools);
}

async function sshKey() {
  const file = path.join(models, 'key');
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
  return readFile(file, 'utf8');
}

const configuration = () => `
[spark]
url = "${way.url}/v1"
model = "${MODEL}"
[spark.switch]
address = "box@127.0.0.1:1"
host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB0QW2nXlK2uLo6T7vdOmFW0V4JkYBbl2j4tU3aVb9Xh"
key = { secret = "spark-ssh" }
models = ["${MODEL}", "another/model"]
profiles = ["${PROFILE}"]

${bots.map(({ name, instructions, tools }) => `[profile.${PROFILE}.bot.${name}]\ninstructions = "${instructions}"\ntools = ${JSON.stringify(tools)}\n`).join('\n')}
[profile.${PROFILE}.upstream.home-assistant]
preset = "home-assistant"
url = "${house.url}"
networks = ["${house.address}/32"]
bearer = { secret = "ha-token" }
entities = ["light.bed_light", "climate.hvac"]
scenes = ["scene.movie_night"]
confirm = ["lock.front_door"]

[profile.${PROFILE}.upstream.jobs]
preset = "supabase-jobs"
url = "http://${house.address}:1"
networks = ["${house.address}/32"]
header = { name = "apikey", secret = "jobs-apikey" }
bearer = { secret = "jobs-key" }
table = "jobs"
kinds = ["report"]
`;

/** Passes everything on to llama.cpp and keeps what was said. */
async function watched(request, body, response) {
  const answer = await fetch(`${model.base}${request.url}`, { method: request.method, body: body || undefined, headers: { 'content-type': 'application/json' } });
  const kept = { asked: body && JSON.parse(body), status: answer.status, deltas: [] };
  if (request.method === 'POST') wire.push(kept);
  response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') });
  let text = '';
  for await (const part of answer.body) {
    text += Buffer.from(part).toString();
    response.write(part);
  }
  kept.deltas = text.split('\n').filter((line) => line.startsWith('data: {')).map((line) => JSON.parse(line.slice(6)).choices?.[0]?.delta).filter(Boolean);
  kept.text = text;
  response.end();
}

/** From now on the box has a model that calls this tool, without arguments, once it is offered tools. */
async function calls(tool) {
  const name = tool.replaceAll('.', '_');
  const file = path.join(models, `${name}.gguf`);
  await run(path.join(cache, 'llm/venv/bin/python'), ['compose/peers/llm/make_model.py', file, '--name', name, '--say', SAYS, '--tool', name, '--tool-args', '{}', '--ctx', '16384']);
  model?.stop();
  model = await serveModel('alpha', { MODEL: file, CONTEXT: '16384', SLOTS: '1' });
}

/** Asks a bot over its profile's endpoint; gives the pieces of its answer. The words of the question do not matter to the model. */
async function ask(name) {
  wire = [];
  const response = await fetch(`${bot.url(PROFILE)}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: name, stream: true, messages: [{ role: 'user', content: 'Bitte sieh nach.' }] }),
  });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  const chunks = text.split('\n').filter((line) => line.startsWith('data: {')).map((line) => JSON.parse(line.slice(6)));
  return chunks.map((chunk) => chunk.choices?.[0]?.delta?.content).filter(Boolean);
}

/** One turn of `name` in which llama.cpp calls `tool`; gives the tools that were offered and what the tool said. */
async function turn(name, tool) {
  const said = await ask(name);
  const [first, second] = wire;
  assert.deepEqual(wire.map(({ status }) => status), [200, 200], wire.map(({ text }) => text).join('\n'));
  // llama.cpp made the call, in pieces; the agent put them together.
  const parts = first.deltas.flatMap(({ tool_calls: found = [] }) => found);
  assert.equal(parts.map((part) => part.function?.name ?? '').join(''), tool.replaceAll('.', '_'), first.text);
  assert.equal(parts.map((part) => part.function?.arguments ?? '').join(''), '{}');
  const [, , ...rest] = second.asked.messages.slice(second.asked.messages.findIndex(({ role }) => role === 'user') - 1);
  assert.deepEqual(rest.map(({ role }) => role), ['assistant', 'tool'], JSON.stringify(rest));
  assert.equal(rest[1].tool_call_id, rest[0].tool_calls[0].id);
  assert.deepEqual([second.asked.messages[0], second.asked.tools], [first.asked.messages[0], first.asked.tools], 'the fixed part is the same');
  // The answer came in pieces from llama.cpp, and whoever asked got all of them; those that are ready at once come together.
  const pieces = second.deltas.map(({ content }) => content).filter(Boolean);
  assert.match(said.join(''), SENTENCE);
  assert.ok(pieces.length > 3, second.text);
  assert.equal(said.join(''), pieces.join(''));
  return { offered: first.asked.tools, instructions: first.asked.messages[0].content, result: rest[1].content };
}

test('each bot: instructions and tools are taken, the clock is called, the answer comes in pieces', async () => {
  assert.ok(bots.length >= 4, bots.map(({ name }) => name).join());
  for (const { name, instructions, tools } of bots) {
    const { offered, instructions: said, result } = await turn(name, 'clock.now');
    const names = offered.map((tool) => tool.function.name);
    const own = await readFile(path.join(repository, 'supervisor/supervisor-config', instructions), 'utf8');
    assert.ok(said.startsWith(own.trim()), `${name}: ${said}`);
    // Tools of what this test does not configure are not offered; nothing else is left out, and nothing is added.
    const wanted = tools.filter((tool) => names.includes(tool.replaceAll('.', '_')));
    assert.deepEqual(names, wanted.map((tool) => tool.replaceAll('.', '_')), name);
    if (/home|learning|ops/.test(instructions)) assert.equal(wanted.length, tools.length, `${name}: ${names}`);
    assert.match(result, /\d{4}-\d\d-\d\d/, `${name}: the time went back`);
  }
});

const OWN = [
  ['home', 'home.status', /"id":"lock\.front_door"/],
  ['ops', 'spark.models', new RegExp(`"id":"${MODEL.replaceAll('.', '\\.')}"`)],
];

for (const [name, tool, words] of OWN) {
  test(`${name}: a call of ${tool} by llama.cpp is run`, async () => {
    await calls(tool);
    assert.match((await turn(name, tool)).result, words);
  });
}

test('what ran is on record', async () => {
  const { lines } = await bot.json('audit', PROFILE, '-n', '1000');
  const ran = lines.filter(({ kind }) => kind === 'tool.ran').map(({ words }) => words).join('\n');
  for (const tool of ['clock.now', ...OWN.map(([, tool]) => tool)]) assert.ok(ran.includes(tool), `${tool} is not in\n${ran}`);
});
