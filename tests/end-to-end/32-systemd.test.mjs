// The unit and the two commands under a real systemd: started, watched, killed, stopped, rebooted, removed.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Machine } from './lib/machine.mjs';
import { repository, run, until } from './lib/shell.mjs';

const UNIT = 'bot-supervisor';
const DROP_INS = `/etc/systemd/system/${UNIT}.service.d`;
const CONTAINERS = ['bot-spark', 'bot-backup', ...['personal', 'ops'].flatMap((profile) => [`bot-${profile}-agent`, `bot-${profile}-gate`])].sort();

let machine;
let binaries;
let token;

const up = () => machine.run(path.join(repository, 'deploy/up'), ['--binaries', binaries], { seconds: 300 });
const down = (...args) => machine.run(path.join(repository, 'deploy/down'), args, { seconds: 120 });
const well = () => machine.run('botctl', ['health', '--wait', '90']);
const docker = (...args) => machine.read('docker', ...args);
const systemctl = (...args) => machine.run('systemctl', args);
const mainPid = async () => Number((await machine.show(UNIT, 'MainPID')).MainPID);

/** Container name to id: who was replaced shows. */
async function ids() {
  const lines = (await docker('ps', '-a', '--no-trunc', '--format', '{{.Names}} {{.ID}}')).split('\n');
  return Object.fromEntries(lines.filter(Boolean).map((line) => line.split(' ')).sort());
}

/** Container name to the process in it: who was started again shows. */
async function processes() {
  return docker('inspect', '--format', '{{.Name}} {{.State.Pid}}', ...CONTAINERS);
}

const question = (text, stream) => ['-sS', '--no-buffer', '--max-time', '60', '-H', `Authorization: Bearer ${token}`, '-H', 'content-type: application/json',
  '-d', JSON.stringify({ model: 'assistant', stream, messages: [{ role: 'user', content: text }] }), 'http://127.0.0.1:18789/v1/chat/completions'];

async function ask(text) {
  const answer = await machine.read('curl', ...question(text, false));
  assert.ok(JSON.parse(answer).choices[0].message.content.includes(text), answer);
}

/** Changes the unit until the end of one test. */
async function dropIn(t, text) {
  t.after(asShipped);
  await machine.write(`${DROP_INS}/test.conf`, text);
  await systemctl('daemon-reload');
}

async function asShipped() {
  await machine.run('rm', ['-rf', DROP_INS]);
  await systemctl('daemon-reload');
  await systemctl('restart', UNIT);
  await well();
}

before(async () => {
  const build = '. deploy/lib/say.sh; . deploy/lib/engine.sh; . deploy/lib/build.sh; build_binaries >&2; binaries_folder';
  binaries = process.env.BOT_TEST_BINARIES ?? (await run('bash', ['-c', build], { seconds: 1200 })).stdout.trim();
  machine = await Machine.boot('systemd', [repository, binaries]);
  await up();
  token = JSON.parse(await machine.read('botctl', 'token', 'create', 'personal', 'test', '--json')).token;
});
after(() => machine?.remove());

test('up starts the engine, installs the unit, enables it, and everything is well', async () => {
  const unit = await machine.show(UNIT, 'ActiveState', 'SubState', 'UnitFileState', 'Type', 'NRestarts', 'MemoryMax', 'TasksMax', 'WatchdogUSec');
  assert.deepEqual(unit, { ActiveState: 'active', SubState: 'running', UnitFileState: 'enabled', Type: 'notify', NRestarts: '0', MemoryMax: String(128 << 20), TasksMax: '64', WatchdogUSec: '30s' });
  assert.equal((await machine.show('docker', 'ActiveState')).ActiveState, 'active');
  assert.deepEqual(await machine.show(UNIT, 'StatusText'), { StatusText: 'all is well: 6 containers are ready' });
  assert.deepEqual(Object.keys(await ids()), CONTAINERS);
  assert.equal(await machine.read('readlink', '/usr/local/bin/botctl'), '/var/lib/bot-platform/bin/botctl');
  await ask('hello');
});

test('up again changes nothing, not even the process', async () => {
  const before = [await ids(), await mainPid()];
  await up();
  assert.deepEqual([await ids(), await mainPid()], before);
});

test('up brings an older unit to what it is now, and restarts the supervisor under it', async () => {
  const unit = `/etc/systemd/system/${UNIT}.service`;
  const [shipped, containers, pid] = [await machine.read('cat', unit), await ids(), await mainPid()];
  await machine.run('sed', ['-i', '/^LimitCORE=/d', unit]);
  await up();
  assert.equal(await machine.read('cat', unit), shipped);
  assert.notEqual(await mainPid(), pid);
  assert.deepEqual(await ids(), containers);
});

