// The host under faults: an engine that goes away and comes back, and a disk that is full. Chats go on.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFile, rm, statfs, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { device, launch } from './lib/browser.mjs';
import { Installation } from './lib/installation.mjs';
import { inspect, run, until } from './lib/shell.mjs';
import { ask, pair } from './lib/talk.mjs';

/** The engine behind a socket that this file can take away: the real one serves other tests too. */
class Engine {
  #server;
  #connections = new Set();

  constructor(socket) {
    this.socket = socket;
  }

  async start() {
    this.#server = createServer({ allowHalfOpen: true }, (near) => {
      const far = connect({ path: '/var/run/docker.sock', allowHalfOpen: true });
      for (const [one, other] of [[near, far], [far, near]]) {
        this.#connections.add(one);
        one.pipe(other);
        one.on('error', () => other.destroy()).on('close', () => this.#connections.delete(one));
      }
    });
    await new Promise((resolve) => this.#server.listen(this.socket, resolve));
  }

  async stop() {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const connection of this.#connections) connection.destroy();
    await closed;
  }
}

/** A small disk under everything that the supervisor writes. */
const DISK_MIB = 96;

let disk;
let bot;
let browser;
let engine;
let page;

before(async () => {
  bot = await Installation.create('host');
  disk = bot.root;
  await run('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m,mode=0755`, 'tmpfs', disk]);
  bot.root = path.join(disk, 'root');
  engine = new Engine(path.join(disk, 'engine.sock'));
  await engine.start();
  bot.environment = { ...process.env, DOCKER_HOST: `unix://${engine.socket}` };
  await bot.up({ env: bot.environment });
  browser = await launch();
  page = await device(browser);
  await pair(page, await bot.link('personal'));
  await ask(page, 'before');
});
after(async () => {
  await browser?.close();
  await engine?.stop();
  await bot?.remove();
  await run('umount', [disk]);
  await rm(disk, { recursive: true });
});

/** The supervisor as systemd starts it: nobody looks whether the engine is there. */
function startSupervisor() {
  const child = spawn(path.join(bot.root, 'lib/bin/bot-supervisor'), ['--root', bot.root], { env: bot.environment, detached: true, stdio: 'ignore' });
  child.unref();
}

test('an engine that goes away is said; chats go on; what crashed meanwhile starts once it is back', async () => {
  const ids = await bot.ids();
  await engine.stop();
  await until('health names the engine', async () => /Docker does not answer/.test((await bot.botctl('health')).stdout));
  assert.match(await ask(page, 'without an engine'), /without an engine/);
  const agent = bot.container('agent', 'ops');
  process.kill(await bot.pid(agent), 'SIGKILL');
  await bot.containerUntil('is dead', agent, ({ State }) => !State.Running);
  await engine.start();
  await bot.well(120);
  assert.deepEqual(await bot.ids(), ids, 'nothing was replaced');
});

test('a supervisor that starts without an engine waits for it, and adopts what runs', async () => {
  const ids = await bot.ids();
  const pid = await bot.supervisorPid();
  await engine.stop();
  process.kill(pid, 'SIGKILL');
  await until('it is gone', () => readFile(`/proc/${pid}/stat`, 'utf8').then((text) => text.split(') ')[1].startsWith('Z'), () => true));
  startSupervisor();
  await until('health names the engine', async () => (await bot.supervisorPid()) !== pid && /Docker does not answer/.test((await bot.botctl('health')).stdout));
  assert.match(await ask(page, 'with neither'), /with neither/);
  await engine.start();
  await bot.well(120);
  assert.deepEqual(await bot.ids(), ids, 'nothing was replaced');
});

test('a full disk under the supervisor refuses what has to be written, and says so; chats go on; all is well once there is room', async () => {
  const filler = path.join(disk, 'filler');
  await until('the disk is full', async () => {
    const { bavail, bsize } = await statfs(disk);
    if (bavail === 0) return true;
    await writeFile(filler, Buffer.alloc(bavail * bsize), { flag: 'a' });
    return false;
  });
  const { code, stderr } = await bot.botctl('token', 'create', 'personal', 'while-full', { mayFail: true });
  assert.notEqual(code, 0);
  assert.match(stderr, /full/);
  assert.match(await ask(page, 'on a full disk'), /on a full disk/);
  const agent = bot.container('agent', 'personal');
  const pid = await bot.pid(agent);
  process.kill(pid, 'SIGKILL');
  await until('the agent is gone', async () => (await inspect(agent)).State.Pid !== pid);
  await rm(filler);
  await bot.well(120);
  assert.match(await ask(page, 'with room again'), /with room again/);
  await bot.botctl('token', 'create', 'personal', 'with-room');
});
