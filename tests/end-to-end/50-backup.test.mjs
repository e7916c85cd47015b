// Snapshots of a profile in use; restore into a folder and into the profile; the stock restic reads them.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { device, launch } from './lib/browser.mjs';
import { Installation } from './lib/installation.mjs';
import { run, until } from './lib/shell.mjs';
import { ask, pair, say } from './lib/talk.mjs';

let bot;
let browser;
let page;

before(async () => {
  bot = await Installation.create('backup');
  await bot.up();
  browser = await launch(); // After the bridges are there: Chromium drops requests when the host's networks change.
  page = await device(browser);
  await pair(page, await bot.link('personal'));
  await ask(page, 'remember the blue door');
});
after(async () => {
  await browser?.close();
  await bot?.remove();
});

test('a snapshot is taken while an answer is being written', async () => {
  await say(page, '/slow 60');
  await until('the answer began', async () => (await page.locator('running-turn .body').innerText()).length > 20);
  await bot.botctl('backup', 'now', 'personal');
  await page.locator('running-turn').waitFor({ state: 'detached', timeout: 60_000 });
  const { snapshots } = await bot.json('backup', 'list', 'personal');
  assert.equal(snapshots.length, 1);
  assert.equal(snapshots[0].complete, true);
});

test('it restores into a folder', async () => {
  const folder = path.join(bot.root, 'copy');
  await bot.botctl('backup', 'restore', 'personal', 'latest', '--to', folder);
  const database = await readFile(path.join(folder, 'agent.db'));
  assert.ok(database.includes('remember the blue door'));
});

test('the stock restic lists, checks and restores it', async () => {
  const env = { ...process.env, RESTIC_PASSWORD_FILE: path.join(bot.root, 'etc/secrets/backup-personal') };
  const restic = (...args) => run('restic', ['--no-cache', '-r', path.join(bot.root, 'lib/backups/personal'), ...args], { env });
  assert.equal(JSON.parse((await restic('snapshots', '--json')).stdout).length, 1);
  assert.match((await restic('check', '--read-data')).stdout, /no errors were found/);
  await restic('restore', 'latest', '--target', path.join(bot.root, 'by-restic'));
  assert.ok((await readFile(path.join(bot.root, 'by-restic/state/agent.db'))).includes('remember the blue door'));
});

test('it restores into the profile: what came later is gone, what was there is back, devices stay paired', async () => {
  await ask(page, 'said after the snapshot');
  await bot.botctl('backup', 'restore', 'personal', 'latest', '--yes');
  await bot.well();
  await page.reload();
  await page.locator('chat-message').getByText('remember the blue door').first().waitFor();
  assert.equal(await page.locator('chat-message').getByText('said after the snapshot').count(), 0);
  assert.match(await ask(page, 'after the restore'), /after the restore/);
  const { snapshots } = await bot.json('backup', 'list', 'personal');
  assert.ok(snapshots.some(({ reason }) => reason === 'before-restore'), 'a safety snapshot was taken');
});

test('another profile refuses it', async () => {
  const { snapshots } = await bot.json('backup', 'list', 'personal');
  const refused = await bot.botctl('backup', 'restore', 'ops', snapshots[0].id, '--yes', { mayFail: true });
  assert.notEqual(refused.code, 0);
});
