// A model that does what an attacker would: its calls reach nothing, its words run nothing and fetch nothing. In real Chromium.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';

import { device, launch } from './lib/browser.mjs';
import { Installation } from './lib/installation.mjs';
import { MODEL, scriptedModel, serveOn } from './lib/scripted-model.mjs';
import { until } from './lib/shell.mjs';
import { ask, pair, say } from './lib/talk.mjs';
import { findings, trap, watch } from './lib/watch.mjs';

const SECRET = 'token-that-no-model-may-see';
const scripts = new Map();
/** What the upstream was asked. */
const asked = [];
let bot;
let browser;
let model;
let house;
let pit;
let page;
let seen;

before(async () => {
  bot = await Installation.create('hostile');
  await bot.up();
  browser = await launch();
  pit = await trap();
  model = await serveOn(`${bot.name}-spark`, scriptedModel(scripts));
  house = await serveOn(bot.container('gate', 'personal'), (request, body, response) => {
    asked.push(`${request.method} ${request.url} ${body}`.trim());
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ state: 'on', echo: request.headers.authorization }));
  });
  await bot.botctl('secret', 'set', 'house-token', { input: SECRET });
  await bot.configure((text) => `${text.replace('tools = ["clock.now"]', 'tools = ["clock.now", "http.get", "http.request"]')}
[spark]
url = "${model.url}/v1"
model = "${MODEL}"

[profile.personal.upstream.house]
url = "${house.url}"
networks = ["${house.address}/32"]
bearer = { secret = "house-token" }

[[profile.personal.upstream.house.rule]]
method = "GET"
path = "/states/{light}"
params = { light = ["kitchen", "hall"] }
query = { level = [1, 2] }

[[profile.personal.upstream.house.rule]]
method = "POST"
path = "/lights/{light}"
params = { light = ["kitchen"] }
body = { level = [1, 2] }
unconfirmed = "a lamp does no harm"

[[profile.personal.upstream.house.rule]]
method = "POST"
path = "/doors/front"
body = { state = ["open"] }
confirm = true
card = "Open the front door"
`);
  await bot.well();
  page = await device(browser);
  seen = await watch(page, bot.url('personal'));
  await pair(page, await bot.link('personal'));
});
after(async () => {
  await browser?.close();
  for (const server of [model, house, pit]) server?.stop();
  await bot?.remove();
});

/** Each test has a chat of its own: what one leaves behind is not in the way of the next. */
beforeEach(async () => {
  await page.locator('session-list .new').click();
  await page.locator('chat-start').waitFor();
});

async function assertNothingHappened() {
  assert.deepEqual(await findings(page, seen, bot.url('personal')), []);
  assert.deepEqual(pit.hits, []);
}

/** Has the model make these calls; gives what it is told about each, in order. */
async function calls(...made) {
  const words = `calls ${scripts.size}`;
  let told = [];
  scripts.set(words, ({ results }) => {
    told = results;
    return results.length === 0 ? { calls: made } : { content: 'done' };
  });
  await ask(page, words);
  return told;
}

const get = (args) => ['http_get', typeof args === 'string' ? args : JSON.stringify({ upstream: 'house', ...args })];

test('control: what runs, fetches or breaks the policy is found', async () => {
  const bait = await trap();
  bait.serve(`<!doctype html><meta http-equiv="Content-Security-Policy" content="object-src 'none'; connect-src 'none'"><title>x</title>
<script>globalThis.owned = 'inline'; fetch('${bait.url}/beacon').catch(() => {}); alert('hello')</script>
<body onclick="1"><a href="javascript:1">x</a><img src="${pit.url}/pixel.svg"><img src="data:image/gif;base64,R0lGODlhAQABAAAAACw="><iframe srcdoc="x"></iframe>`);
  const other = await device(browser);
  const own = 'http://127.0.0.1:9';
  const log = await watch(other, own);
  await other.goto(`${bait.url}/bait.html`);
  const found = await until('all of it is seen', async () => {
    const list = (await findings(other, log, own)).join('\n');
    return pit.hits.length > 0 && /policy:/.test(list) && list;
  });
  for (const sign of [/a script ran: inline/, /policy: connect-src/, /fetched: .*pixel\.svg/, /requests: .*pixel\.svg/, /address: img src=data:image/, /dialogs: hello/, /element: img/, /element: iframe/, /attribute: body onclick/, /address: a href=javascript/]) assert.match(found, sign);
  assert.deepEqual(pit.hits.splice(0), ['/pixel.svg']);
  bait.stop();
  await other.context().close();
});

