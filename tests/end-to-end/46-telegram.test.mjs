// Telegram from end to end: a paired chat whose answers are written on, commands, an approval by a button, a confirmation at the
// gate, a group, what has no text, and a poller that is not alone.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Installation } from './lib/installation.mjs';
import { MODEL, scriptedModel, serveOn } from './lib/scripted-model.mjs';
import { cache, docker, repository, run, until } from './lib/shell.mjs';
import { Telegram } from './lib/telegram.mjs';

const TOKEN = '110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw';
const [ANNA, BEN] = [1001, 1002];
const GROUP = -1_001_234;
const CODE = /\b[A-HJ-NP-Z2-9]{4}-[A-HJ-NP-Z2-9]{4}\b/;
const PAGE = 'https://box.tail1234.ts.net/confirmations';
/** Ends the answer that waits. */
let goOn = () => {};

let bot;
let telegram;
let model;
let house;

const call = (tool, args) => ({ results }) => (results.length ? { content: `It said: ${results[0]}` } : { calls: [[tool, JSON.stringify(args)]] });
const scripts = new Map([
  ['Hello', () => ({ content: 'Hello **Anna**, is 1 < 2?' })],
  ['What time is it?', call('clock_now', {})],
  ['Open the door', call('http_request', { upstream: 'house', method: 'POST', path: '/doors/front', body: { state: 'open' } })],
  ['And in the group?', () => ({ content: 'Here too' })],
  ['How many were we?', ({ messages }) => ({ content: `${messages.filter(({ role }) => role === 'user').length} of yours` })],
]);
/** One answer comes in two halves, the second when the test says so. */
const think = (request, body, response) => {
  const said = request.url.endsWith('/models') ? '' : JSON.parse(body).messages.findLast(({ role }) => role === 'user').content;
  if (said !== 'Tell me slowly') return scriptedModel(scripts)(request, body, response);
  const chunk = (content, reason = null) => `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: MODEL, choices: [{ index: 0, delta: { content }, finish_reason: reason }] })}\n\n`;
  response.setHeader('content-type', 'text/event-stream');
  response.write(chunk('The first half'));
  goOn = () => response.end(`${chunk(' and the second')}${chunk('', 'stop')}data: [DONE]\n\n`);
};

before(async () => {
  bot = await Installation.create('telegram');
  await bot.up();
  model = await serveOn(`${bot.name}-spark`, think);
  house = await serveOn(bot.container('gate', 'personal'), (request, body, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ state: 'opened' }));
  });
  telegram = await Telegram.start(bot.container('gate', 'personal'), TOKEN);
  await bot.botctl('secret', 'set', 'telegram-token', { input: TOKEN });
  await bot.configure((text) => `${text
    .replace('tools = ["clock.now"]', 'tools = ["clock.now", "http.request"]')
    .replace(/^\[profile\.personal\]$/m, `[profile.personal]\naddress = "${PAGE.replace('/confirmations', '')}"`)}
[profile.personal.bot.notes]
title = "Notes"

[spark]
url = "${model.url}/v1"
model = "${MODEL}"

[[profile.personal.policy]]
effect = "ask"
tool = "clock.now"
session = "channel"

[[profile.personal.policy]]
effect = "allow"
tool = "http.request"
session = "channel"

[profile.personal.upstream.house]
url = "${house.url}"
networks = ["${house.address}/32"]

[[profile.personal.upstream.house.rule]]
method = "POST"
path = "/doors/{door}"
params = { door = ["front"] }
body = { state = ["open"] }
confirm = true
card = "Open the {door} door"

[profile.personal.upstream.telegram]
preset = "telegram"
url = "${telegram.url}"
networks = ["${telegram.address}/32"]
token = { secret = "telegram-token" }

[profile.personal.channel.telegram]
kind = "telegram"
bots = ["notes"]
groups = [${GROUP}]
`);
  await bot.well();
});
after(async () => {
  goOn();
  telegram?.stop();
  model?.stop();
  house?.stop();
  await bot?.remove();
});

const agent = () => bot.container('agent', 'personal');
const status = async () => (await bot.botctl('status')).stdout;

test('the stand-in is read by a client of somebody else', async (t) => {
  const python = path.join(cache, 'aiogram/venv/bin/python');
  if (!existsSync(python)) return t.skip('aiogram is not there; tests/run sets it up');
  const other = await Telegram.start(bot.container('gate', 'ops'), '123456:TEST-token-of-the-check');
  try {
    const { stdout } = await run(python, [path.join(repository, 'compose/peers/telegram/check'), other.url, other.token], { seconds: 120 });
    assert.match(stdout, /^well$/m);
  } finally {
    other.stop();
  }
});

test('who is let in is answered, in one message that is written on', async () => {
  await telegram.heard(ANNA, '/start from-a-link');
  const [text] = await telegram.sentTo(ANNA, 1);
  await bot.botctl('dm', 'approve', 'personal', text.match(CODE)[0]);
  await telegram.heard(ANNA, 'Hello', { language_code: 'de' });
  const answer = await telegram.says(ANNA, 'Hello Anna');
  assert.equal(answer.text, 'Hello Anna, is 1 < 2?');
  assert.deepEqual(answer.entities, [{ type: 'bold', offset: 6, length: 4 }]);
  const before = (await telegram.to(ANNA)).length;
  await telegram.heard(ANNA, 'Tell me slowly');
  const { message_id: number } = await telegram.says(ANNA, 'The first half');
  await until('somebody types', async () => (await telegram.sim(`chat/${ANNA}`)).typing);
  goOn();
  assert.equal((await telegram.says(ANNA, 'and the second')).message_id, number);
  assert.equal((await telegram.to(ANNA)).length, before + 1);
});

