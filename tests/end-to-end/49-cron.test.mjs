// Jobs by the clock: at their time and by hand, to the page and to a chat, over the death of the agent; told when they are in trouble.

import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { device, launch } from './lib/browser.mjs';
import { Installation } from './lib/installation.mjs';
import { docker, until } from './lib/shell.mjs';
import { assertQuiet, pair } from './lib/talk.mjs';
import { Telegram } from './lib/telegram.mjs';

const TOKEN = '110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw';
const [ANNA, STRANGER] = [1001, 2002];

let bot;
let chat;
let browser;

before(async () => {
  bot = await Installation.create('cron');
  await bot.up();
  browser = await launch();
  chat = await Telegram.start(bot.container('gate', 'personal'), TOKEN);
  await bot.botctl('secret', 'set', 'chat-token', { input: TOKEN });
  await bot.configure((text) => text + configuration());
  await bot.well();
});
after(async () => {
  await browser?.close();
  chat?.stop();
  await bot?.remove();
});

const configuration = () => `
[profile.personal.upstream.chat]
preset = "telegram"
url = "${chat.url}"
networks = ["${chat.address}/32"]
token = { secret = "chat-token" }

[profile.personal.channel.chat]
kind = "loopback"
senders = "pairing"
allow = [${ANNA}]

[profile.personal.bot.assistant.cron.tick]
every = "10s"
prompt = "What time is it?"

[profile.personal.bot.assistant.cron.recap]
schedule = "0 0 1 1 *"
timezone = "Europe/Berlin"
prompt = "Say what happened."
deliver = { channel = "chat", chat = ${ANNA} }

[profile.personal.bot.assistant.cron.stray]
schedule = "0 0 1 1 *"
prompt = "Say it to nobody."
deliver = { channel = "chat", chat = ${STRANGER} }
`;

const job = async (name) => (await bot.json('cron', 'list', 'personal')).jobs.find((status) => status.job.name === name);
const runs = async (name) => (await bot.json('cron', 'history', 'personal', `assistant/${name}`)).runs;
/** Waits for a run with this outcome that was fired after `since`. */
const ended = (name, since = 0) => until(`a run of ${name}`, async () => (await runs(name)).find((run) => run.fired_at > since && run.finished_at), 60);

test('a job in steps of seconds runs by itself, and goes on after the agent was killed', async () => {
  const first = await ended('tick');
  assert.deepEqual([first.cause, first.outcome, first.delivery, first.attempts, first.ticks], ['schedule', 'completed', 'delivered', 1, 1]);
  assert.equal(first.due % 10_000, 0, 'counted from 1970');
  assert.ok(first.due <= first.fired_at && first.fired_at <= first.finished_at && first.finished_at <= first.delivered_at);
  const since = Date.now();
  await docker('kill', bot.container('agent', 'personal'));
  await ended('tick', since);
  const all = (await runs('tick')).toReversed();
  const due = all.flatMap((run) => Array.from({ length: run.ticks }, (_, n) => run.due - n * 10_000)).sort((a, b) => a - b);
  assert.equal(new Set(due).size, due.length, `no due time twice: ${JSON.stringify(all)}`);
  for (const [n, at] of due.entries()) assert.equal(at, due[0] + n * 10_000, 'none is left out');
  const session = (await bot.json('session', 'list', 'personal')).sessions.filter(({ title }) => title === 'tick');
  assert.equal(session.length, 1, 'all of them in one session');
  await bot.botctl('cron', 'pause', 'personal', 'assistant/tick');
  const paused = await bot.botctl('cron', 'list', 'personal');
  assert.match(paused.stdout, /assistant\/tick +every 10s +paused/);
});

test('a job by hand reaches its chat, once', async () => {
  await chat.heard(ANNA, 'Good evening');
  const greeted = (await chat.sentTo(ANNA, 1)).length;
  const told = await bot.botctl('cron', 'run', 'personal', 'assistant/recap');
  assert.match(told.stdout, /assistant\/recap of personal runs/);
  const run = await until('it is delivered', async () => (await runs('recap')).find(({ delivery }) => delivery === 'delivered'));
  assert.deepEqual([run.cause, run.outcome], ['asked', 'completed']);
  assert.match(run.by, /^operator /);
  const said = (await chat.to(ANNA)).slice(greeted);
  assert.equal(said.length, 1, JSON.stringify(said));
  assert.match(said[0], /Say what happened/);
  const history = await bot.botctl('cron', 'history', 'personal', 'assistant/recap');
  assert.match(history.stdout, /operator \w+ +1 +\S+ +completed +delivered/);
  await docker('restart', '-t', '20', bot.container('agent', 'personal'));
  await bot.well();
  assert.equal((await chat.to(ANNA)).length, greeted + 1, 'a restart sends nothing again');
});

