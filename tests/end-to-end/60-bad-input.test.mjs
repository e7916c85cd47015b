// Bad input: each gives a clear message that says what to do, and loses nothing.

import assert from 'node:assert/strict';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Installation } from './lib/installation.mjs';
import { freePort, until } from './lib/shell.mjs';

let bot;
let good;

before(async () => {
  bot = await Installation.create('bad');
  await bot.up();
  good = await readFile(bot.configuration, 'utf8');
});
after(() => bot?.remove());

/** Writes a configuration, gives what `config check` and `apply` say, and puts the good one back. */
async function tried(text) {
  await writeFile(bot.configuration, text);
  const check = await bot.botctl('config', 'check', { mayFail: true });
  const apply = await bot.botctl('apply', { mayFail: true });
  await writeFile(bot.configuration, good);
  return { check, apply, said: check.stdout + check.stderr };
}

const broken = {
  'broken TOML': [(text) => `${text}\n[profile\n`, /platform\.toml:\d+/],
  'an unknown key': [(text) => text.replace(/^name = /m, 'nmae = "x"\nname = '), /nmae/],
  'two profiles on one port': [(text) => text.replaceAll(/^port = \d+/gm, 'port = 18999'), /18999/],
  'a time zone that does not exist': [(text) => text.replace(/^timezone = .*/m, 'timezone = "Europe/Atlantis"'), /Atlantis/],
  'a secret that is not there': [(text) => `${text}\n[spark]\nurl = "http://127.0.0.1:1/v1"\nmodel = "x"\nkey = { secret = "nope" }\n`, /botctl --root \S+ secret set nope/],
};
for (const [what, [edit, expected]] of Object.entries(broken)) {
  test(`${what}: named with its line and a remedy; what runs goes on`, async () => {
    const before = await bot.ids();
    const { check, apply, said } = await tried(edit(good));
    assert.equal(check.code, 64, said);
    assert.notEqual(apply.code, 0);
    assert.match(said, expected);
    assert.match(said, /platform\.toml:\d+/);
    assert.deepEqual(await bot.ids(), before);
  });
}

test('several errors are reported at once', async () => {
  const { said } = await tried(good.replace(/^timezone = .*/m, 'timezone = "Nowhere/At_all"').replace(/^port = \d+/m, 'port = 0'));
  assert.match(said, /Nowhere/);
  assert.match(said, /port/);
});

test('a port that somebody else uses blocks one gate, says so, and goes away by itself', async () => {
  const port = await freePort();
  const squatter = net.createServer().listen(port, '127.0.0.1');
  const old = bot.ports.ops;
  await writeFile(bot.configuration, good.replace(`port = ${old}`, `port = ${port}`));
  const taken = new RegExp(`port ${port} is taken by another program; stop it or change profile\\.ops\\.port`);
  assert.match((await bot.botctl('plan')).stdout, taken, 'before anything is done');
  const applied = await bot.botctl('apply', { mayFail: true });
  assert.equal(applied.code, 1);
  assert.match(applied.stderr, taken);
  // The gate is told of its other settings first.
  const unserved = async () => (await bot.json('status')).profiles.find(({ profile }) => profile === 'ops').unserved;
  await until('status says which port', async () => taken.test(await unserved()));
  assert.equal((await bot.json('status')).well, false);
  assert.match((await bot.botctl('status')).stdout, taken);
  const waited = await bot.botctl('health', '--wait', '1', { mayFail: true });
  assert.equal(waited.code, 1);
  assert.match(waited.stderr, taken);
  const link = await bot.botctl('open', 'ops', { mayFail: true });
  assert.equal(link.code, 1);
  assert.match(link.stderr, taken);
  assert.doesNotMatch(link.stdout + link.stderr, /#setup=/, 'whoever has the port would get the code');
  const began = performance.now();
  const up = await bot.up({ mayFail: true });
  assert.notEqual(up.code, 0);
  assert.match(up.stderr, taken);
  assert.ok(performance.now() - began < 60_000, 'at once, not after the wait for everything to be well');
  await new Promise((resolve) => squatter.close(resolve));
  bot.ports.ops = port;
  await bot.well(90);
  bot.ports.ops = old;
  await bot.configure(() => good);
  await bot.well();
});

test('a model id that the box does not list, and a box that is down, are said with their cause; the page stays up', async () => {
  await bot.configure((text) => `${text}\n[spark]\nurl = "http://127.0.0.1:9/v1"\nmodel = "no/such"\n`);
  // Nobody chats and nobody asks: spark itself has found out.
  await until('status tells the cause', async () => /no connection to the model box/.test((await bot.botctl('status')).stdout));
  const status = await bot.json('status');
  assert.equal(status.well, true);
  assert.match(status.degraded.join(), /127\.0\.0\.1:9/);
  for (const command of ['status', 'health']) {
    const { stdout } = await bot.botctl(command);
    assert.match(stdout.split('\n')[0], /degraded/);
    assert.match(stdout, /no connection|refused|cannot/i);
  }
  await bot.well();
  assert.equal((await bot.json('spark', 'health')).reachable, false);
  assert.equal((await fetch(bot.url('personal'))).status, 200);
  await bot.configure(() => good);
  await bot.well();
});

test('a secret that others can read is refused', async () => {
  await bot.botctl('secret', 'set', 'spark-key', { input: 'k3y' });
  const file = path.join(bot.root, 'etc/secrets/spark-key');
  await chmod(file, 0o644);
  const { said } = await tried(`${good}\n[spark]\nurl = "http://127.0.0.1:9/v1"\nmodel = "x"\nkey = { secret = "spark-key" }\n`);
  assert.match(said, /others can read the file of the secret spark-key/);
});

test('a snapshot that does not exist, and a folder that cannot be, are refused before anything is done', async () => {
  await bot.botctl('backup', 'now', 'personal');
  const before = (await bot.json('backup', 'list', 'personal')).snapshots.map((snapshot) => snapshot.id);
  const folder = path.join(bot.root, 'copy');
  for (const [words, expected] of [
    [['0123456789ab', '--yes'], /no snapshot begins with 0123456789ab/],
    [['0123456789ab', '--to', folder], /no snapshot begins with 0123456789ab/],
    [['latest', '--to', '/'], /does not exist yet/],
    [['last', '--yes'], /at least 6 hexadecimal characters/],
  ]) {
    const { code, stderr } = await bot.botctl('backup', 'restore', 'personal', ...words, { mayFail: true });
    assert.equal(code, 1);
    assert.match(stderr, expected);
  }
  const after = (await bot.json('backup', 'list', 'personal')).snapshots.map((snapshot) => snapshot.id);
  assert.deepEqual(after, before);
  await assert.rejects(readFile(folder), { code: 'ENOENT' });
});

const raw = (port, bytes) => new Promise((resolve) => {
  const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes));
  let text = '';
  socket.on('data', (data) => (text += data));
  socket.on('close', () => resolve(text));
  socket.on('error', () => resolve(text));
  setTimeout(() => socket.destroy(), 15_000).unref();
});

test('malformed and oversized HTTP is refused, the gate lives', async () => {
  const { personal } = bot.ports;
  assert.match(await raw(personal, 'GARBAGE\r\n\r\n'), /^HTTP\/1\.1 400/);
  assert.match(await raw(personal, `GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n`), /^HTTP\/1\.1 4(03|21)/);
  assert.match(await raw(personal, `GET / HTTP/1.1\r\nHost: 127.0.0.1:${personal}\r\nX: ${'a'.repeat(100_000)}\r\n\r\n`), /^HTTP\/1\.1 413/);
  assert.equal((await fetch(bot.url('personal'))).status, 200);
});
