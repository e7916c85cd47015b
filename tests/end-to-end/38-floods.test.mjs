// Strangers at a gate's door: floods and foreign pages. Whoever is paired goes on chatting, the gate stays small, the neighbour notices nothing.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import net from 'node:net';
import { after, afterEach, before, test } from 'node:test';

import { device, launch } from './lib/browser.mjs';
import { Installation } from './lib/installation.mjs';
import { soak } from './lib/shell.mjs';
import { ask, assertQuiet, pair } from './lib/talk.mjs';

/** Longest that a turn may take while the gate is flooded. */
const TURN_SECONDS = 10;
/** Most that a gate may hold, whatever strangers do. */
const MOST_RSS_KB = 96 * 1024;
const PAIRINGS = 10_000;
const SOCKETS = soak ? 5_000 : 1_200;
const SLOW = 700;
const AT_ONCE = 64;

let bot;
let browser;
const pages = {};
const strangers = new Set();

before(async () => {
  bot = await Installation.create('floods');
  await bot.up();
  browser = await launch();
  for (const profile of ['personal', 'ops']) {
    pages[profile] = await device(browser);
    await pair(pages[profile], await bot.link(profile));
    assert.match(await ask(pages[profile], 'before all of it'), /before all of it/);
  }
});
afterEach(() => {
  for (const socket of strangers) socket.destroy();
});
after(async () => {
  await browser?.close();
  await bot?.remove();
});

async function rss(profile) {
  const status = await readFile(`/proc/${await bot.pid(bot.container('gate', profile))}/status`, 'utf8');
  return Number(status.match(/VmRSS:\s*(\d+)/)[1]);
}

/** Both chat without a pause while `work` is done; gives how long the slowest turn took, and how much the gate held. */
async function whileBothChat(t, work) {
  let done = false;
  let most = 0;
  let slowest = 0;
  let turns = 0;
  const before = await bot.ids();
  const chatting = async (profile) => {
    do {
      const started = Date.now();
      const words = `${profile} says ${randomBytes(4).toString('hex')}`;
      assert.ok((await ask(pages[profile], words)).includes(words));
      slowest = Math.max(slowest, Date.now() - started);
      most = Math.max(most, await rss('personal'));
      turns += 1;
    } while (!done);
  };
  const working = work().finally(() => (done = true));
  await Promise.all([working, chatting('personal'), chatting('ops')]).finally(() => (done = true));
  t.diagnostic(`${turns} turns, the slowest ${slowest} ms; the gate held ${most} KB at most`);
  assert.ok(slowest < TURN_SECONDS * 1000, `${slowest} ms`);
  assert.ok(most < MOST_RSS_KB, `${most} KB`);
  assert.deepEqual(await bot.ids(), before, 'no container was replaced');
  for (const page of Object.values(pages)) assertQuiet(page);
  return working;
}

/** Opens a connection that is a stranger's. `said` collects what comes. */
function stranger(bytes, profile = 'personal') {
  return new Promise((resolve) => {
    const socket = net.connect(bot.ports[profile], '127.0.0.1', () => {
      socket.write(bytes);
      resolve(socket);
    });
    socket.said = '';
    socket.on('data', (data) => {
      if (socket.said.length < 4_096) socket.said += data.toString('latin1');
    });
    socket.on('error', () => resolve(socket));
    socket.on('close', () => strangers.delete(socket));
    strangers.add(socket);
  });
}

/** One request to its end; gives status, head and body. */
async function request(method, path, fields, body = '') {
  const lines = Object.entries({ connection: 'close', ...fields, ...(body ? { 'content-length': Buffer.byteLength(body) } : {}) });
  const socket = await stranger(`${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`);
  if (!socket.destroyed) await new Promise((resolve) => socket.on('close', resolve).setTimeout(15_000, () => socket.destroy()));
  return { status: Number(socket.said.match(/^HTTP\/1\.1 (\d{3})/)?.[1] ?? 0), text: socket.said };
}