test('what cannot be delivered is told: in status, as an event, as a number', async () => {
  await bot.botctl('cron', 'run', 'personal', 'assistant/stray');
  const run = await until('it is known', async () => (await runs('stray')).find(({ delivery }) => delivery === 'failed'));
  assert.deepEqual([run.outcome, run.delivery_detail], ['completed', 'the gate does not know the chat']);
  await until('status says so', async () => /job assistant\/stray: what the run of .* said was not delivered/.test((await bot.botctl('status')).stdout));
  const events = (await bot.botctl('events', '--json')).stdout.trim().split('\n').map((line) => JSON.parse(line));
  assert.ok(events.some(({ kind, message }) => kind === 'cron' && message.includes('assistant/stray')), JSON.stringify(events.slice(-5)));
  const metrics = await bot.metrics();
  assert.match(metrics, /bot_agent_cron_troubled\{profile="personal"\} 1\.0/);
  assert.match(metrics, /bot_agent_cron_delivered_total\{profile="personal",outcome="failed"\} 1\.0/);
});

test('nobody names what is not there', async () => {
  for (const [what, words] of [['assistant/nothing', /there is no job assistant\/nothing/], ['recap', /a slash and the job/], ['../x', /bot name/]]) {
    const refused = await bot.botctl('cron', 'run', 'personal', what, { mayFail: true });
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, words);
  }
});

test('the page shows the jobs, and runs and pauses them with the scope approve', async () => {
  const page = await device(browser);
  await pair(page, await bot.link('personal'));
  const { devices: [{ id }] } = await bot.json('device', 'list', 'personal');
  await bot.botctl('device', 'scope', 'personal', id, '--set', 'chat');
  await page.goto(`${bot.url('personal')}/cron`);
  const recap = page.locator('#assistant-recap');
  await recap.getByText('Say what happened.').waitFor();
  assert.match(await page.locator('#assistant-stray .alert').innerText(), /not delivered: the gate does not know the chat/);
  const before = (await runs('recap')).length;
  await recap.getByRole('button', { name: 'Run now' }).click();
  await page.getByText('Only a browser with the scope approve').waitFor();
  assert.equal((await runs('recap')).length, before, 'it was not run');

  await bot.botctl('device', 'scope', 'personal', id, '--set', 'chat,approve');
  await page.goto(`${bot.url('personal')}/cron`);
  await recap.getByRole('button', { name: 'Run now' }).click();
  const run = await until('it ran', async () => (await runs('recap')).find(({ by, outcome }) => by === `device ${id}` && outcome === 'completed'));
  assert.equal(run.cause, 'asked');
  await recap.getByText('Runs', { exact: true }).click();
  await recap.locator('.runs li', { hasText: 'by hand' }).first().waitFor();
  const tick = page.locator('#assistant-tick');
  await tick.getByRole('button', { name: 'Resume' }).click();
  await tick.getByRole('button', { name: 'Pause' }).click();
  await tick.getByText('paused since').waitFor();
  assert.equal((await job('tick')).paused.by, `device ${id}`);
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    if (process.env.BOT_TEST_SHOTS) await page.screenshot({ path: path.join(process.env.BOT_TEST_SHOTS, `cron-${colorScheme}.png`), fullPage: true });
  }
  await page.evaluate(() => localStorage.setItem('language', 'de'));
  await page.reload();
  await tick.getByRole('button', { name: 'Fortsetzen' }).waitFor();
  await page.getByRole('heading', { name: 'Nach der Uhr' }).waitFor();
  assertQuiet(page);
});

test('who asked and what came of it is on record', async () => {
  const { lines } = await bot.json('audit', 'personal', '-n', '1000');
  const of = (kind) => lines.filter((line) => line.kind === kind);
  assert.ok(of('cron.fired').some(({ actor }) => /^operator /.test(actor)) && of('cron.fired').some(({ actor }) => /^device /.test(actor)));
  assert.equal(of('cron.finished').length, of('cron.fired').length);
  assert.ok(of('cron.paused').length >= 2 && of('cron.resumed').length >= 1);
  assert.doesNotMatch(JSON.stringify(lines), /Say what happened/, 'no word of what was said');
});