test('the unit is active when the supervisor says that it is ready, not before', async (t) => {
  // Who waits for the start may use it at once.
  await machine.run('sh', ['-c', `systemctl restart ${UNIT} && botctl status`]);
  // It stops itself before it is the supervisor.
  await dropIn(t, "[Service]\nExecStart=\nExecStart=/bin/sh -c 'kill -STOP $$$$; exec /var/lib/bot-platform/bin/bot-supervisor'\n");
  await systemctl('stop', UNIT);
  await systemctl('start', '--no-block', UNIT);
  const pid = await until('it stopped itself', async () => {
    const main = await mainPid();
    return main && /^State:\s+T/m.test(await machine.read('cat', `/proc/${main}/status`)) && main;
  });
  assert.equal((await machine.show(UNIT, 'ActiveState')).ActiveState, 'activating');
  await machine.run('kill', ['-CONT', String(pid)]);
  await until('it is active', async () => (await machine.show(UNIT, 'ActiveState')).ActiveState === 'active');
  await machine.read('botctl', 'status');
});

test('reload applies the files', async () => {
  const pid = await mainPid();
  await machine.run('sed', ['-i', 's/^title = "Ops"/title = "Operations"/', '/etc/bot-platform/platform.toml']);
  await systemctl('reload', UNIT);
  await until('it is in force', async () => /Operations/.test(await machine.read('cat', '/var/lib/bot-platform/accepted.json')));
  assert.equal(await mainPid(), pid);
  await well();
});

test('kill -9 of the supervisor: systemd starts it again, the chat goes on, no container is touched', async () => {
  const before = [await ids(), await processes()];
  const pid = await mainPid();
  const chat = await machine.spawn('curl', ...question('/slow 80', true));
  let answer = '';
  chat.stdout.on('data', (data) => (answer += data));
  const ended = once(chat, 'close');
  await until('the answer began', () => answer.split('\n').length > 10);
  await machine.run('kill', ['-9', String(pid)]);
  await until('another runs', async () => ![0, pid].includes(await mainPid()));
  await ended;
  assert.match(answer, /"finish_reason":"stop"[^]*\[DONE\]/);
  await well();
  assert.equal((await machine.show(UNIT, 'NRestarts')).NRestarts, '1');
  assert.deepEqual([await ids(), await processes()], before);
});

test('a supervisor that hangs (SIGSTOP) is killed by the watchdog and started again; nothing of its memory is kept', async (t) => {
  const before = [await ids(), await processes()];
  await dropIn(t, '[Service]\nWatchdogSec=8\n');
  await systemctl('restart', UNIT);
  const pid = await mainPid();
  assert.match(await machine.read('cat', `/proc/${pid}/limits`), /^Max core file size +0 +0 /m);
  await machine.run('kill', ['-STOP', String(pid)]);
  await ask('while it hangs');
  await until('another runs', async () => ![0, pid].includes(await mainPid()), 30);
  assert.match(await machine.read('journalctl', '--no-pager', '-u', UNIT, '-o', 'cat'), /Watchdog timeout[^]*Failed with result 'watchdog'/);
  await well();
  assert.deepEqual([await ids(), await processes()], before);
});

test('stop leaves containers, their sockets and chats as they are; start adopts them', async () => {
  const before = [await ids(), await processes(), await machine.read('findmnt', '-rno', 'TARGET', '-R', '/run')];
  await systemctl('stop', UNIT);
  assert.deepEqual([await ids(), await processes(), await machine.read('findmnt', '-rno', 'TARGET', '-R', '/run')], before);
  await ask('without a supervisor');
  const { stderr } = await machine.run('botctl', ['status'], { mayFail: true });
  assert.match(stderr, /systemctl start bot-supervisor/);
  await systemctl('start', UNIT);
  await well();
  assert.deepEqual([await ids(), await processes()], before.slice(0, 2));
});

test('a configuration that was never good is said and not tried again and again', async () => {
  await systemctl('stop', UNIT);
  await machine.run('sh', ['-c', 'cd /var/lib/bot-platform && mv accepted.json /run/ && cp -p /etc/bot-platform/platform.toml /run/ && echo nonsense >>/etc/bot-platform/platform.toml']);
  assert.notEqual((await machine.run('systemctl', ['start', UNIT], { mayFail: true })).code, 0);
  assert.deepEqual(await machine.show(UNIT, 'ActiveState', 'ExecMainStatus', 'NRestarts'), { ActiveState: 'failed', ExecMainStatus: '64', NRestarts: '0' });
  await ask('without a configuration');
  await machine.run('sh', ['-c', 'mv /run/platform.toml /etc/bot-platform/ && mv /run/accepted.json /var/lib/bot-platform/']);
  await systemctl('start', UNIT);
  await well();
});

