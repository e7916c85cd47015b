// The exported compose file brings the same topology up with docker-compose.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Installation } from './lib/installation.mjs';
import { docker, inspect, run, until } from './lib/shell.mjs';

let bot;
let file;
const compose = (...args) => run('docker-compose', ['-p', bot.name, '-f', file, ...args]);

before(async () => {
  bot = await Installation.create('compose');
  await bot.up();
  file = path.join(bot.root, 'compose.yaml');
});
after(async () => {
  await compose('down').catch(() => {});
  await bot?.remove();
});

test('docker-compose brings up the same containers with the same confinement', async () => {
  await writeFile(file, (await bot.botctl('export', 'compose')).stdout);
  const wanted = await Promise.all(bot.containers().map(async (name) => [name, confinement(await inspect(name))]));
  const supervisor = await bot.supervisorPid();
  process.kill(supervisor, 'SIGTERM');
  await until('the supervisor is gone', async () => (await run('kill', ['-0', String(supervisor)], { mayFail: true })).code !== 0);
  await docker('rm', '-f', ...bot.containers());
  await compose('up', '-d');
  for (const [name, expected] of wanted) {
    await bot.containerUntil('is healthy', name, ({ State }) => State.Health?.Status === 'healthy', 90);
    assert.deepEqual(confinement(await inspect(name)), expected, name);
  }
});

/** What makes a container what it is, in a shape that does not depend on who made it. */
function confinement({ Config, HostConfig, Image, Mounts }) {
  const { ReadonlyRootfs, CapDrop, CapAdd, Memory, NanoCpus, PidsLimit, Privileged, PortBindings, RestartPolicy, LogConfig } = HostConfig;
  return {
    user: Config.User, image: Image, network: HostConfig.NetworkMode === 'none' ? 'none' : 'bridge',
    readonly: ReadonlyRootfs, drop: CapDrop, add: CapAdd ?? [], memory: Memory, cpus: NanoCpus, pids: PidsLimit, privileged: Privileged,
    ports: Object.entries(PortBindings ?? {}).map(([inner, [outer]]) => `${outer.HostIp}:${outer.HostPort}:${inner}`),
    restart: RestartPolicy.Name || 'no', log: [LogConfig.Type, LogConfig.Config['max-size'], LogConfig.Config['max-file']],
    seccomp: (HostConfig.SecurityOpt ?? []).some((option) => option.startsWith('seccomp=')),
    mounts: Mounts.map(({ Destination, Source, RW }) => `${Source}:${Destination}:${RW}`).sort(),
  };
}
