// The ledger is lost, damaged, or put back from an older copy: the installation stays what it is, and lets nobody in unasked.

import assert from 'node:assert/strict';
import { copyFile, mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { device, launch } from './lib/browser.mjs';
import { Installation } from './lib/installation.mjs';
import { until } from './lib/shell.mjs';
import { ask, pair } from './lib/talk.mjs';

let bot;
let browser;
let page;

const state = (...names) => path.join(bot.root, 'lib', ...names);

before(async () => {
  bot = await Installation.create('ledger');
  await bot.up();
  browser = await launch();
  page = await device(browser);
  await pair(page, await bot.link('personal'));
  assert.match(await ask(page, 'before all of it'), /before all of it/);
});
after(async () => {
  await browser?.close();
  await bot?.remove();
});

async function stopSupervisor() {
  const pid = await bot.supervisorPid();
  process.kill(pid, 'SIGTERM');
  const isGone = () => readFile(`/proc/${pid}/stat`, 'utf8').then((text) => text.split(') ')[1].startsWith('Z'), () => true);
  await until('the supervisor has stopped', isGone, 40);
}

/** Files of the ledger, wherever SQLite left them. */
async function ledgerFiles() {
  return (await readdir(state())).filter((name) => /^supervisor\.db(-wal|-shm)?$/.test(name));
}

/** Replaces the agent of personal by its next generation. */
async function rollOut(memory) {
  await bot.configure((text) => text.replace(/\[profile\.personal\]\n(memory = .*\n)?/, `[profile.personal]\nmemory = "${memory}"\n`));
  await bot.well();
}

/** Starts the supervisor over what was done to its ledger: every container goes on, and it is said. */
async function recovered(sentence) {
  const before = await bot.ids();
  await bot.startSupervisor();
  await bot.well();
  assert.deepEqual(await bot.ids(), before, 'no container was replaced');
  const { stdout } = await bot.botctl('events');
  assert.match(stdout, sentence);
  assert.match((await bot.botctl('status')).stdout, /botctl --root \S+ open personal/);
  const { devices } = await bot.json('device', 'list', 'personal');
  assert.equal(devices.filter((known) => !known.revoked_at).length, 0, 'nobody has access');
  await page.goto('about:blank');
  await pair(page, await bot.link('personal'));
  await page.getByText('before all of it').first().waitFor();
  assert.match(await ask(page, 'here again'), /here again/);
  assert.doesNotMatch((await bot.botctl('status')).stdout, /botctl --root \S+ open personal/);
}

test('a ledger that was moved away', async () => {
  await until('there is a copy', () => stat(state('supervisor.db.copy')).then(() => true, () => false));
  await stopSupervisor();
  await mkdir(state('lost'));
  for (const name of await ledgerFiles()) await rename(state(name), state('lost', name));
  await recovered(/recovered from its copy: it was missing/);
});

test('a ledger and a copy that are both gone: the file beside them is enough', async () => {
  await stopSupervisor();
  for (const name of [...(await ledgerFiles()), 'supervisor.db.copy']) await rename(state(name), state('lost', `${name}.2`));
  await recovered(/recovered from supervisor\.id, without a copy: it was missing/);
});

test('a damaged ledger is kept under another name', async () => {
  await stopSupervisor();
  const bytes = await readFile(state('supervisor.db'));
  await writeFile(state('supervisor.db'), bytes.fill(0xa5, bytes.length / 2));
  await recovered(/recovered from its copy: it was damaged/);
  assert.ok((await readdir(state())).some((name) => /^supervisor\.db\.damaged-\d+$/.test(name)));
});

test('an older ledger, with and without the file that tells', async () => {
  await stopSupervisor();
  for (const name of ['supervisor.db', 'supervisor.id']) await copyFile(state(name), state('lost', `${name}.old`));
  await bot.startSupervisor();
  await bot.well();
  // The agent that runs is two generations younger than what was kept.
  for (const memory of ['300 MiB', '320 MiB']) await rollOut(memory);
  await bot.link('personal');
  await stopSupervisor();
  await copyFile(state('lost', 'supervisor.db.old'), state('supervisor.db'));
  await recovered(/an older copy of the ledger was put back/);

  await stopSupervisor();
  for (const name of ['supervisor.db', 'supervisor.id']) await copyFile(state('lost', `${name}.old`), state(name));
  await recovered(/the ledger is older than what runs \(generation \d+ of personal\)/);
  assert.match((await bot.botctl('events')).stdout, /adopt personal\/agent/);
  // What everybody was told by a ledger that is gone is overtaken, and the next rollout is newer than all.
  await rollOut('340 MiB');
  assert.match(await ask(page, 'after all of it'), /after all of it/);
});
