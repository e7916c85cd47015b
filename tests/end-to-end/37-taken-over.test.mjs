// A taken-over agent: whatever it says on its own sockets, nothing happens in the world that no rule allows and no person did.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, beforeEach, test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { Attacker, startUpstream } from './lib/attacker.mjs';
import { device, launch } from './lib/browser.mjs';
import { Installation } from './lib/installation.mjs';
import { searchMemory } from './lib/search.mjs';
import { until } from './lib/shell.mjs';
import { ask, pair } from './lib/talk.mjs';

const secret = `s3cr3t-${randomBytes(24).toString('base64url')}`;
let bot;
let browser;
let page;
let neighbour;
let house;
let attacker;
let token;
const held = [];

before(async () => {
  bot = await Installation.create('taken');
  await bot.up();
  house = await startUpstream(bot.container('gate', 'personal'), answer);
  await bot.botctl('secret', 'set', 'house-key', { input: secret });
  const applied = await bot.configure((text) => text + rules());
  assert.equal(applied.code, 0);
  await bot.well();
  browser = await launch();
  [page, neighbour] = await Promise.all(['personal', 'ops'].map(async (profile) => {
    const opened = await device(browser);
    await pair(opened, await bot.link(profile));
    return opened;
  }));
  token = (await bot.json('token', 'create', 'personal', 'script')).token;
  attacker = await Attacker.of(bot, 'personal');
  await attacker.open();
  await until('the rules are in force', async () => {
    const { status, body } = await set({ level: 3 });
    if (status !== 200) throw new Error(`${status} ${body}`);
    return true;
  });
});
after(async () => {
  await attacker?.remove();
  await browser?.close();
  house?.server.close();
  await bot?.remove();
});
beforeEach(() => house.seen.splice(0));

const rules = () => `
[profile.personal.upstream.house]
url = "${house.url}"
networks = ["${house.address}/32"]
bearer = { secret = "house-key" }
[[profile.personal.upstream.house.rule]]
method = "POST"
path = "/lamps/{lamp}"
params = { lamp = ["desk"] }
query = { tone = { one_of = ["warm"], optional = true } }
body = { level = { integer = [1, 10] } }
unconfirmed = "A lamp does no harm"
[[profile.personal.upstream.house.rule]]
method = "GET"
path = "/echo/{how}"
params = { how = ["plain", "base64", "pieces", "gzip", "redirect", "header", "held"] }
[[profile.personal.upstream.house.rule]]
method = "POST"
path = "/unlock"
body = { door = ["front", "shed"] }
confirm = true
card = "Unlock the {door} door"
answer = ["state"]
`;

/** The upstream tells its secret in every way it can. */
async function answer(request, response) {
  const json = { 'content-type': 'application/json' };
  const how = request.url.match(/^\/echo\/(\w+)/)?.[1];
  if (how === 'redirect') return response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data' }).end();
  if (how === 'gzip') return response.writeHead(200, { ...json, 'content-encoding': 'gzip' }).end(gzipSync(JSON.stringify({ secret })));
  if (how === 'header') return response.writeHead(200, { ...json, 'x-secret': secret, 'set-cookie': `s=${secret}`, server: secret }).end('{}');
  if (how === 'held') return held.push(response);
  response.writeHead(200, json);
  if (how === 'base64') return response.end(JSON.stringify(['', 'x', 'xy'].map((before) => Buffer.from(`${before}Bearer ${secret}`).toString('base64'))));
  if (how !== 'pieces') return response.end(JSON.stringify({ state: 'done', secret: how ? `Bearer ${secret}` : '' }));
  for (const letter of JSON.stringify({ secret })) {
    await new Promise((resolve) => response.write(letter, resolve));
  }
  return response.end();
}

const set = (body, target = '/lamps/desk', method = 'POST', headers = {}) => attacker.ask('egress', 'house', method, target, body, headers);

/** What the upstream saw of `/unlock`. */
const unlocked = () => house.seen.filter((request) => request.url.includes('unlock'));

/** Everything that reached the upstream is what some rule writes. */
function onlyAllowed() {
  for (const { method, url, body } of house.seen) {
    const said = `${method} ${url} ${body}`;
    assert.match(said, /^(POST \/lamps\/desk(\?tone=warm)? \{"level":([1-9]|10)\}|GET \/echo\/\w+ )$/, said);
  }
}