test('commands are answered in the language of whoever sends them', async () => {
  const say = async (command, words, language_code = 'en') => {
    await telegram.heard(ANNA, command, { language_code });
    await telegram.says(ANNA, words);
  };
  await say('/help', '/stop – die laufende Antwort anhalten', 'de');
  await say('/help', '/stop – stop the answer that runs');
  await say('/status', `Model: ${MODEL}`);
  await say('/stop', 'Nothing is running.');
  await say('/bot notes', 'A new conversation with Notes.');
  await telegram.heard(ANNA, 'How many were we?');
  await telegram.says(ANNA, '1 of yours');
  await telegram.heard(ANNA, 'Tell me slowly');
  await until('a second one runs', async () => (await telegram.to(ANNA)).filter((text) => text.startsWith('The first half')).length === 2);
  await say('/stop', 'Angehalten.', 'de');
  await telegram.says(ANNA, '(Stopped.)');
  await say('/bot assistant', 'A new conversation with Assistant.');
  await say('/new', 'A new conversation with Assistant.');
});

test('a button allows what its person was asked, once', async () => {
  await telegram.heard(ANNA, 'What time is it?');
  const question = await telegram.says(ANNA, 'clock.now');
  await telegram.press(ANNA, 'Allow', { message_id: question.message_id });
  await telegram.says(ANNA, 'It said: ');
  const closed = await telegram.says(ANNA, 'Allowed.');
  assert.deepEqual([closed.message_id, closed.reply_markup], [question.message_id, undefined]);
  const { profiles: [personal] } = await bot.json('approval', 'list', 'personal');
  assert.equal(JSON.stringify(personal).match(/sender telegram\/1001/g)?.length, 1, JSON.stringify(personal));
});

test('a confirmation is decided at the gate, and the chat only shows the way', async () => {
  await telegram.heard(ANNA, 'Open the door');
  const pointer = await telegram.says(ANNA, 'has to confirm');
  assert.deepEqual(pointer.reply_markup.inline_keyboard, [[{ text: 'Look and decide', url: PAGE }]]);
  const { profiles: [{ confirmations: [card] }] } = await bot.json('approval', 'list', 'personal');
  await bot.botctl('approval', 'allow', 'personal', card.id, '--yes');
  await telegram.says(ANNA, 'opened');
});

test('a group is answered where the bot is meant, in its topic', async () => {
  await telegram.heard(ANNA, 'talk among ourselves', { group: GROUP, thread_id: 5 });
  await telegram.heard(BEN, 'And in the group?', { group: GROUP, mention: true, thread_id: 5 });
  const { message_id: asked } = await telegram.write(ANNA, '/status', { group: GROUP, mention: true, thread_id: 5 });
  const answer = await telegram.says(GROUP, 'waits for a message');
  assert.deepEqual([answer.message_thread_id, answer.reply_to_message.message_id], [5, asked]);
  assert.equal((await telegram.to(GROUP)).length, 1, 'who is not let in is not heard');
});

test('what has no text is refused with words', async () => {
  await telegram.sim('message', { user_id: ANNA, kind: 'voice', language_code: 'de' });
  await telegram.says(ANNA, 'Aufnahmen kann ich nicht anhören');
  await telegram.sim('message', { user_id: ANNA, kind: 'document' });
  await telegram.says(ANNA, 'I cannot open files');
});

test('an agent that is killed in the middle loses nothing and says nothing twice', async () => {
  await telegram.heard(ANNA, '/new');
  const before = (await telegram.to(ANNA)).length;
  await telegram.heard(ANNA, 'Tell me slowly');
  await until('it is begun', async () => (await telegram.to(ANNA)).length === before + 1);
  await docker('kill', agent());
  // Written while nobody listens.
  await telegram.write(ANNA, 'How many were we?');
  await telegram.says(ANNA, '2 of yours');
  const sent = (await telegram.to(ANNA)).slice(before);
  assert.equal(sent.filter((text) => text.includes('agent was restarted')).length, 1, sent.join('\n---\n'));
  assert.equal(sent.filter((text) => text.includes('of yours')).length, 1, sent.join('\n---\n'));
});

test('a channel that cannot receive is seen, however well it sends', async () => {
  const ask = (method) => fetch(`${telegram.url}/bot${TOKEN}/${method}`);
  await ask('setWebhook?url=https://elsewhere.example');
  await ask('getUpdates');
  await until('status says so', async () => /channel telegram is not heard since .*409: Conflict: can't use getUpdates method while webhook/.test(await status()), 60);
  const { stdout } = await bot.botctl('doctor', { mayFail: true, seconds: 120 });
  assert.match(stdout, /problem +channels +somebody writes and is not heard/);
  await ask('deleteWebhook');
  await telegram.heard(ANNA, 'Hello');
  await until('it is heard again', async () => !/is not heard/.test(await status()), 60);
});

test('an agent reads no more of a chat than it has to', async () => {
  const trail = JSON.stringify(await bot.json('audit', 'personal', '-n', '1000', '--verify'));
  assert.match(trail, /"verified":true/);
  for (const words of ['Tell me slowly', 'talk among ourselves', 'AgAD-secret']) assert.ok(!trail.includes(words), words);
});