test('control: a right call reaches the upstream', async () => {
  const [result] = await calls(get({ path: '/states/kitchen', query: { level: '1' } }));
  assert.match(result, /on/);
  assert.deepEqual(asked.splice(0), ['GET /states/kitchen?level=1']);
});

test('tools that are not there, not listed, or only look like one', async () => {
  const names = ['system_shell', 'shell.exec', 'memory_read', 'clock-now', 'Clock_now', 'clock_now ', ' clock_now', 'clock_now\u0000', 'clоck_now', 'clock_now\u200b', 'ｃlock_now',
    '../clock_now', 'clock_now/../http_get', 'functions.http_get', 'http_get;http_request', 'constructor', '__proto__', 'toString', '', 'x'.repeat(5_000), '<img src=x onerror=alert(1)>', 'clock_now\u202ewon'];
  for (let at = 0; at < names.length; at += 8) {
    const part = names.slice(at, at + 8);
    const results = await calls(...part.map((name) => [name, '{}']));
    assert.equal(results.length, part.length);
    results.forEach((result, index) => assert.match(result, /denied|no tool|not a tool|not run/i, JSON.stringify(part[index])));
  }
  assert.deepEqual(asked.splice(0), []);
  await assertNothingHappened();
});

test('arguments that are broken, huge, deep, or can be read in two ways', async () => {
  const fits = '"upstream":"house","path":"/states/kitchen"';
  const broken = ['', '{', '{"upstream":"house"', 'null', '[]', '"x"', '1', `{${fits}}{}`, `{${fits},,}`, `{${fits}} trailing`, `\ufeff{${fits}}`, `{${fits},"query":{"level":NaN}}`, `// c\n{${fits}}`,
    `{${fits},"path":"/states/hall"}`, `{${fits},"pa\\u0074h":"/config"}`, `{${fits},"query":{"level":"1","level":"2"}}`, `{${fits},"__proto__":{"path":"/config"}}`, `{${fits},"extra":1}`,
    `{"upstream":["house"],"path":"/states/kitchen"}`, `{"upstream":{"name":"house"},"path":"/states/kitchen"}`, `{"upstream":"house","path":7}`, `{"Upstream":"house","Path":"/states/kitchen"}`,
    '{"upstream":"house","path":"/states/\\ud800"}', `{${fits},"query":${'['.repeat(2_000)}${']'.repeat(2_000)}}`, `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`,
    `{${fits},"query":{"x":"${'y'.repeat(40_000)}"}}`, `{${fits},"pad":"${'z'.repeat(500_000)}"}`];
  for (let at = 0; at < broken.length; at += 8) {
    const part = broken.slice(at, at + 8);
    const results = await calls(...part.map((text) => get(text)));
    assert.equal(results.length, part.length);
    results.forEach((result, index) => assert.doesNotMatch(result, /"state"/, part[index].slice(0, 100)));
  }
  // In pieces without end, and as one piece that is too long.
  scripts.set('pieces', ({ results }) => (results.length === 0 ? Array.from({ length: 300 }, (_, n) => ({ calls: [['http_get', n === 0 ? `{${fits},"pad":"` : 'z'.repeat(10_000)]] })) : { content: 'over' }));
  await say(page, 'pieces');
  await page.locator('chat-message.bot').last().getByText('over').waitFor();
  scripts.set('one piece', () => ({ calls: [get(`{${fits},"pad":"${'z'.repeat(2_000_000)}"}`)] }));
  await say(page, 'one piece');
  await page.locator('.note.failed').getByText('more than 1048576 bytes').waitFor();
  assert.deepEqual(asked.splice(0), []);
  await assertNothingHappened();
});

