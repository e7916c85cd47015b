// A taken-over agent answers in the place of its own server: browsers, scripts, the supervisor and terminals get nothing of it that is not theirs.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import http from 'node:http';
import { after, before, test } from 'node:test';

import { Attacker, acceptSocket, frame, unmasked } from './lib/attacker.mjs';
import { device, launch } from './lib/browser.mjs';
import { Installation } from './lib/installation.mjs';
import { docker, until } from './lib/shell.mjs';
import { ask, assertQuiet, pair } from './lib/talk.mjs';

/** What no line on a terminal may have. */
const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/;
const HOSTILE = '\x1b]0;owned\x07\x1b[2J\u009b31m\rroot#';

let bot;
let browser;
let page;
let neighbour;
let attacker;
let token;

before(async () => {
  bot = await Installation.create('answers');
  await bot.up();
  browser = await launch();
  [page, neighbour] = await Promise.all(['personal', 'ops'].map(async (profile) => {
    const opened = await device(browser);
    await pair(opened, await bot.link(profile));
    assert.match(await ask(opened, 'before all of it'), /before all of it/);
    return opened;
  }));
  token = (await bot.json('token', 'create', 'personal', 'script')).token;
  attacker = await Attacker.of(bot, 'personal');
});
after(async () => {
  await attacker?.remove();
  await browser?.close();
  await bot?.remove();
});

/** The real agent is back in its place, and everybody chats. */
async function back() {
  await docker('restart', '--time', '5', bot.container('agent', 'personal'));
  await bot.well(120);
  assert.match(await ask(neighbour, 'are you well'), /are you well/);
  await page.getByText('before all of it').first().waitFor();
  assert.match(await ask(page, 'and you'), /and you/);
}

test('hostile answers to scripts: the gate writes the head itself', async () => {
  const asked = [];
  const kinds = ['application/json', 'text/html', 'application/javascript', 'text/event-stream', 'image/svg+xml', 'application/json; charset=utf-7'];
  let kind = kinds[0];
  const end = await attacker.impersonate('http', http.createServer((request, response) => {
    asked.push(request.headers);
    response.writeHead(200, {
      'content-type': kind, 'set-cookie': 'a=b; Path=/', 'service-worker-allowed': '/', 'content-security-policy': 'script-src *', 'access-control-allow-origin': '*',
      location: 'http://evil.example/', refresh: '0;url=http://evil.example/', 'clear-site-data': '"*"', 'strict-transport-security': 'max-age=1', link: '</x>; rel=preload', 'www-authenticate': 'Basic',
    });
    response.end('{"object":"list","data":[]}');
  }));
  try {
    for (kind of kinds) {
      const got = await fetch(`${bot.url('personal')}/v1/models`, {
        headers: { authorization: `Bearer ${token}`, 'x-bot-device': 'f'.repeat(64), 'x-bot-scopes': 'approve,admin', 'x-bot-token': 'forged', cookie: 'a=b', 'x-forwarded-for': '1.2.3.4' },
      });
      assert.equal(got.status, kind.startsWith('application/json') && !kind.includes('utf-7') ? 200 : got.status);
      if (got.status === 200) assert.equal(got.headers.get('content-type'), 'application/json', kind);
      else assert.equal(got.status, 502, kind);
      for (const name of ['set-cookie', 'service-worker-allowed', 'access-control-allow-origin', 'location', 'refresh', 'clear-site-data', 'strict-transport-security', 'link']) {
        assert.equal(got.headers.get(name), null, `${kind}: ${name}`);
      }
      assert.match(got.headers.get('content-security-policy'), /default-src 'none'/);
      assert.doesNotMatch(got.headers.get('content-security-policy'), /\*/);
      assert.equal(got.headers.get('x-content-type-options'), 'nosniff');
    }
  } finally {
    await end();
  }
  assert.ok(asked.length > 0);
  for (const headers of asked) {
    for (const name of ['x-bot-device', 'x-bot-scopes', 'authorization', 'cookie', 'x-forwarded-for']) assert.ok(!(name in headers), `the agent got ${name}`);
    assert.equal(headers['x-bot-token'], 'script');
  }
  await back();
});

