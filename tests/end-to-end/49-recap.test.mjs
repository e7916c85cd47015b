// The daily recap of the shipped learning bot by the clock, on real containers: a note and a message, out of the workspace alone, which the
// audit proves. A model that wants more in such a session gets nothing. A scripted model plays the bot.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Installation } from './lib/installation.mjs';
import { MODEL, scriptedModel, serveOn } from './lib/scripted-model.mjs';
import { docker, repository, until } from './lib/shell.mjs';
import { Telegram } from './lib/telegram.mjs';

const TOKEN = '110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw';
const ANNA = 1001;
const INSIDE = ['note.write', 'note.search', 'note.show', 'note.edit', 'note.list', 'memory.remember', 'memory.forget', 'memory.search', 'clock.now'];
const TODAY = new Intl.DateTimeFormat('sv-SE', { timeZone: 'UTC' }).format(new Date());
const TITLE = `Recap ${TODAY}`;
const ANSWER = 'Grünteeblätter brüht man bei 70 °C. Übung: Warum nicht heißer?';
/** What the model was asked in turns by the clock, and what anybody asked the upstream. */
const heard = [];
const reached = [];
let bot;
let chat;
let model;
let upstream;

const call = (name, args) => [name, JSON.stringify(args)];
const step = (steps) => ({ results, messages }) => {
  heard.push({ results, system: messages[0].content });
  return steps[results.length] ?? steps.at(-1);
};
const scripts = new Map([
  ['Notier: Grünteeblätter bei 70 °C brühen.', step([
    { calls: [call('note_search', { query: 'Grüner Tee' })] },
    { calls: [call('note_write', { title: 'Grüner Tee', facts: ['Grünteeblätter bei 70 °C brühen.'], tags: ['tee'] })] },
    { content: 'Steht in der Notiz gruener-tee.' },
  ])],
  ['Daily recap, please.', step([
    { calls: [call('clock_now', {})] },
    { calls: [call('note_list', {})] },
    { calls: [call('note_show', { name: 'gruener-tee' })] },
    { calls: [call('note_write', { title: TITLE, facts: ['Grünteeblätter bei 70 °C brühen.'], tags: ['recap'], links: ['gruener-tee'] })] },
    { content: ANSWER },
  ])],
  ['Look outside, too.', step([
    { calls: [call('http_get', { upstream: 'web', path: '/news' })] },
    { calls: [call('http_request', { upstream: 'web', method: 'POST', path: '/news', body: {} })] },
    { content: 'I may not look outside.' },
  ])],
]);

before(async () => {
  bot = await Installation.create('recap');
  await bot.up();
  [chat, model, upstream] = await Promise.all([
    Telegram.start(bot.container('gate', 'personal'), TOKEN),
    serveOn(`${bot.name}-spark`, scriptedModel(scripts)),
    serveOn(bot.container('gate', 'personal'), (request, body, response) => { reached.push(request.url); response.end('{}'); }),
  ]);
  await bot.botctl('secret', 'set', 'chat-token', { input: TOKEN });
  await bot.configure((text) => text.replace(/\[profile\.personal\.bot\.assistant\]\n(.+\n)*/, '') + configuration());
  await bot.well();
});
after(async () => {
  model?.stop();
  upstream?.stop();
  chat?.stop();
  await bot?.remove();
});

// What is allowed with somebody there is not allowed with nobody there.
const configuration = () => `
[spark]
url = "${model.url}/v1"
model = "${MODEL}"

[profile.personal.bot.learning]
instructions = "bots/learning.md"
tools = ${JSON.stringify([...INSIDE, 'http.get', 'http.request'])}

[[profile.personal.policy]]
effect = "allow"
tool = "http.*"

[profile.personal.upstream.web]
url = "${upstream.url}"
networks = ["${upstream.address}/32"]
[[profile.personal.upstream.web.rule]]
method = "GET"
path = "/news"
[[profile.personal.upstream.web.rule]]
method = "POST"
path = "/news"
unconfirmed = "it changes nothing"

[profile.personal.upstream.chat]
preset = "telegram"
url = "${chat.url}"
networks = ["${chat.address}/32"]
token = { secret = "chat-token" }

[profile.personal.channel.chat]
kind = "telegram"
allow = [${ANNA}]

[profile.personal.bot.learning.cron.recap]
every = "15s"
prompt = "Daily recap, please."
deliver = { channel = "chat", chat = ${ANNA} }

[profile.personal.bot.learning.cron.curious]
schedule = "0 0 1 1 *"
prompt = "Look outside, too."
`;

