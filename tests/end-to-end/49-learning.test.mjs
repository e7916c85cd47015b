// The learning bot: notes are captured, found, shown and edited with their history; what it remembers is seen and deleted on the
// page; a long chat is summarised, and the summary can be read. A scripted model plays the conversations. In real Chromium.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';

import { device, launch } from './lib/browser.mjs';
import { Installation } from './lib/installation.mjs';
import { MODEL, scriptedModel, serveOn } from './lib/scripted-model.mjs';
import { docker, until } from './lib/shell.mjs';
import { ask, assertQuiet, pair } from './lib/talk.mjs';

const TOOLS = ['note.write', 'note.search', 'note.show', 'note.edit', 'note.list', 'memory.remember', 'memory.forget', 'memory.search', 'clock.now'];
const SUMMARY = '## Decisions\n- The tea is green.\n\n## Open tasks\n- Buy a pot.';
const scripts = new Map();
/** What the model was asked, newest last. */
const heard = [];
let bot;
let browser;
let model;
let page;

before(async () => {
  bot = await Installation.create('learning');
  await bot.up();
  browser = await launch();
  const script = (said) => (said.includes('The chat goes on:\n') ? () => ({ content: SUMMARY }) : scripts.get(said));
  const play = scriptedModel({ get: (said) => (turn) => { heard.push(turn); return (script(said) ?? (() => ({ content: 'I see.' })))(turn); } });
  model = await serveOn(`${bot.name}-spark`, play);
  await bot.configure((text) => `${text.replace('[profile.personal.bot.assistant]\ntitle = "Assistant"', '[profile.personal.bot.learning]\ntitle = "Learning"\ninstructions = "bots/learning.md"')
    .replace('tools = ["clock.now"]', `tools = ${JSON.stringify(TOOLS)}`)}
[spark]
url = "${model.url}/v1"
model = "${MODEL}"
`);
  await bot.well();
  page = await device(browser);
  await pair(page, await bot.link('personal'));
});
after(async () => {
  await browser?.close();
  model?.stop();
  await bot?.remove();
});

/** Has the model make these calls, one after another; gives what it is told about each. */
async function calls(...made) {
  const words = `calls ${scripts.size}`;
  let told = [];
  scripts.set(words, ({ results }) => {
    told = results;
    return results.length < made.length ? { calls: [made[results.length]] } : { content: 'done' };
  });
  await ask(page, words);
  return told.map((text) => (text.startsWith('{') ? JSON.parse(text) : text));
}

const call = (name, args) => [name, JSON.stringify(args)];