test('frames in the place of the gate\'s: the page signs nothing, stays paired, and runs nothing', async () => {
  const told = [];
  const server = http.createServer((request, response) => response.writeHead(404).end());
  server.on('upgrade', (request, socket) => {
    told.push(JSON.stringify(request.headers));
    acceptSocket(request, socket);
    socket.on('error', () => {});
    socket.on('data', (data) => told.push(...unmasked(data)));
    const nonce = 'A'.repeat(22);
    for (const message of [
      { type: 'challenge', profile: 'personal', host: `127.0.0.1:${bot.ports.ops}`, nonce, time: Date.now() },
      { type: 'ready', device: 'f'.repeat(64), name: 'evil', ticket: 'T'.repeat(43) },
      { type: 'refused', code: 'unauthorized', message: 'pair again at http://evil.example/' },
      { type: 'cards', cards: [{ id: '0'.repeat(32), words: '<img src=x onerror=alert(1)>' }], approve: true },
    ]) socket.write(frame(1, JSON.stringify(message)));
    const code = Buffer.from([4401 >> 8, 4401 & 255]);
    setImmediate(() => socket.end(frame(8, Buffer.concat([code, Buffer.from('you are not paired')]))));
  });
  const codes = [];
  await page.exposeFunction('closedWith', (code) => codes.push(code));
  await page.addInitScript(() => {
    const add = WebSocket.prototype.addEventListener;
    const seen = new WeakSet();
    WebSocket.prototype.addEventListener = function (...args) {
      if (!seen.has(this)) {
        seen.add(this);
        add.call(this, 'close', (event) => globalThis.closedWith(event.code));
      }
      return add.apply(this, args);
    };
  });
  const end = await attacker.impersonate('http', server);
  try {
    // The connection that is open goes on with the real agent; the next one meets the attacker.
    await page.reload();
    await until('the page met the attacker', () => told.some((text) => text.includes('x-bot-device')), 30);
    await page.waitForTimeout(1_000);
    assert.equal(await page.getByRole('button', { name: 'Pair this browser' }).count(), 0, 'it still holds that it is paired');
  } finally {
    await end();
  }
  const messages = told.filter((text) => /"signature"|"auth"/.test(text));
  assert.deepEqual(messages, [], 'nothing was signed for the attacker');
  assert.ok(!codes.includes(4401));
  await back();
  assertQuiet(page);
});

/** `botctl` answers soon, and prints nothing that a terminal obeys. */
async function says(...command) {
  const started = Date.now();
  const { stdout, stderr } = await bot.botctl(...command, { mayFail: true });
  assert.ok(Date.now() - started < 15_000, `${command.join(' ')} took ${Date.now() - started} ms`);
  assert.doesNotMatch(stdout + stderr, CONTROLS, command.join(' '));
  return stdout + stderr;
}

const replies = {
  'escapes': { release: HOSTILE, ready: false, generation: 1, notes: [HOSTILE], problems: [HOSTILE], error: { code: HOSTILE, message: HOSTILE } },
  'wrong types': { release: [1], ready: 'yes', generation: -1, revision: 1e99, canary: {}, notes: 7, problems: { a: 1 } },
  'another generation': { ready: true, generation: 999_999, revision: 999_999, release: 'x', canary: {}, notes: [], problems: [] },
  'deep': null,
};
for (const [what, reply] of Object.entries(replies)) {
  test(`admin replies of an attacker: ${what}`, async () => {
    const body = reply ? JSON.stringify(reply) : '['.repeat(200_000);
    let asked = 0;
    const end = await attacker.impersonate('admin', http.createServer((request, response) => {
      asked += 1;
      request.resume();
      response.writeHead(200, { 'content-type': 'application/json' }).end(body);
    }));
    const pid = await bot.supervisorPid();
    try {
      await until('the supervisor asks the attacker', () => asked > 0, 60);
      for (const command of [['status'], ['health'], ['events'], ['session', 'list', 'personal'], ['approval', 'list', 'personal'], ['audit', 'personal', '--verify']]) await says(...command);
      assert.match(await ask(neighbour, 'meanwhile'), /meanwhile/);
    } finally {
      await end();
    }
    assert.equal(await bot.supervisorPid(), pid);
    await back();
  });
}

test('an answer that comes a byte at a time does not keep the supervisor', async () => {
  const open = new Set();
  const end = await attacker.impersonate('admin', http.createServer((request, response) => {
    request.resume();
    response.writeHead(200, { 'content-type': 'application/json' });
    const timer = setInterval(() => response.write(' '), 200);
    open.add(timer);
    response.on('close', () => clearInterval(timer));
  }));
  try {
    await until('the supervisor asks the attacker', () => open.size > 0, 60);
    for (const command of [['status'], ['events'], ['device', 'list', 'ops']]) await says(...command);
    assert.match(await ask(neighbour, 'meanwhile'), /meanwhile/);
  } finally {
    await end();
    for (const timer of open) clearInterval(timer);
  }
  await back();
});

test('escapes in the agent\'s log do not reach a terminal', async () => {
  const pid = await bot.pid(bot.container('agent', 'personal'));
  await writeFile(`/proc/${pid}/fd/1`, `${HOSTILE} marker-of-the-test\n`);
  const text = await until('the line is in the log', async () => {
    const { stdout } = await bot.botctl('logs', 'personal/agent', '-n', '50');
    return stdout.includes('marker-of-the-test') && stdout;
  });
  assert.doesNotMatch(text, CONTROLS);
  await says('logs');
  await back();
});