async function bothWell() {
  assert.match(await ask(neighbour, 'are you well'), /are you well/);
  assert.match(await ask(page, 'and you'), /and you/);
}

test('what a rule allows passes, so the ways are open', async () => {
  assert.equal((await set({ level: 3 }, '/lamps/desk?tone=warm')).status, 200);
  assert.deepEqual(house.seen.map(({ method, url, body, headers }) => [method, url, body, headers.authorization]),
    [['POST', '/lamps/desk?tone=warm', '{"level":3}', `Bearer ${secret}`]]);
});

test('requests that no rule allows: nothing reaches the upstream', async (t) => {
  const targets = ['/', '/lamps', '/lamps/attic', '/lamps/desk/', '/lamps//desk', '/lamps/desk/../attic', '/lamps/./desk', '/lamps/%2e%2e/unlock', '/lamps/desk%2f..%2fattic',
    '/lamps/..%2funlock', '/lamps\\desk', '/lamps/desk;a=b', '/lamps/desk%00', '/lamps/desk%0d%0aX:%20y', '/lamps/desk%252e', '/LAMPS/desk', '/lamps/desk?tone=cold', '/lamps/desk?x=1',
    '/lamps/desk?tone=warm&tone=warm', '/lamps/desk?tone=warm&x=1', '/lamps/desk?tone[]=warm', '/lamps/desk#x', '/echo/plain', '//other.example/lamps/desk'];
  const bodies = ['{"level":"3"}', '{"level":3.0}', '{"level":3e0}', '{"level":11}', '{"level":0}', '{"level":true}', '{"level":null}', '{"level":[3]}', '{"level":{"x":3}}', '{"level":3,"x":1}',
    '{"level":3,"level":4}', '{"level":3,"leve\\u006c":99}', '{}', '[]', '[{"level":3}]', '3', '', '{"level":3}{"level":3}', '{"level":3,}', '\ufeff{"level":3}', '{"level":36893488147419103232}', '{"LEVEL":3}'];
  const methods = ['GET', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'TRACE', 'CONNECT', 'post', 'BREW'];
  const answers = [
    ...await each(targets, (target) => set({ level: 3 }, target)),
    ...await each(bodies, (body) => set(body)),
    ...await each(methods, (method) => set({ level: 3 }, '/lamps/desk', method)),
    ...await each(['ops', 'house.example', '169.254.169.254', '', 'gate'], (host) => attacker.ask('egress', host, 'POST', '/lamps/desk', { level: 3 })),
    await set({ level: 3 }, '/lamps/desk', 'POST', { 'x-http-method-override': 'DELETE', 'content-type': 'text/plain' }),
  ];
  t.diagnostic(`${answers.length} requests; ${house.seen.length} reached the upstream`);
  // A fragment, or a header that is not passed on, is not the request: what is left may be an allowed one.
  onlyAllowed();
  assert.ok(house.seen.length <= 2, JSON.stringify(house.seen.map((request) => [request.url, request.body])));
  assert.ok(house.seen.every((request) => !('x-http-method-override' in request.headers)));
  const passed = answers.filter((got) => got.status >= 200 && got.status < 400);
  assert.equal(passed.length, house.seen.length);
});

/** One after the other, at the pace of what the gate takes. */
async function each(values, work) {
  const answers = [];
  for (const value of values) {
    let got = await work(value);
    while (got.status === 429) got = await work(value);
    answers.push({ value, ...got });
  }
  return answers;
}