test('a note is captured, structured, found, shown, edited with history; nobody is asked', async () => {
  const facts = ['Grünteeblätter bei 70 °C brühen.', 'Zwei Minuten ziehen lassen.'];
  const [written, found, edited, shown, first] = await calls(
    call('note_write', { title: 'Grüner Tee', facts, tags: ['Tee'], links: ['wasser'], sources: ['https://example.org/tee'] }),
    call('note_search', { query: 'teeblätt minuten' }),
    call('note_edit', { name: 'gruener-tee', add: ['Nicht kochen.'], remove: ['Zwei Minuten ziehen lassen.'] }),
    call('note_show', { name: 'Grüner Tee' }),
    call('note_show', { name: 'gruener-tee', version: 1 }),
  );
  assert.deepEqual(written, { name: 'gruener-tee', facts: 2 });
  assert.deepEqual(found.notes.map(({ name, tags, facts: lines }) => [name, tags, lines]), [['gruener-tee', ['tee'], facts]]);
  assert.equal(edited.earlier_version, 1);
  assert.match(shown.text, /^---\ntitle: Grüner Tee\ntags: \[tee\]\nlinks: \[wasser\]\nsources:\n {2}- "https:\/\/example.org\/tee"\n/);
  assert.match(shown.text, /\n\n- Grünteeblätter bei 70 °C brühen\.\n- Nicht kochen\.\n$/);
  assert.match(first.text, /- Zwei Minuten ziehen lassen\.\n$/);
  assert.equal(await page.locator('tool-card .ask').count(), 0, 'the workspace is its own: no question');
  const audit = await bot.json('audit', 'personal');
  assert.match(JSON.stringify(audit), /it changes only the bot's own notes or memory/);
});

test('the notes outlive the agent, and are files', async () => {
  await docker('kill', bot.container('agent', 'personal'));
  await bot.well();
  const [listed] = await calls(call('note_list', { tag: 'tee' }));
  assert.deepEqual(listed.notes.map(({ name }) => name), ['gruener-tee']);
  const volume = await docker('volume', 'inspect', '--format', '{{.Mountpoint}}', `${bot.name}-personal-state`);
  assert.match(await readFile(`${volume}/current/workspace/notes/gruener-tee.md`, 'utf8'), /- Nicht kochen\.\n$/);
});

test('what it remembers stands behind the fixed part of the prompt, is seen on the page, changed and deleted', async () => {
  await calls(call('memory_remember', { fact: 'Learns Italian.' }), call('memory_remember', { fact: 'Is called Sam.', shared: true }));
  await ask(page, 'What now?');
  const [system, memory] = heard.at(-1).messages;
  assert.ok(system.role === 'system' && !system.content.includes('Italian'));
  assert.match(memory.content, /- \[[0-9a-f]{8}\] Is called Sam\.\n- \[[0-9a-f]{8}\] Learns Italian\.|- \[[0-9a-f]{8}\] Learns Italian\.\n- \[[0-9a-f]{8}\] Is called Sam\./);
  const fixed = JSON.stringify([system, heard.at(-1).tools]);
  assert.ok(heard.filter(({ tools }) => tools.length > 0).every(({ messages, tools }) => JSON.stringify([messages[0], tools]) === fixed), 'byte for byte');

  const menu = async () => {
    await page.locator('chat-header .menu summary').click();
    await page.locator('chat-header .menu .memory').click();
    await page.locator('dialog.memory li').first().waitFor();
  };
  await menu();
  const dialog = page.locator('dialog.memory');
  assert.match(await dialog.innerText(), /2 of 2 go along/);
  await dialog.locator('input[type=search]').fill('ITAL');
  assert.equal(await dialog.locator('li').count(), 1);
  await dialog.getByRole('button', { name: 'Change' }).click();
  await page.locator('dialog:not(.memory) input').fill('Learns Spanish.');
  await page.locator('dialog:not(.memory)').getByRole('button', { name: 'Save' }).click();
  await dialog.locator('input[type=search]').fill('');
  await dialog.getByText('Learns Spanish.').waitFor();
  await dialog.locator('li', { hasText: 'Sam' }).getByRole('button', { name: 'Forget' }).click();
  await page.locator('dialog:not(.memory)').getByRole('button', { name: 'Forget' }).click();
  await until('it is forgotten', async () => (await dialog.locator('li').count()) === 1);
  await dialog.getByRole('button', { name: 'Close' }).click();

  const { memories: [known] } = await bot.json('memory', 'list', 'personal');
  assert.deepEqual(known.facts.map(({ text }) => text), ['Learns Spanish.']);
  assert.match((await bot.botctl('memory', 'list', 'personal')).stdout, /Learns Spanish\./);
  assert.match((await bot.botctl('memory', 'forget', 'personal', 'learning', known.facts[0].id.slice(0, 4))).stdout, /learning forgot: Learns Spanish\./);
  await ask(page, 'And now?');
  assert.doesNotMatch(JSON.stringify(heard.at(-1).messages), /\[[0-9a-f]{8}\] Learns Spanish/);
  assertQuiet(page);
});

test('a long chat is summarised behind an answer; the summary is read on the page and with botctl, and stands for the old part', async () => {
  await page.locator('session-list .new').click();
  await page.locator('chat-start').waitFor();
  for (let n = 0; n < 5; n += 1) await ask(page, `${n}: ${'Tea is to be green. '.repeat(330)}`);
  const summary = page.locator('chat-message details.summary');
  await summary.first().waitFor({ timeout: 60_000 });
  await summary.first().locator('summary').click();
  assert.match(await summary.first().innerText(), /Decisions\s+The tea is green\.\s+Open tasks\s+Buy a pot\./);
  await ask(page, 'What is open?');
  const { messages } = heard.findLast(({ tools }) => tools.length > 0);
  assert.ok(messages.some(({ content }) => /^Summary of the earlier part of this chat[^]*Buy a pot\.$/.test(content)));
  assert.ok(!messages.some(({ content }) => String(content).startsWith('0: ')), 'the old part is not in the prompt');
  assert.equal(await page.locator('chat-message.person').count(), 6, 'and the messages stay');
  const { sessions } = await bot.json('session', 'list', 'personal');
  const [{ id }] = sessions.sort((a, b) => b.updated_at - a.updated_at);
  assert.match((await bot.botctl('session', 'show', 'personal', id.slice(0, 8))).stdout, /summary of the session up to here[^]*\| - Buy a pot\./);
  await page.reload();
  await summary.first().waitFor();
  assertQuiet(page);
});