async function many(count, work) {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

const host = () => `127.0.0.1:${bot.ports.personal}`;
const own = () => ({ host: host(), origin: bot.url('personal'), 'content-type': 'application/json' });
const upgrade = () => ({ upgrade: 'websocket', connection: 'upgrade', 'sec-websocket-version': '13', 'sec-websocket-key': randomBytes(16).toString('base64') });

test('attempts to pair: nobody is paired, and a good link works meanwhile', async (t) => {
  const before = (await bot.json('device', 'list', 'personal')).devices.filter((known) => !known.revoked_at).length;
  const statuses = {};
  const count = (status) => (statuses[status] = (statuses[status] ?? 0) + 1);
  await whileBothChat(t, async () => {
    const flood = many(PAIRINGS, async (number) => {
      if (number % 10 === 0) return count((await request('POST', '/pair/nonce', own(), '{}')).status);
      const attempt = { public_key: randomBytes(32).toString('base64url'), name: `stranger ${number}`, nonce: randomBytes(16).toString('base64url'), time: Date.now(), signature: randomBytes(64).toString('base64url') };
      if (number % 2) attempt.code = randomBytes(13).toString('hex').toUpperCase();
      count((await request('POST', '/pair', own(), JSON.stringify(attempt))).status);
    });
    const guest = await device(browser);
    await pair(guest, await bot.link('personal'));
    assert.match(await ask(guest, 'let in'), /let in/);
    await guest.context().close();
    await flood;
  });
  t.diagnostic(JSON.stringify(statuses));
  assert.ok(Object.keys(statuses).every((status) => ['0', '200', '400', '401', '429'].includes(status)), JSON.stringify(statuses));
  assert.ok((statuses[401] ?? 0) + (statuses[429] ?? 0) > PAIRINGS / 2, 'the attempts were judged');
  const after = (await bot.json('device', 'list', 'personal')).devices.filter((known) => !known.revoked_at);
  assert.equal(after.length, before + 1, 'only the guest');
});

test('sockets without number, each silent, and some that babble', async (t) => {
  const opened = [];
  await whileBothChat(t, () => many(SOCKETS, async (number) => {
    const fields = Object.entries({ ...own(), ...upgrade() }).map(([name, value]) => `${name}: ${value}\r\n`).join('');
    const socket = await stranger(`GET /${number % 2 ? 'ws' : 'gate/ws'} HTTP/1.1\r\n${fields}\r\n`);
    if (number % 3 === 0) socket.write(Buffer.concat([Buffer.from([0x82, 0xfe, 0x40, 0, 0, 0, 0, 0]), Buffer.alloc(16_384)]));
    await new Promise((resolve) => socket.destroyed ? resolve() : socket.once('data', resolve).once('close', resolve));
    opened.push(socket);
  }));
  const entered = opened.filter((socket) => socket.said.startsWith('HTTP/1.1 101'));
  t.diagnostic(`${entered.length} of ${SOCKETS} got in`);
  assert.ok(entered.length > SOCKETS / 2, 'newcomers get in, and the oldest make way');
});

test('requests that never end: heads and bodies a byte at a time', async (t) => {
  await whileBothChat(t, async () => {
    await many(SLOW, (number) => stranger(number % 2 ? `GET / HTTP/1.1\r\nhost: ${host()}\r\nx-` : `POST /pair HTTP/1.1\r\nhost: ${host()}\r\norigin: ${bot.url('personal')}\r\ncontent-length: 4000\r\n\r\n{`));
    for (let turn = 0; turn < 10; turn += 1) {
      for (const socket of strangers) socket.write('a');
      assert.equal((await request('GET', '/', { host: host() })).status, 200, 'a newcomer gets in');
    }
  });
});

test('foreign hosts, foreign pages, names that are bound again', async () => {
  const hosts = ['evil.example', `evil.example:${bot.ports.personal}`, `127.0.0.1:${bot.ports.ops}`, '127.0.0.1', `127.0.0.1.nip.io:${bot.ports.personal}`, `localhost.evil.example:${bot.ports.personal}`,
    `0.0.0.0:${bot.ports.personal}`, `[::1]:${bot.ports.personal}`, `127.1:${bot.ports.personal}`, `2130706433:${bot.ports.personal}`, `localhost.:${bot.ports.personal}`, `user@${host()}`, ''];
  for (const foreign of hosts) {
    for (const path of ['/', '/pair/nonce', '/v1/models', '/gate/confirmations']) {
      const got = await request('GET', path, { host: foreign });
      assert.ok([400, 403].includes(got.status), `${foreign} ${path}: ${got.status}`);
      assert.doesNotMatch(got.text, /personal/);
    }
  }
  const origins = ['http://evil.example', bot.url('ops'), 'null', 'file://', `https://${host()}`, `http://localhost:${bot.ports.personal}`, `${bot.url('personal')}.evil.example`, `http://${host()}@evil.example`];
  for (const origin of origins) {
    for (const path of ['/pair/nonce', '/pair', `/gate/confirmations/${'0'.repeat(32)}`]) {
      const got = await request('POST', path, { ...own(), origin }, '{}');
      assert.equal(got.status, 403, `${origin} ${path}`);
      assert.doesNotMatch(got.text, /access-control/i);
    }
    for (const path of ['/ws', '/gate/ws']) assert.equal((await request('GET', path, { ...own(), ...upgrade(), origin })).status, 403, `${origin} ${path}`);
  }
  for (const path of ['/ws', '/gate/ws']) {
    const { origin: _, ...fields } = own();
    assert.equal((await request('GET', path, { ...fields, ...upgrade() })).status, 403, 'a socket without an Origin');
  }
  for (const site of ['cross-site', 'same-site']) {
    for (const path of ['/manifest.webmanifest', '/v1/models']) assert.equal((await request('GET', path, { host: host(), 'sec-fetch-site': site })).status, 403, `${site} ${path}`);
  }
});

test('in Chromium: a page of the neighbour reaches nothing of the profile', async () => {
  const page = await device(browser);
  await page.goto(bot.url('ops'));
  const evil = await browser.newContext();
  const foreign = await evil.newPage();
  await foreign.goto('data:text/html,<title>foreign</title>');
  for (const from of [foreign, page]) {
    const tried = await from.evaluate(async (address) => {
      const socket = (path) => new Promise((resolve) => {
        try {
          const opened = new WebSocket(`ws://${address}${path}`);
          opened.onmessage = () => resolve('a message');
          opened.onclose = opened.onerror = () => resolve('closed');
        } catch (error) {
          resolve('closed');
        }
      });
      const read = (path, options) => fetch(`http://${address}${path}`, options).then((found) => found.text(), () => 'closed');
      return [await socket('/ws'), await socket('/gate/ws'), await read('/'), await read('/pair/nonce', { method: 'POST' }), await read('/v1/models')];
    }, host());
    assert.deepEqual(tried, ['closed', 'closed', 'closed', 'closed', 'closed']);
  }
  await evil.close();
  await page.context().close();
  for (const profile of ['personal', 'ops']) assert.match(await ask(pages[profile], 'after all of it'), /after all of it/);
});