test('smuggling: a second request in the first never reaches the upstream', async () => {
  const hidden = 'POST /unlock HTTP/1.1\r\nhost: house\r\ncontent-type: application/json\r\ncontent-length: 16\r\n\r\n{"door":"front"}';
  const body = '{"level":3}';
  const head = (...lines) => `POST /lamps/desk HTTP/1.1\r\nhost: house\r\ncontent-type: application/json\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`;
  const chunk = (text, extension = '') => `${Buffer.byteLength(text).toString(16)}${extension}\r\n${text}\r\n`;
  const attempts = {
    'CL and TE': head('content-length: 11', 'transfer-encoding: chunked') + `0\r\n\r\n${hidden}`,
    'TE and CL, whole': head('transfer-encoding: chunked', 'content-length: 4') + `${chunk(body)}0\r\n\r\n${hidden}`,
    'two lengths': head('content-length: 11', 'content-length: 0') + body + hidden,
    'a list of lengths': head('content-length: 11, 0') + body + hidden,
    'a signed length': head('content-length: +11') + body + hidden,
    'TE in disguise': head('content-length: 11', 'transfer-encoding: xchunked') + body + hidden,
    'TE with a tab': head('content-length: 11', 'transfer-encoding:\tchunked') + `0\r\n\r\n${hidden}`,
    'TE twice': head('transfer-encoding: chunked', 'transfer-encoding: identity') + `${chunk(body)}0\r\n\r\n${hidden}`,
    'chunk extensions': head('transfer-encoding: chunked') + `${chunk(body, ';x="\r\n\r\n"')}0;y\r\n\r\n${hidden}`,
    'trailers': head('transfer-encoding: chunked') + `${chunk(body)}0\r\nhost: gate\r\nauthorization: x\r\n\r\n`,
    'a space before the colon': head('content-length : 0', 'content-length: 11') + body + hidden,
    'a folded header': head('x: y\r\n content-length: 0', 'content-length: 11') + body,
    'two hosts': head('host: gate', 'content-length: 11') + body,
    'absolute form': `POST http://169.254.169.254/unlock HTTP/1.1\r\nhost: house\r\ncontent-length: 16\r\n\r\n{"door":"front"}`,
    'absolute form of the upstream': `POST ${house.url}/unlock HTTP/1.1\r\nhost: house\r\ncontent-length: 16\r\n\r\n{"door":"front"}`,
    'authority form': `CONNECT ${house.address}:80 HTTP/1.1\r\nhost: house\r\n\r\n${hidden}`,
    'bare line feeds': hidden.replaceAll('\r\n', '\n'),
    'a bare carriage return': head('x: y\rcontent-length: 0', 'content-length: 11') + body + hidden,
    'a null in a header': head('x: \0', 'content-length: 11') + body,
    'another version': hidden.replace('HTTP/1.1', 'HTTP/2.0'),
    'an upgrade': head('connection: upgrade', 'upgrade: websocket', 'content-length: 11') + body + hidden,
    'the next one, pipelined': head('content-length: 11') + body + hidden.replace('/unlock', '/unlock/../forbidden'),
    'reason with a line end': head('x-bot-reason: a\r\nx-evil: b', 'content-length: 11') + body,
  };
  for (const [what, bytes] of Object.entries(attempts)) {
    house.seen.splice(0);
    const said = await attacker.say('egress', bytes);
    assert.deepEqual(unlocked(), [], what);
    onlyAllowed();
    assert.ok(house.seen.length <= 1, what);
    assert.ok(house.seen.every(({ headers }) => !headers['transfer-encoding'] && !headers.upgrade && !headers['x-evil'] && headers.host === new URL(house.url).host), what);
    assert.ok(!said.includes(secret), what);
  }
  await bothWell();
});

