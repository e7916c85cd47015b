// The supervisor under faults: killed, containers crashed, wedged, changed by hand; strangers beside it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { device, launch } from './lib/browser.mjs';
import { Installation } from './lib/installation.mjs';
import { docker, inspect, run, until } from './lib/shell.mjs';
import { ask, pair, say } from './lib/talk.mjs';

let bot;
let browser;
let page;

before(async () => {
  bot = await Installation.create('faults');
  await bot.up();
  browser = await launch(); // After the bridges are there: Chromium drops requests when the host's networks change.
  page = await device(browser);
  await pair(page, await bot.link('personal'));
});
after(async () => {
  await browser?.close();
  await docker('rm', '-f', `${bot.name}-stranger`).catch(() => {});
  await bot?.remove();
});

test('kill -9 of the supervisor disturbs no chat, and the next one adopts everything', async () => {
  const before = await bot.ids();
  await say(page, '/slow 80');
  await until('the answer began', async () => (await page.locator('running-turn .body').innerText()).length > 20);
  process.kill(await bot.supervisorPid(), 'SIGKILL');
  await page.locator('running-turn').waitFor({ state: 'detached', timeout: 60_000 });
  assert.equal(await page.locator('chat-message.bot .note').count(), 0, 'the answer is whole');
  assert.match(await ask(page, 'without a supervisor'), /without a supervisor/);
  await bot.startSupervisor();
  await bot.well();
  assert.deepEqual(await bot.ids(), before);
});

test('a second supervisor of the same installation is refused and says who runs', async () => {
  const second = await run(`${bot.root}/lib/bin/bot-supervisor`, ['--root', bot.root], { mayFail: true, seconds: 20 });
  assert.notEqual(second.code, 0);
  assert.match(second.stderr + second.stdout, /another supervisor \(process \d+\) runs this installation/);
});

for (const role of ['agent', 'gate', 'spark', 'backup']) {
  test(`a crashed ${role} is started again`, async () => {
    const name = bot.container(role, ['agent', 'gate'].includes(role) ? 'ops' : undefined);
    const pid = await bot.pid(name);
    process.kill(pid, 'SIGKILL');
    await bot.containerUntil('runs again', name, ({ State }) => State.Running && State.Pid !== pid, 30);
    await bot.well();
  });
}

test('a wedged agent (SIGSTOP) counts as dead and is started again', async () => {
  const name = bot.container('agent', 'ops');
  const pid = await bot.pid(name);
  process.kill(pid, 'SIGSTOP');
  await bot.containerUntil('runs again', name, ({ State }) => State.Running && State.Pid !== pid, 60);
  await bot.well();
});

// One container each: repairs of the same one wait longer and longer.
const drifts = {
  'a memory limit': ['gate', 'ops', (name) => docker('update', '--memory', '64m', '--memory-swap', '64m', name)],
  'a processor limit': ['gate', 'personal', (name) => docker('update', '--cpus', '0.1', name)],
  'a restart policy': ['agent', 'personal', (name) => docker('update', '--restart', 'always', name)],
};
for (const [what, [role, profile, change]] of Object.entries(drifts)) {
  test(`${what} that somebody changed by hand is repaired`, async () => {
    const name = bot.container(role, profile);
    const { HostConfig: wanted } = await inspect(name);
    await change(name);
    const same = ({ HostConfig, State }) => State.Running && HostConfig.Memory === wanted.Memory && HostConfig.NanoCpus === wanted.NanoCpus && HostConfig.RestartPolicy.Name === 'no';
    await until('it is as desired', async () => same(await inspect(name)), 90);
    await bot.well();
  });
}

test('a container that was removed by hand comes back; a stranger is left alone', async () => {
  const image = (await inspect(bot.container('backup'))).Image;
  // Our own image, our own name prefix, but not our label; it ends at once, for it has no sockets to bind.
  await docker('run', '--name', `${bot.name}-stranger`, '--network', 'none', image).catch(() => {});
  const stranger = await inspect(`${bot.name}-stranger`);
  await docker('rm', '-f', bot.container('spark'));
  await bot.containerUntil('is back', bot.container('spark'), ({ State }) => State.Running, 30);
  await bot.well();
  assert.deepEqual(await inspect(`${bot.name}-stranger`), stranger);
});

test('the chat went through all of this', async () => {
  assert.match(await ask(page, 'still there?'), /still there\?/);
});
