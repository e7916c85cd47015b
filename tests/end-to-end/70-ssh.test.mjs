// Remote administration: a member of bot-admin over a real SSH login, and somebody who is not.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Installation } from './lib/installation.mjs';
import { freePort, run, until } from './lib/shell.mjs';

const member = `botm${process.pid}`;
const stranger = `bots${process.pid}`;
let bot;
let sshd;
let port;
let madeGroup = false;

before(async () => {
  madeGroup = (await run('getent', ['group', 'bot-admin'], { mayFail: true })).code !== 0;
  if (madeGroup) await run('groupadd', ['--system', 'bot-admin']);
  bot = await Installation.create('ssh');
  await bot.up();
  await run('useradd', ['--no-create-home', '--home-dir', '/', '--shell', '/bin/sh', '--password', '*', '--groups', 'bot-admin', member]);
  await run('useradd', ['--no-create-home', '--home-dir', '/', '--shell', '/bin/sh', '--password', '*', stranger]);
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path.join(bot.root, 'host-key')]);
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path.join(bot.root, 'client-key')]);
  await mkdir('/run/sshd', { recursive: true });
  await chmod(bot.root, 0o755);
  const keys = path.join(bot.root, 'authorized-keys');
  await writeFile(keys, await readFile(path.join(bot.root, 'client-key.pub')), { mode: 0o644 });
  port = await freePort();
  const options = { ListenAddress: '127.0.0.1', Port: port, HostKey: path.join(bot.root, 'host-key'), AuthorizedKeysFile: keys, StrictModes: 'no',
    PasswordAuthentication: 'no', KbdInteractiveAuthentication: 'no', UsePAM: 'no', PidFile: 'none', AllowUsers: `${member} ${stranger}` };
  const file = path.join(bot.root, 'sshd_config');
  await writeFile(file, Object.entries(options).map(([key, value]) => `${key} ${value}\n`).join(''));
  sshd = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', file], { stdio: 'ignore' });
  await until('sshd answers', async () => (await login(member, 'true')).code === 0);
});
after(async () => {
  sshd?.kill();
  for (const user of [member, stranger]) await run('userdel', [user], { mayFail: true });
  await bot?.remove();
  if (madeGroup) await run('groupdel', ['bot-admin']);
});

function login(user, command) {
  const options = ['-o', 'BatchMode=yes', '-o', 'StrictHostKeyChecking=no', '-o', `UserKnownHostsFile=${path.join(bot.root, 'known-hosts')}`, '-o', 'LogLevel=ERROR'];
  return run('ssh', [...options, '-i', path.join(bot.root, 'client-key'), '-p', String(port), `${user}@127.0.0.1`, command], { mayFail: true, seconds: 60 });
}

const botctl = (words) => `${bot.root}/lib/bin/botctl --root ${bot.root} ${words}`;

test('a member of bot-admin sees status, health, logs and events, without a terminal', async () => {
  for (const words of ['status', 'health', 'logs personal/agent', 'events', 'doctor', 'plan']) {
    const { code, stdout, stderr } = await login(member, botctl(words));
    assert.equal(code, 0, `${words}: ${stdout}${stderr}`);
    assert.doesNotMatch(stdout, /\u001b/, 'no colours where there is no terminal');
  }
  assert.match((await login(member, botctl('status'))).stdout, /personal\/agent/);
  assert.equal(JSON.parse((await login(member, botctl('status --json'))).stdout).schema.startsWith('bot-platform.status'), true);
});

test('somebody else is refused with what to do', async () => {
  const { code, stderr } = await login(stranger, botctl('status'));
  assert.equal(code, 69);
  assert.match(stderr, /bot-admin/);
  assert.equal(stderr.trim().split('\n').length, 1, stderr);
});