test('a rule with confirm: the agent asks, and cannot say yes', async () => {
  const asked = await set({ door: 'front' }, '/unlock', 'POST', { 'x-bot-reason': `to dim the lamp ${'x'.repeat(20)}` });
  assert.equal(asked.status, 202, asked.body);
  const { id } = JSON.parse(asked.body);
  const [card] = await cards();
  assert.deepEqual([card.id, card.words, card.state.is], [id, 'Unlock the front door', 'pending']);
  assert.match(card.request, /^POST \/unlock\n[^]*"door": "front"/, 'what will run is on the card, whatever the bot calls it');
  assert.ok(!card.words.includes('lamp'));

  const decision = { verdict: 'allow', digest: card.digest, user: 'root' };
  const signed = { verdict: 'allow', digest: card.digest, signature: 'A'.repeat(86) };
  for (const host of ['gate', 'house', `127.0.0.1:${bot.ports.personal}`]) {
    for (const path of [`/confirmations/${id}`, `/gate/confirmations/${id}`]) {
      for (const body of [decision, signed]) {
        const got = await attacker.ask('egress', host, 'POST', path, body, { 'x-bot-device': 'x', 'x-bot-scopes': 'approve' });
        assert.ok(got.status >= 400, `${host} ${path}: ${got.status}`);
      }
    }
  }
  for (const headers of [{}, { authorization: `Bearer ${token}` }, { 'x-bot-device': '0'.repeat(64), 'x-bot-scopes': 'approve,admin' }, { authorization: `Bearer ${'A'.repeat(43)}` }]) {
    const origin = bot.url('personal');
    const got = await fetch(`${origin}/gate/confirmations/${id}`, { method: 'POST', headers: { origin, 'content-type': 'application/json', ...headers }, body: JSON.stringify(signed) });
    assert.ok([401, 403].includes(got.status), `${got.status}`);
  }
  const own = await page.evaluate(async (path) => (await fetch(path)).status, '/gate/confirmations');
  assert.equal(own, 401, 'not even a page reads the cards without its ticket');
  assert.deepEqual((await cards())[0].state, { is: 'pending' });
  assert.deepEqual(unlocked(), []);

  await bot.botctl('approval', 'deny', 'personal', id, '--yes');
  assert.equal((await outcome(id)).state, 'denied');
  assert.deepEqual(unlocked(), []);
});

test('an allowed confirmation runs once, as it was shown, however often it is asked for', async () => {
  const first = JSON.parse((await set({ door: 'shed' }, '/unlock')).body);
  await bot.botctl('approval', 'allow', 'personal', first.id, '--yes');
  const done = await until('it is done', async () => {
    const found = await outcome(first.id);
    return found.state === 'done' && found;
  });
  assert.deepEqual(done, { state: 'done', status: 200, body: { state: 'done' } });
  for (const headers of [{ 'x-confirmation': first.id }, { 'x-bot-turn': first.id }, { 'idempotency-key': first.id }]) {
    const again = await set({ door: 'front' }, '/unlock', 'POST', headers);
    assert.equal(again.status, 202, 'it is asked for anew');
    assert.notEqual(JSON.parse(again.body).id, first.id);
  }
  for (const method of ['POST', 'PUT']) {
    assert.ok((await attacker.ask('egress', 'gate', method, `/confirmations/${first.id}`, { verdict: 'allow' })).status >= 400);
  }
  await outcome(first.id);
  assert.deepEqual(unlocked().map((request) => request.body), ['{"door":"shed"}']);
  const refused = await bot.botctl('approval', 'allow', 'personal', first.id, '--yes', { mayFail: true });
  assert.notEqual(refused.code, 0);
  assert.equal(unlocked().length, 1);
  for (const card of await cards()) {
    if (card.state.is === 'pending') await bot.botctl('approval', 'deny', 'personal', card.id, '--yes');
  }
});

const cards = async () => (await bot.json('approval', 'list', 'personal')).profiles[0].confirmations;
const outcome = async (id) => JSON.parse((await attacker.ask('egress', 'gate', 'GET', `/confirmations/${id}`)).body);

test('the secret: however the upstream tells it, the attacker does not read it', async () => {
  const spellings = [secret, secret.slice(4, -4), ...[0, 1, 2].map((skip) => Buffer.from(secret.slice(skip)).toString('base64').slice(4, -4))];
  for (const how of ['plain', 'base64', 'pieces', 'gzip', 'redirect', 'header']) {
    const got = await attacker.ask('egress', 'house', 'GET', `/echo/${how}`);
    const found = spellings.filter((text) => (got.head + got.body).includes(text));
    assert.deepEqual(found, [], `${how}: ${got.status}`);
    assert.doesNotMatch(got.head, /^(set-cookie|location|x-secret|server):/im);
    if (how === 'gzip') assert.equal(got.status, 502);
    if (['plain', 'pieces'].includes(how)) assert.match(got.body, /\[secret\]/);
  }
  assert.equal(house.seen.length, 6, 'no redirect was followed');
});

