// The two commands on an installation of its own: up, what runs then, up again, down, up, purge.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { Installation } from './lib/installation.mjs';
import { docker, inspect, run } from './lib/shell.mjs';

let bot;
let printed;

before(async () => {
  bot = await Installation.create('up');
  printed = (await bot.up()).stdout;
});
after(() => bot.remove());

test('up prints a one-time setup link for each profile and says that the demo model answers', () => {
  for (const profile of ['personal', 'ops']) assert.match(printed, new RegExp(`${bot.url(profile)}/#setup=[0-9A-Z]{26}`, 'i'));
  assert.match(printed, /demo/);
});

test('six containers run, each healthy and ready, and status says so', async () => {
  const status = await bot.json('status');
  assert.equal(status.schema.startsWith('bot-platform.status'), true, JSON.stringify(status).slice(0, 200));
  const words = (await bot.botctl('status')).stdout;
  for (const name of bot.containers()) {
    assert.equal((await inspect(name)).State.Running, true, name);
    const target = name.replace(`${bot.name}-`, '').replace(/^(personal|ops)-/, '$1/');
    assert.match(words, new RegExp(`${target}\\s+(running|ready)`), words);
  }
});

test('an agent has no network, no capability, no writable root, its own uid', async () => {
  const [personal, ops] = await Promise.all(['personal', 'ops'].map((profile) => inspect(bot.container('agent', profile))));
  for (const { HostConfig: host, Config: config } of [personal, ops]) {
    assert.equal(host.NetworkMode, 'none');
    assert.equal(host.ReadonlyRootfs, true);
    assert.deepEqual(host.CapDrop, ['ALL']);
    assert.deepEqual(host.CapAdd ?? [], []);
    assert.ok(host.SecurityOpt.some((option) => option.startsWith('no-new-privileges')));
    assert.ok(host.SecurityOpt.some((option) => option.startsWith('seccomp=') && !option.includes('io_uring_setup')));
    assert.equal(host.RestartPolicy.Name, 'no');
    assert.ok(host.Memory > 0 && host.MemorySwap === host.Memory && host.PidsLimit > 0 && host.NanoCpus > 0);
    assert.equal(host.LogConfig.Type, 'json-file');
    assert.ok(host.LogConfig.Config['max-size'] && host.LogConfig.Config['max-file']);
    assert.notEqual(Number(config.User.split(':')[0]), 0);
  }
  assert.notEqual(personal.Config.User, ops.Config.User);
  const sources = (container) => container.Mounts.map(({ Source }) => Source).filter(Boolean); // A tmpfs has none.
  const shared = sources(personal).filter((source) => sources(ops).includes(source));
  assert.deepEqual(shared, [], 'two zones share a mount');
});

test('the ports are published on loopback only, and every sidecar has a bridge of its own', async () => {
  const networks = new Set();
  for (const name of [bot.container('gate', 'personal'), bot.container('gate', 'ops'), bot.container('spark')]) {
    const container = await inspect(name);
    for (const bindings of Object.values(container.HostConfig.PortBindings ?? {})) {
      for (const { HostIp } of bindings) assert.equal(HostIp, '127.0.0.1');
    }
    networks.add(Object.keys(container.NetworkSettings.Networks).join());
  }
  assert.equal(networks.size, 3);
  assert.equal((await inspect(bot.container('backup'))).HostConfig.NetworkMode, 'none');
});

test('an agent cannot open a socket other than AF_UNIX: its own process has only those', async () => {
  const pid = await bot.pid(bot.container('agent', 'personal'));
  for (const table of ['tcp', 'tcp6', 'udp', 'udp6', 'raw', 'packet']) {
    const lines = (await run('cat', [`/proc/${pid}/net/${table}`])).stdout.trim().split('\n');
    assert.equal(lines.length, 1, `${table}: ${lines}`);
  }
  const links = (await run('cat', [`/proc/${pid}/net/dev`])).stdout.trim().split('\n').slice(2);
  assert.deepEqual(links.map((line) => line.trim().split(':')[0]), ['lo']);
});

test('up again changes nothing', async () => {
  const before = await bot.ids();
  await bot.up();
  assert.deepEqual(await bot.ids(), before);
});

test('the doctor has at least ten checks and none fails', async () => {
  const { checks } = await bot.json('doctor');
  assert.ok(checks.length >= 10, `${checks.length} checks`);
  const failed = checks.filter(({ verdict }) => verdict === 'problem');
  assert.deepEqual(failed, []);
});

test('metrics are Prometheus text', async () => {
  const text = await bot.metrics();
  assert.match(text, /^# TYPE \S+ (gauge|counter|histogram)$/m);
  assert.match(text, /personal/);
});

test('down keeps the state, up finds it, purge removes everything', async () => {
  await bot.down();
  for (const name of bot.containers()) assert.equal(await docker('ps', '-aq', '--filter', `name=^${name}$`), '');
  const volume = `${bot.name}-personal-state`;
  assert.equal(await docker('volume', 'ls', '-q', '--filter', `name=^${volume}$`), volume);
  await bot.up();
  await bot.well();
  await bot.down('--purge', '--yes');
  assert.equal(await docker('volume', 'ls', '-q', '--filter', `name=^${bot.name}-`), '');
  assert.equal(await docker('network', 'ls', '-q', '--filter', `name=^${bot.name}-`), '');
  assert.equal(existsSync(bot.root), false);
});