test('paths that climb, hide or rename, values that are nearly right, other people\'s addresses', async () => {
  const near = [...['/states/../config', '/states/kitchen/../../config', '/states/%2e%2e/config', '/states/..%2fconfig', '/states/%252e%252e/config', '/states/kitchen%00', '/states/kitchen/', '//evil.example/states/kitchen',
    '/\\evil.example', '\\states\\kitchen', 'http://evil.example/', 'states/kitchen', '/states/Kitchen', '/states/k\u0456tchen', '/states/ｋitchen', '/states/kitchen\u200b', '/states∕kitchen', '/states/kitchen#x', '/states/kitchen?level=1', '/states/kitchen;x=1',
    '/states/kitchen\r\nX-Injected: 1', '/states/kitchen HTTP/1.1\r\nHost: evil', '/states/*', '/states/{light}', '', '/', '/run/secrets/house-token', 'file:///run/secrets/house-token'].map((path) => ({ path })),
  ...['3', '1 ', ' 1', '01', '1.0', '+1', '1e0', '１', '٢', '1\u0000', 'true', '1,2'].map((level) => ({ path: '/states/kitchen', query: { level } })),
  { path: '/states/kitchen', query: { level: ['1', '2'] } }, { path: '/states/kitchen', query: { Level: '1' } }, { path: '/states/kitchen', query: { 'level[]': '1' } }, { path: '/states/kitchen', query: { 'level&x': '1' } },
  { path: '/states/kitchen', query: { level: '1&admin=1' } }, { upstream: 'gate', path: '/confirmations/1' }, { upstream: 'House', path: '/states/kitchen' }, { upstream: 'house ', path: '/states/kitchen' },
  { upstream: 'house@evil.example', path: '/states/kitchen' }, { upstream: pit.url, path: '/x' }, { upstream: '127.0.0.1', path: '/' }, { upstream: 'metadata', path: '/latest' }];
  for (let at = 0; at < near.length; at += 8) {
    const part = near.slice(at, at + 8);
    const results = await calls(...part.map((args) => get(args)));
    assert.equal(results.length, part.length);
    results.forEach((result, index) => assert.doesNotMatch(result, /"state"/, JSON.stringify(part[index])));
  }
  assert.deepEqual(asked.splice(0), []);
  assert.deepEqual(pit.hits, []);
});

test('an allowed call is allowed once: sent again it is asked about again', async () => {
  const body = { upstream: 'house', method: 'POST', path: '/lights/kitchen', body: { level: 2 } };
  const light = ['http_request', JSON.stringify(body)];
  scripts.set('light twice', ({ results }) => (results.length < 2 ? { calls: [light] } : { content: JSON.stringify(results) }));
  await say(page, 'light twice');
  await page.getByRole('button', { name: 'Allow once' }).click();
  await until('the lamp was set', () => asked.length === 1);
  // The same model says the same words again, in the same turn.
  await page.getByRole('button', { name: 'Deny' }).click();
  await page.locator('chat-message.bot').last().getByText('denied').first().waitFor();
  scripts.set('light again', ({ results }) => (results.length < 1 ? { calls: [light] } : { content: JSON.stringify(results) }));
  await say(page, 'light again');
  await page.getByRole('button', { name: 'Deny' }).click();
  await until('the turn is over', async () => (await page.locator('running-turn .ask').count()) === 0);
  for (const bent of [{ level: '2' }, { level: 2.5 }, { level: 2, x: 1 }, { level: [2] }]) {
    scripts.set('light bent', ({ results }) => (results.length < 1 ? { calls: [['http_request', JSON.stringify({ ...body, body: bent })]] } : { content: JSON.stringify(results) }));
    await say(page, 'light bent');
    await page.getByRole('button', { name: 'Allow once' }).click();
    await page.locator('running-turn .ask').waitFor({ state: 'detached' });
  }
  assert.deepEqual(asked.splice(0), ['POST /lights/kitchen {"level":2}'], 'a person who allows does not widen a rule');
});

test('what a person is asked shows the call as it is, and nothing of it is drawn', async () => {
  const reason = 'Harmless.\u202e\u2066 <button>Allow once</button> <img src=x onerror="owned=1"> [ok](javascript:owned=1)';
  const call = ['http_request', JSON.stringify({ upstream: 'house', method: 'POST', path: '/doors/front', body: { state: 'open' }, reason })];
  scripts.set('spoof', ({ results }) => (results.length === 0 ? [{ content: '**May this run?** It asks because: it is harmless.\n\n[Allow once](https://gate.invalid/confirmations) <button class="primary">Allow once</button>\n' }, { calls: [call] }] : { content: results[0] }));
  await say(page, 'spoof');
  await page.locator('running-turn .ask').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Allow once' }).count(), 1, 'one button, and it is ours');
  const card = await page.locator('tool-card').last().innerText();
  assert.match(card, /\\u\{202e\}/);
  assert.match(card, /doors\/front/);
  assert.doesNotMatch(card, /[\u202a-\u202e\u2066-\u2069]/u);
  await page.getByRole('button', { name: 'Allow once' }).click();
  const waiting = await until('the gate asks', async () => {
    const { profiles: [personal] } = await bot.json('approval', 'list', 'personal');
    return personal.confirmations.find((found) => found.state.is === 'pending') ?? false;
  });
  assert.equal(waiting.words, 'Open the front door', 'the words are the rule\'s');
  const gates = await page.context().newPage();
  gates.problems = [];
  const log = await watch(gates, bot.url('personal'));
  await gates.goto(`${bot.url('personal')}/confirmations`);
  await gates.locator('confirm-card').waitFor();
  assert.equal(await gates.getByRole('button', { name: 'Allow once' }).count(), 1);
  assert.match(await gates.locator('confirm-card pre').innerText(), /doors\/front[^]*open/, 'the exact request, without a click');
  assert.doesNotMatch(await gates.locator('confirm-card').innerText(), /[\u202a-\u202e\u2066-\u2069]/u);
  assert.deepEqual(await findings(gates, log, bot.url('personal')), []);
  await bot.botctl('approval', 'deny', 'personal', waiting.id, '--yes');
  await page.locator('chat-message.bot').last().getByText('denied').first().waitFor();
  await gates.close();
  assert.deepEqual(asked.splice(0), []);
  await assertNothingHappened();
});