test('the secret: in the memory of its gate while it is used, and of nobody else', async () => {
  const memory = async (role, profile) => (await searchMemory(await bot.pid(bot.container(role, profile)), { secret })).found();
  const waiting = attacker.ask('egress', 'house', 'GET', '/echo/held');
  await until('the upstream has the request', () => held.length > 0);
  assert.deepEqual(await memory('gate', 'personal'), ['secret'], 'the search finds what is there');
  for (const [role, profile] of [['agent', 'personal'], ['agent', 'ops'], ['gate', 'ops'], ['spark'], ['backup']]) {
    assert.deepEqual(await memory(role, profile), [], `${profile ?? ''} ${role}`);
  }
  for (const response of held.splice(0)) response.end('{}');
  await waiting;
});

test('no route of its sockets enrols a device or configures anything', async () => {
  const before = (await bot.json('device', 'list', 'personal')).devices;
  const attempts = [['POST', '/pair/nonce'], ['POST', '/pair'], ['POST', `/pairings/${'0'.repeat(32)}`], ['PUT', '/config'], ['GET', '/events'], ['GET', '/gate/ws'], ['GET', '/confirmations'], ['GET', '/audit'], ['GET', '/status']];
  for (const [method, path] of attempts) {
    for (const host of ['gate', 'house']) {
      const got = await attacker.ask('egress', host, method, path, method === 'GET' ? undefined : { decision: 'accepted' });
      assert.ok(got.status >= 400, `${host} ${path}: ${got.status}`);
    }
  }
  assert.deepEqual((await bot.json('device', 'list', 'personal')).devices.map((known) => known.id), before.map((known) => known.id));
  assert.deepEqual(house.seen, []);
});

test('the model box: only models, and nothing that it would fetch', async () => {
  const chat = (more, content = 'x') => attacker.ask('llm', 'spark', 'POST', '/v1/chat/completions', { model: 'demo/echo', messages: [{ role: 'user', content }], ...more });
  assert.equal((await chat({})).status, 200);
  for (const [method, path] of [['POST', '/switch'], ['PUT', '/config'], ['GET', '/status'], ['POST', '/v1/models'], ['POST', '/api/pull'], ['POST', '/v1/../switch'], ['GET', '/unload']]) {
    assert.ok([404, 405].includes((await attacker.ask('llm', 'spark', method, path, method === 'GET' ? undefined : {})).status), path);
  }
  for (const url of ['http://169.254.169.254/', 'https://example.com/x.png', 'file:///etc/passwd', '//x', 'DATA:http://x']) {
    const got = await chat({}, [{ type: 'image_url', image_url: { url } }]);
    assert.equal(got.status, 400, url);
  }
  for (const more of [{ priority: 99 }, { cache_salt: 'x' }, { guided_json: {} }, { mm_processor_kwargs: {} }, { profile: 'ops' }, { user: 'ops' }, { tools: [{ type: 'web_search' }] }]) {
    assert.equal((await chat(more)).status, 400, JSON.stringify(more));
  }
  await bothWell();
});

test('a flood on the model box: the other profile is answered meanwhile', async () => {
  const body = JSON.stringify({ model: 'demo/echo', messages: [{ role: 'user', content: 'x '.repeat(20_000) }], stream: true });
  const head = (length) => `POST /v1/chat/completions HTTP/1.1\r\nhost: spark\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`;
  let flooding = true;
  const answers = [];
  const flood = Array.from({ length: 40 }, async (_, index) => {
    while (flooding) {
      // Every fourth never ends its body, and keeps what it got.
      const answer = await attacker.say('llm', index % 4 === 0 ? head(body.length + 9) + body : head(body.length) + body);
      answers.push(Number(answer.match(/^HTTP\/1\.1 (\d{3})/)?.[1] ?? 0));
    }
  });
  await until('the flood is on', () => answers.length >= 40, 60);
  const began = Date.now();
  for (const words of ['one', 'two', 'three']) assert.match(await ask(neighbour, words), new RegExp(words));
  const took = Date.now() - began;
  flooding = false;
  await Promise.all(flood);
  assert.ok(took < 30_000, `three answers took ${took} ms`);
  assert.ok(answers.every((status) => [0, 200, 400, 408, 429, 503].includes(status)), [...new Set(answers)].join(' '));
  await bothWell();
});
