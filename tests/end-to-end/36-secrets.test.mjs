// Each configured secret: nowhere but with its one consumer. The same search finds what is there, so it is able to fail.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { device, launch } from './lib/browser.mjs';
import { Installation } from './lib/installation.mjs';
import { Search, searchFiles, searchMemory, searchOutput, spellings } from './lib/search.mjs';
import { docker, inspect, run } from './lib/shell.mjs';
import { ask, pair } from './lib/talk.mjs';

const MODEL = 'test/echo';
const key = () => randomBytes(30).toString('base64url');
const secrets = { 'spark-key': key(), 'house-personal': key(), 'house-ops': key() };
/** What is said in chats: it has to be found in the one agent and nowhere at the other. */
const said = { personal: `the blue door ${key()}`, ops: `the red door ${key()}` };

let bot;
let box;
let browser;
let restored;
const asked = [];

/** A model box that wants the key. */
async function modelBox(host) {
  const server = http.createServer((request, response) => {
    asked.push(request.headers.authorization);
    const json = (value) => response.setHeader('content-type', 'application/json').end(JSON.stringify(value));
    request.on('end', () => {
      if (request.headers.authorization !== `Bearer ${secrets['spark-key']}`) return response.writeHead(401).end('{}');
      if (request.method === 'GET') return json({ object: 'list', data: [{ id: MODEL, object: 'model', created: 1, owned_by: 'test', context_length: 8192 }] });
      response.setHeader('content-type', 'text/event-stream');
      for (const delta of [{ role: 'assistant', content: 'heard' }, {}]) {
        const finish = delta.content ? null : 'stop';
        response.write(`data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', created: 1, model: MODEL, choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`);
      }
      response.end('data: [DONE]\n\n');
    });
    request.resume();
  });
  await new Promise((resolve, reject) => server.on('error', reject).listen(0, host, resolve));
  return server;
}

before(async () => {
  bot = await Installation.create('secrets');
  await bot.up();
  const gateway = await docker('network', 'inspect', bot.container('spark'), '--format', '{{(index .IPAM.Config 0).Gateway}}');
  box = await modelBox(gateway);
  for (const [name, value] of Object.entries(secrets)) await bot.botctl('secret', 'set', name, { input: value });
  const upstream = (profile) => `[profile.${profile}.upstream.house]\nurl = "http://192.0.2.1:8123"\nbearer = { secret = "house-${profile}" }\nrule = [{ method = "GET", path = "/states" }]\n`;
  const spark = `[spark]\nurl = "http://${gateway}:${box.address().port}/v1"\nmodel = "${MODEL}"\nkey = { secret = "spark-key" }\n`;
  await bot.configure((text) => `${text.replace(/^\[spark\]\n(?:(?!\[).*\n)*/m, '')}\n${spark}\n${upstream('personal')}\n${upstream('ops')}`);
  await bot.well();
  browser = await launch();
  for (const profile of ['personal', 'ops']) {
    const page = await device(browser);
    await pair(page, await bot.link(profile));
    await page.getByText(MODEL).first().waitFor();
    assert.match(await ask(page, said[profile]), /heard/);
  }
  await bot.botctl('backup', 'now', 'personal');
  restored = path.join(bot.root, 'restored');
  await bot.botctl('backup', 'restore', 'personal', 'latest', '--to', restored);
});
after(async () => {
  await browser?.close();
  box?.close();
  if (restored) await rm(restored, { recursive: true, force: true });
  await bot?.remove();
});

const all = { ...secrets, ...said };
const ofVolume = (name) => docker('volume', 'inspect', '--format', '{{.Mountpoint}}', name);

test('the search finds a value in each spelling, and across the ends of pieces', () => {
  const value = key();
  for (const before of ['', 'x', 'xy', 'xyz']) {
    const encoded = Buffer.from(`${before}${value}tail`).toString('base64');
    const search = new Search({ value });
    for (const letter of encoded) search.feed(Buffer.from(letter));
    assert.deepEqual(search.found(), ['value'], before);
  }
  assert.ok(spellings(value).length >= 5);
  const other = new Search({ value });
  other.feed(Buffer.from(key()));
  assert.deepEqual(other.found(), []);
});

test('the secrets are in force: the model box was asked with its key', () => {
  assert.ok(asked.includes(`Bearer ${secrets['spark-key']}`));
});

