// Snapshots by the clock: taken while the agent works, one profile after the other, made up for, tried again; what is stale is
// said; the supervisor is killed in the middle of one.

import assert from 'node:assert/strict';
import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Installation } from './lib/installation.mjs';
import { docker, run, until } from './lib/shell.mjs';

let bot;

before(async () => {
  bot = await Installation.create('snapshots');
  await bot.up();
  await bot.well();
});
after(async () => {
  await bot?.remove();
});

/** Sets keys of `[backup]`; `repository` and what else is there stays out. */
function backup(keys) {
  return bot.configure((text) => `${text.replace(/^\[backup\]\n(?:.+\n)*/m, '')}\n[backup]\n${keys}\n`);
}

const list = async (profile) => (await bot.json('backup', 'list', profile)).snapshots;
const jobs = async (profile) => (await bot.json('status')).profiles.find((found) => found.profile === profile).snapshots;
const events = async () => (await bot.botctl('events')).stdout;

test('a profile without any is stale, and the doctor says so; so does nobody copying them away', async () => {
  const { profiles, notes } = await bot.json('status');
  assert.deepEqual(profiles.map(({ snapshots }) => snapshots.stale), [true, true]);
  assert.ok(notes.some((note) => note.includes('no copy of the repositories is known off this host')), JSON.stringify(notes));
  const checks = (await bot.json('doctor')).checks;
  assert.match(checks.find(({ check }) => check === 'snapshots').summary, /2 profiles have no recent one/);
  assert.equal(checks.find(({ check }) => check === 'copies').verdict, 'advice');
  assert.match(await bot.metrics(), /bot_snapshot_stale\{profile="personal"\} 1\.0/);
});

test('what was due is taken, one profile after the other, and is not taken again', async () => {
  // Due last new year: missed, and made up for now, once.
  await backup('schedule = "0 0 1 1 *"\ncopied_off_host = true');
  await until('both have one', async () => (await list('personal')).length === 1 && (await list('ops')).length === 1, 60);
  const [[personal], [ops]] = await Promise.all([list('personal'), list('ops')]);
  for (const { reason, complete } of [personal, ops]) assert.deepEqual({ reason, complete }, { reason: 'scheduled', complete: true });
  await until('nothing is under way', async () => (await bot.json('status')).profiles.every(({ operation }) => !operation));
  const status = await bot.json('status');
  assert.deepEqual(status.profiles.map(({ snapshots }) => snapshots.stale), [false, false]);
  assert.ok(!status.notes.some((note) => note.includes('off this host')), 'it was acknowledged');
  const [first, second] = status.profiles.map(({ snapshots }) => snapshots.jobs.snapshot).sort((a, b) => a.began_at - b.began_at);
  assert.ok(first.ended_at <= second.began_at, 'not at the same moment');
  assert.match(await events(), /snapshot [0-9a-f]{8} of personal \(scheduled\)/);
  assert.match(await events(), /personal has a fresh snapshot again/);
  assert.match(await bot.metrics(), /bot_snapshot_stale\{profile="personal"\} 0\.0/);
  await bot.startSupervisor();
  await bot.well();
  assert.equal((await list('personal')).length, 1, 'what was made up for is not made up for again');
});

test('a failure is said, counted and tried again, and heals', async () => {
  await backup('copied_off_host = true');
  const repository = path.join(bot.root, 'lib/backups/personal');
  await rename(repository, `${repository}.away`);
  await mkdir(repository);
  await writeFile(path.join(repository, 'config'), 'not a repository');
  await ledger("DELETE FROM snapshot WHERE profile = 'personal'");
  await backup('schedule = "0 0 1 1 *"\ncopied_off_host = true');
  const failed = await until('it failed', async () => {
    const { snapshot } = (await jobs('personal')).jobs;
    return snapshot.failures > 0 && snapshot;
  }, 90);
  assert.ok(failed.error.length > 10, failed.error);
  assert.match((await bot.botctl('status')).stdout, /snapshot failed \d+ times? in a row/);
  assert.equal((await bot.json('doctor')).checks.find(({ check }) => check === 'snapshots').verdict, 'warning');
  await rm(repository, { recursive: true });
  await rename(`${repository}.away`, repository);
  await until('it was tried again', async () => {
    const { snapshot } = (await jobs('personal')).jobs;
    return snapshot.failures === 0 && !snapshot.error && snapshot.done_at > failed.ended_at;
  }, 90);
  assert.equal((await jobs('personal')).stale, false, 'what was in the repository is known again');
});

test('old ones are forgotten, as the configuration says', async () => {
  await bot.botctl('backup', 'now', 'personal');
  await bot.botctl('backup', 'now', 'personal');
  assert.ok((await list('personal')).length >= 3);
  await backup('schedule = "0 0 1 1 *"\nkeep = { daily = 1 }\ncopied_off_host = true');
  const { prune } = await until('it was pruned', async () => {
    const found = (await jobs('personal')).jobs;
    return found.prune?.done_at && found;
  }, 60);
  assert.match(prune.outcome, /snapshots forgotten, 1 kept/);
  assert.equal((await list('personal')).length, 1);
  await restic('check', '--read-data');
});