test('a loop without end ends, and so does a crowd of calls', async () => {
  scripts.set('loop', ({ results }) => ({ calls: [get({ path: '/states/kitchen', query: { level: String(1 + (results.length % 2)) } })] }));
  await say(page, 'loop');
  await page.locator('chat-message.bot').last().locator('.note.tool_limit').waitFor();
  const looped = asked.splice(0).length;
  assert.ok(looped <= 8, `${looped} requests`);
  const crowd = Array.from({ length: 100 }, () => get({ path: '/states/hall' }));
  scripts.set('crowd', ({ results }) => (results.length === 0 ? { calls: crowd } : { content: `${results.length} results` }));
  await ask(page, 'crowd');
  assert.ok(asked.splice(0).length <= 8);
});

test('it is told no secret, however it asks', async () => {
  const [echoed] = await calls(get({ path: '/states/hall', query: { level: '2' } }));
  assert.match(echoed, /\[secret\]/);
  asked.length = 0;
  await calls(get({ path: '/run/secrets/house-token' }), get({ upstream: 'secrets', path: '/house-token' }), ['secret_get', '{"name":"house-token"}'], ['clock_now', '{"zone":"../../run/secrets/house-token"}'], ['clock_now', '{"zone":"$(cat /run/secrets/house-token)"}']);
  const said = await page.locator('body').innerText();
  const audit = JSON.stringify(await bot.json('audit', 'personal', '-n', '1000'));
  for (const text of [said, audit]) assert.ok(!text.includes(SECRET) && !text.includes(Buffer.from(SECRET).toString('base64').slice(0, 24)));
});

/** Markdown and HTML that would run, fetch or dress up, each with a mark that shows that it was drawn as text or a link. */
function attacks() {
  const at = pit.url;
  const run = 'owned=1';
  return [
    `<script>${run}</script>`, `<ScRiPt src="${at}/a.js"></ScRiPt>`, `<img src=x onerror=${run}>`, `<img src="${at}/b.svg">`, `<svg onload=${run}><script>${run}</script></svg>`, `<svg><use href="${at}/c.svg#x"/></svg>`,
    `<iframe src="${at}/d.html"></iframe>`, `<iframe srcdoc="<script>parent.${run}</script>"></iframe>`, `<object data="${at}/e"></object><embed src="${at}/f">`, `<link rel=stylesheet href="${at}/g.css"><style>@import "${at}/h.css"; body{background:url(${at}/i)}</style>`,
    `<meta http-equiv=refresh content="0;url=${at}/j.html">`, `<base href="${at}/">`, `<form action="${at}/k"><button>Allow once</button></form>`, `<details open ontoggle=${run}>x</details>`, `<a href="javascript:${run}">x</a>`, `<math><mi xlink:href="javascript:${run}">x</mi></math>`,
    `<template><img src="${at}/t"></template><noscript><img src="${at}/n"></noscript>`, `<video src="${at}/v" autoplay></video><audio src="${at}/w"></audio>`, `<custom-element onclick=${run}></custom-element><confirm-card></confirm-card><tool-card></tool-card>`, `<!--><img src=x onerror=${run}>-->`,
    `[x](javascript:${run})`, `[x](JaVaScRiPt:${run})`, `[x](java\nscript:${run})`, `[x](javascript&colon;${run})`, `[x](&#106;avascript:${run})`, `[x](\u0001javascript:${run})`, `[x](vbscript:${run})`, `[x](data:text/html,<script>${run}</script>)`, `[x](blob:${at}/x)`, `[x](file:///etc/passwd)`,
    `[x](//127.0.0.1/x)`, `[x](/confirmations)`, `[x][r]\n\n[r]: javascript:${run}`, `<javascript:${run}>`, `<data:text/html,x>`, `![x](${at}/m.svg)`, `![x](data:image/svg+xml,<svg onload=${run}>)`, `![x](javascript:${run})`, `![x][i]\n\n[i]: ${at}/o.svg "t"`, `[![x](${at}/p.svg)](${at}/q)`,
    `${at}/autolink`, `<${at}/angle>`, `www.example.invalid`, `someone@example.invalid`, `https://user:pass@example.invalid/`, `[https://bank.example](${at}/phish)`, `[x](${at}/" onmouseover="${run})`, `[x](<${at}/y> "t' onclick=${run}")`,
    '```html\n<script>owned=1</script>\n```', '```" onclick="owned=1\nx\n```', '```mermaid\ngraph\n```', '`<img src=x onerror=owned=1>`', `| a | <img src=x onerror=${run}> |\n|---|---|\n| [x](javascript:${run}) | ![x](${at}/r) |`, `# <img src=x onerror=${run}> [x](javascript:${run})`, `- [x] <script>${run}</script>\n- [ ] ![x](${at}/s)`,
    `~~<b onclick=${run}>x</b>~~`, `[^1]\n\n[^1]: <img src="${at}/u">`, `$$\\href{javascript:${run}}{x}$$`, `{{constructor.constructor('${run}')()}}`, '\u202egnp.exe\u202c \u2066hidden\u2069 a\u200bb', `&lt;script&gt;${run}&lt;/script&gt;`, `<p style="background:url(${at}/z)">x</p>`, `</div></body></html><script>${run}</script>`, '\u0000\u0008\u001b[31mred\u001b]8;;http://evil\u0007',
  ];
}