test('memory: what was said is in its agent, the key is in spark, and no agent has a secret', async (t) => {
  const memory = async (role, profile) => {
    const search = await searchMemory(await bot.pid(bot.container(role, profile)), all);
    t.diagnostic(`${profile ?? ''} ${role}: ${(search.bytes / 1e6).toFixed(1)} MB, found ${search.found().join(', ') || 'nothing'}`);
    return search.found();
  };
  assert.deepEqual(await memory('agent', 'personal'), ['personal']);
  assert.deepEqual(await memory('agent', 'ops'), ['ops']);
  assert.ok((await memory('spark')).includes('spark-key'), 'the search is able to find a secret in memory');
  for (const profile of ['personal', 'ops']) {
    const other = profile === 'personal' ? 'ops' : 'personal';
    const found = await memory('gate', profile);
    for (const name of [other, `house-${other}`, 'spark-key']) assert.ok(!found.includes(name), `${name} in the gate of ${profile}`);
  }
  assert.ok(!(await memory('backup')).some((name) => name in secrets));
});

test('the copies that were delivered: each gate has its own secret, and no other', async () => {
  for (const profile of ['personal', 'ops']) {
    const delivered = (await searchFiles([path.join(bot.root, `run/run/${profile}/gate-secrets`)], all)).found();
    assert.deepEqual(delivered, [`house-${profile}`]);
  }
});

test('environment, arguments, open files: nobody has a secret there', async () => {
  const search = new Search(secrets);
  for (const name of bot.containers()) {
    const pid = await bot.pid(name);
    for (const file of ['environ', 'cmdline']) {
      search.feed(Buffer.from((await run('cat', [`/proc/${pid}/${file}`])).stdout));
    }
  }
  search.feed(Buffer.from((await run('cat', [`/proc/${await bot.supervisorPid()}/environ`, `/proc/${await bot.supervisorPid()}/cmdline`])).stdout));
  assert.ok(search.bytes > 500);
  assert.deepEqual(search.found(), []);
});

test('volumes: what was said is in its agent\'s, and no secret is in any', async () => {
  const volume = async (name) => (await searchFiles([await ofVolume(`${bot.name}-${name}`)], all)).found();
  assert.deepEqual(await volume('personal-state'), ['personal']);
  assert.deepEqual(await volume('ops-state'), ['ops']);
  for (const name of ['personal-gate', 'ops-gate', 'spark']) assert.deepEqual(await volume(name), [], name);
});

test('a restored snapshot has what was said and no secret; the repository has neither', async () => {
  assert.deepEqual((await searchFiles([restored], all)).found(), ['personal']);
  const repository = await searchFiles([path.join(bot.root, 'lib/backups')], all);
  assert.ok(repository.bytes > 1_000);
  assert.deepEqual(repository.found(), []);
});

test('images: no layer has one', async (t) => {
  const images = new Set(await Promise.all(bot.containers().map(async (name) => (await inspect(name)).Image)));
  assert.equal(images.size, 4);
  const search = await searchOutput('docker', ['save', ...images], { ...secrets, control: 'x-bot-device' });
  t.diagnostic(`${(search.bytes / 1e6).toFixed(1)} MB`);
  assert.deepEqual(search.found(), ['control'], 'the search reads what is in the layers');
});

test('docker inspect, docker logs, botctl: nobody says one', async () => {
  const containers = bot.containers();
  const inspected = await searchOutput('docker', ['inspect', ...containers], { ...secrets, control: 'BOT_PROFILE=ops' });
  assert.deepEqual(inspected.found(), ['control']);
  let bytes = 0;
  for (const name of containers) {
    const logs = await searchOutput('docker', ['logs', name], all);
    bytes += logs.bytes;
    assert.deepEqual(logs.found(), [], `logs of ${name}`);
  }
  assert.ok(bytes > 0);
  const commands = [['status'], ['events'], ['logs'], ['doctor', '--verbose'], ['config', 'show'], ['secret', 'list'], ['export', 'compose'], ['spark', 'health'], ['plan']];
  const search = new Search(secrets);
  for (const command of commands) {
    for (const more of [[], ['--json']]) {
      const { stdout, stderr } = await bot.botctl(...command, ...(command[0] === 'logs' || command[0] === 'events' ? [] : more), { mayFail: true });
      search.feed(Buffer.from(stdout + stderr));
    }
  }
  assert.ok(search.bytes > 2_000);
  assert.deepEqual(search.found(), []);
});

test('the supervisor\'s log, ledger and files; the directories that agents and gates share', async () => {
  const state = await searchFiles([path.join(bot.root, 'lib')], { ...secrets, control: 'token' }, (file) => file.includes('/bin/'));
  assert.deepEqual(state.found(), ['control']);
  const files = await readdir(path.join(bot.root, 'etc/secrets'));
  for (const name of Object.keys(secrets)) assert.ok(files.includes(name), `${name} is stored once, in etc/secrets`);
  const shared = await searchFiles([path.join(bot.root, 'run/run')], secrets, (file) => /-secrets\//.test(file));
  assert.deepEqual(shared.found(), []);
  const own = await searchFiles([path.join(bot.root, 'run/run')], secrets);
  assert.ok(own.found().includes('spark-key'), 'the copy for spark is found when it is looked for');
});