test('a check without and with all data; one flipped bit is found, named and remembered', async () => {
  assert.match((await bot.botctl('backup', 'check', 'personal')).stdout, /personal: sound, 1 snapshot; the data was not read/);
  assert.match((await bot.botctl('backup', 'check', 'personal', '--read-data')).stdout, /sound, 1 snapshot; every byte was read/);
  const { stdout } = await run('sh', ['-c', `find ${bot.root}/lib/backups/personal/data -type f -printf '%s %p\\n' | sort -n | tail -1 | cut -d' ' -f2`]);
  const pack = stdout.trim();
  await flip(pack);
  const found = await bot.botctl('backup', 'check', 'personal', '--read-data', { mayFail: true });
  assert.equal(found.code, 1);
  assert.match(found.stdout, new RegExp(path.basename(pack).slice(0, 8)));
  assert.match((await bot.botctl('status')).stdout, /check failed 1 time in a row/);
  assert.equal((await bot.json('doctor')).checks.find(({ check }) => check === 'snapshots').verdict, 'warning');
  await flip(pack);
  await bot.botctl('backup', 'check', 'personal', '--read-data');
  assert.equal((await jobs('personal')).jobs.check.error, null);
});

/** Every step of a snapshot by the clock, as the status shows it; the words of one are there until the next begin. */
const STEPS = [
  'the repository is looked at',
  'the agent makes a consistent copy',
  'the copy goes into the repository',
  'checking the database',
  'reading 1 file',
  'writing to the repository',
];

test('kill -9 of the supervisor at six moments: it is made again, whole, and no task is left', async (t) => {
  // So large that each step takes a moment.
  const volume = await docker('volume', 'inspect', '-f', '{{.Mountpoint}}', `${bot.name}-personal-state`);
  const workspace = path.join(volume, 'current/workspace');
  await run('sh', ['-c', `head -c 16000000 /dev/urandom > ${workspace}/large.bin && chown --reference=${workspace} ${workspace}/large.bin`]);
  const met = new Set();
  for (const [index, step] of STEPS.entries()) {
    await forget('personal');
    await backup('schedule = "0 0 1 1 *"\nstale_after = "31d"\ncopied_off_host = true');
    // A step that is over before anybody looks is met at one after it.
    const at = await seen(STEPS.slice(index));
    process.kill(await bot.supervisorPid(), 'SIGKILL');
    met.add(at);
    const open = await ledger(`SELECT count(*) FROM backup_job WHERE profile = 'personal' AND kind = 'snapshot' AND ended_at IS NULL`);
    t.diagnostic(`${step}: killed at "${at}", ${open === '1' ? 'unfinished in the ledger' : 'finished just before'}`);
    await bot.startSupervisor();
    await until(`after ${step} a whole one is there`, async () => (await list('personal')).some(({ complete }) => complete), 60);
    await until('nothing is under way', async () => (await bot.json('status')).profiles.every(({ operation }) => !operation));
    const all = await list('personal');
    assert.ok(all.length <= 2 && all.filter(({ complete }) => complete).length === 1, JSON.stringify(all));
    const { snapshot } = (await jobs('personal')).jobs;
    assert.deepEqual([snapshot.failures, snapshot.error], [0, null]);
    assert.equal(await docker('ps', '-aq', '--filter', `name=^${bot.name}-personal-snapshot`), '', 'no task is left');
  }
  assert.ok(met.size >= 3, [...met].join(', '));
  assert.match((await restic('check', '--read-data')).stdout, /no errors were found/);
});

/** Stock restic on the profile's repository. */
function restic(...args) {
  const env = { ...process.env, RESTIC_PASSWORD_FILE: path.join(bot.root, 'etc/secrets/backup-personal') };
  return run('restic', ['--no-cache', '-r', path.join(bot.root, 'lib/backups/personal'), ...args], { env });
}

/** Flips one bit in the middle of a file. */
async function flip(file) {
  const handle = await open(file, 'r+');
  const at = Math.floor((await handle.stat()).size / 2);
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, at);
  await handle.write(Buffer.of(buffer[0] ^ 1), 0, 1, at);
  await handle.close();
}

/** The supervisor and the repository know of no snapshot any more. */
async function forget(profile) {
  await backup('copied_off_host = true');
  await run('sh', ['-c', `rm -rf ${bot.root}/lib/backups/${profile}/* && true`]);
  await ledger(`DELETE FROM snapshot WHERE profile = '${profile}'`);
}

async function ledger(statement) {
  const script = 'import sqlite3, sys\nd = sqlite3.connect(sys.argv[1], timeout=10)\nr = d.execute(sys.argv[2]).fetchone()\nd.commit()\nprint(r[0] if r else "")';
  return (await run('python3', ['-c', script, path.join(bot.root, 'lib/supervisor.db'), statement])).stdout.trim();
}

/** Looks at the status as fast as it can until the operation is at one of these steps; says at which, or that it was over. */
async function seen(steps) {
  const words = new RegExp(`^(${steps.map((step) => step.replace(/\d+ file/, '\\d+ files?')).join('|')})`);
  const socket = path.join(bot.root, 'run/supervisor.sock');
  const script = `
import http.client, json, re, socket, sys, time
class C(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX); self.sock.connect(sys.argv[1])
end, began = time.monotonic() + 40, False
c = C('localhost')
while time.monotonic() < end:
    c.request('GET', '/v1/status', headers={'host': 'localhost'})
    p = next(p for p in json.loads(c.getresponse().read())['profiles'] if p['profile'] == 'personal')
    if p['operation'] and re.match(sys.argv[2], p['operation']['progress']):
        print(p['operation']['progress']); break
    began = began or bool(p['operation'])
    if began and not p['operation']:
        break
`;
  return (await run('python3', ['-c', script, socket, words.source], { seconds: 60 })).stdout.trim() || 'over';
}