test('a restart of Docker leaves the supervisor, and every container is started again', async () => {
  const before = [await ids(), await mainPid()];
  await systemctl('restart', 'docker');
  await well();
  assert.deepEqual([await ids(), await mainPid()], before);
  await ask('after Docker');
});

test('what the unit takes away is away, and what the platform needs is there', async (t) => {
  // The attempts run as a part of the unit, with everything that it is denied; the same attempts succeed outside.
  const attempts = {
    'a packet to another address': 'gateway=$(docker network inspect bridge --format "{{(index .IPAM.Config 0).Gateway}}") && echo x >/dev/udp/$gateway/9',
    'a mount namespace': 'unshare --mount true',
    'a netlink socket': 'ip link show lo',
    'a device': 'mknod /run/attempt-device c 1 3',
    'another user': 'setpriv --reuid 65534 --clear-groups true',
  };
  const script = Object.entries(attempts).map(([what, attempt]) => `if ( ${attempt} ) >/dev/null 2>&1; then echo "done: ${what}"; else echo "denied: ${what}"; fi; rm -f /run/attempt-device`).join('\n');
  await machine.write('/run/attempts', `${script}\n`);
  const lines = (verdict) => Object.keys(attempts).map((what) => `${verdict}: ${what}`);
  assert.deepEqual((await machine.read('bash', '/run/attempts')).split('\n'), lines('done'));
  await dropIn(t, "[Service]\nExecStartPre=/bin/bash -c 'bash /run/attempts >/run/attempted'\n");
  await systemctl('restart', UNIT);
  assert.deepEqual((await machine.read('cat', '/run/attempted')).split('\n'), lines('denied'));

  const status = await machine.read('cat', `/proc/${await mainPid()}/status`);
  assert.match(status, /^NoNewPrivs:\s+1$/m);
  assert.match(status, /^Seccomp:\s+2$/m);
  assert.match(status, /^CapEff:\s+000000000020001b$/m);
  // No mount namespace of its own: dockerd sees its mounts.
  assert.equal(await machine.read('readlink', `/proc/${await mainPid()}/ns/mnt`), await machine.read('readlink', '/proc/1/ns/mnt'));
  await machine.run('systemd-analyze', ['security', '--no-pager', '--threshold=45', UNIT]);
  const { checks } = JSON.parse(await machine.read('botctl', 'doctor', '--security', '--json'));
  assert.deepEqual(checks.filter(({ verdict }) => verdict === 'problem'), []);
  await machine.read('botctl', 'backup', 'now', 'personal');
});

test('the socket is for root and the group bot-admin', async () => {
  await machine.run('useradd', ['-G', 'bot-admin', 'administrator']);
  await machine.run('useradd', ['stranger']);
  assert.equal(await machine.read('stat', '-c', '%U %G %a', '/run/bot-platform/supervisor.sock'), 'root bot-admin 660');
  await machine.run('runuser', ['-u', 'administrator', '--', 'botctl', 'status']);
  assert.notEqual((await machine.run('runuser', ['-u', 'stranger', '--', 'botctl', 'status'], { mayFail: true })).code, 0);
});

test('after a reboot everything comes up by itself, with the same containers', async () => {
  const before = await ids();
  await machine.reboot();
  await well();
  assert.deepEqual(await ids(), before);
  await ask('after a reboot');
});

test('down stays down over a reboot; up brings the state back', async () => {
  await down();
  assert.deepEqual(await ids(), {});
  await machine.reboot();
  assert.deepEqual(await machine.show(UNIT, 'ActiveState', 'UnitFileState'), { ActiveState: 'inactive', UnitFileState: 'disabled' });
  await up();
  await ask('with the token from before');
});

test('purge removes everything', async () => {
  await down('--purge', '--yes');
  assert.equal((await machine.show(UNIT, 'LoadState')).LoadState, 'not-found');
  assert.deepEqual(await ids(), {});
  assert.equal(await docker('volume', 'ls', '-q'), '');
  assert.equal(await docker('network', 'ls', '-q', '--filter', 'name=^bot'), '');
  assert.doesNotMatch(await machine.read('findmnt', '-rno', 'TARGET'), /bot-platform/);
  const files = [`/etc/systemd/system/${UNIT}.service`, `/etc/systemd/system/multi-user.target.wants/${UNIT}.service`, '/usr/local/bin/botctl',
    '/etc/bot-platform', '/var/lib/bot-platform', '/run/bot-platform'];
  for (const file of files) assert.equal(await machine.exists(file), false, file);
  await down('--purge', '--yes'); // Nothing is there to remove, and that is fine.
});