const runs = async (job) => (await bot.json('cron', 'history', 'personal', `learning/${job}`)).runs;
const lines = async () => (await bot.json('audit', 'personal', '-n', '1000')).lines;
/** Decisions and runs of tools that the agent wrote down since `since`. */
const ofTools = async (since) => (await lines()).filter(({ chain, kind, at }) => chain === 'agent' && /^tool\./.test(kind) && at >= since);

test('by the clock: a note with the day in its name, and a message', async () => {
  await bot.botctl('cron', 'pause', 'personal', 'learning/recap');
  await chat.heard(ANNA, 'Notier: Grünteeblätter bei 70 °C brühen.');
  await until('it is noted', async () => (await chat.to(ANNA)).some((text) => /gruener-tee/.test(text)));
  heard.length = 0;
  const since = Date.now();
  await bot.botctl('cron', 'resume', 'personal', 'learning/recap');
  const run = await until('a run by the clock is delivered', async () =>
    (await runs('recap')).find(({ cause, fired_at: at, delivery }) => cause === 'schedule' && at >= since && delivery === 'delivered'), 60);
  await bot.botctl('cron', 'pause', 'personal', 'learning/recap');
  assert.equal(run.outcome, 'completed');
  assert.ok((await chat.to(ANNA)).some((text) => text.includes('Warum nicht heißer?')));
  const own = await readFile(path.join(repository, 'supervisor/supervisor-config/bots/learning.md'), 'utf8');
  assert.ok(heard[0].system.startsWith(own.trim()), 'the shipped instructions');
  const volume = await docker('volume', 'inspect', '--format', '{{.Mountpoint}}', `${bot.name}-personal-state`);
  const note = await readFile(`${volume}/current/workspace/notes/recap-${TODAY}.md`, 'utf8');
  assert.match(note, new RegExp(`title: "?${TITLE}"?\n[^]*links: \\[gruener-tee\\][^]*- Grünteeblätter bei 70 °C brühen\\.\n$`));
  // The audit: all of it, and nothing outside the workspace.
  const found = await until('it is on record', async () => {
    const all = await ofTools(since);
    return all.filter(({ kind }) => kind === 'tool.ran').length >= 4 && all;
  });
  const tools = new Set(found.map(({ words }) => /\b[a-z]+\.[a-z]+\b/.exec(words)[0]));
  assert.deepEqual([...tools].filter((tool) => !INSIDE.includes(tool)), [], found.map(({ words }) => words).join('\n'));
  for (const tool of ['note.list', 'note.show', 'note.write']) assert.ok(tools.has(tool), tool);
  assert.deepEqual(reached, []);
});

test('a model that wants out by the clock is refused by policy, which is on record', async () => {
  const since = Date.now();
  heard.length = 0;
  await bot.botctl('cron', 'run', 'personal', 'learning/curious');
  await until('it ended', async () => (await runs('curious')).find(({ finished_at: at }) => at));
  const told = heard.at(-1).results;
  assert.equal(told.length, 2, JSON.stringify(told));
  for (const result of told) assert.match(result, /it reaches out of the workspace/);
  const found = (await ofTools(since)).filter(({ words }) => /http\.(get|request)/.test(words));
  assert.equal(found.filter(({ kind, words }) => kind === 'tool.decided' && /deny/.test(words)).length, 2, JSON.stringify(await ofTools(since)));
  assert.equal(found.filter(({ kind }) => kind === 'tool.ran').length, 0);
  assert.deepEqual(reached, [], 'nothing went out');
  const { lines: gate } = await bot.json('audit', 'personal', '-n', '1000');
  assert.ok(gate.every(({ chain, words }) => chain !== 'gate' || !/\bweb\b/.test(words)));
});