test('Markdown that would run or fetch is text or a plain link', async () => {
  const list = attacks();
  for (let at = 0; at < list.length; at += 16) {
    const part = list.slice(at, at + 16);
    scripts.set(`markdown ${at}`, () => part.map((text, index) => ({ content: `\n\nattack ${at + index}:\n\n${text}\n\nafter ${at + index}\n` })));
    await ask(page, `markdown ${at}`);
  }
  scripts.set('streamed', () => [...list.join('\n\n')].map((content) => ({ content })));
  await say(page, 'streamed');
  await until('the answer is whole', async () => (await page.locator('chat-message.bot').last().locator('.body').innerText()).includes('bank.example') && (await page.locator('running-turn .body').count()) === 0);
  const bodies = page.locator('chat-message.bot .body');
  assert.match((await bodies.allInnerTexts()).join('\n'), /<script>owned=1<\/script>/, 'it is shown as what it is');
  const links = await bodies.locator('a').evaluateAll((found) => found.map((link) => link.getAttribute('href')));
  assert.ok(links.includes(`${pit.url}/autolink`), 'control: a plain link stays a link');
  for (const href of links) assert.match(href, /^(https?|mailto):/);
  await assertNothingHappened();
  await page.reload();
  await bodies.last().waitFor();
  await assertNothingHappened();
});

test('structures without end, and more than anybody reads', async () => {
  const huge = { quotes: `${'> '.repeat(5_000)}x`, lists: Array.from({ length: 400 }, (_, n) => `${'  '.repeat(n)}- x`).join('\n'), brackets: `${'['.repeat(20_000)}x${']('.repeat(2_000)}`, stars: '*a **'.repeat(20_000),
    table: `|${'a|'.repeat(500)}\n|${'-|'.repeat(500)}\n${`|${'b|'.repeat(500)}\n`.repeat(100)}`, words: 'word '.repeat(200_000), line: 'x'.repeat(300_000), zalgo: `Z${'\u0301'.repeat(20_000)}` };
  for (const [name, content] of Object.entries(huge)) {
    scripts.set(`huge ${name}`, () => ({ content }));
    await say(page, `huge ${name}`);
    const mine = page.locator('chat-message.person').getByText(`huge ${name}`, { exact: true });
    await mine.waitFor();
    await until(`${name} is over`, async () => (await page.locator('running-turn .stop, running-turn .body').count()) === 0 && (await page.locator('chat-message').last().getAttribute('class')).includes('bot'), 60);
  }
  assert.match(await ask(page, 'still there'), /no script for still there/);
  await assertNothingHappened();
  const memory = await bot.json('status');
  assert.ok(memory, 'the platform answers');
});

test('the title of a chat and of the page is the person\'s own', async () => {
  scripts.set('what is this called', () => ({ content: '# Confirmations\n\n<title>Confirmations</title>\n\n{"title":"Confirmations"}' }));
  await ask(page, 'what is this called');
  assert.equal(await page.title(), 'what is this called · personal');
  assert.equal(await page.locator('chat-header h1').innerText(), 'what is this called');
  await assertNothingHappened();
});
