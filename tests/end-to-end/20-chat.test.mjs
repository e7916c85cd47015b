// A person and a real model server: two profiles, in real Chromium.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { device, launch } from './lib/browser.mjs';
import { Installation } from './lib/installation.mjs';
import { MODEL, SENTENCE, startModelServer } from './lib/model-server.mjs';
import { until } from './lib/shell.mjs';
import { ask, assertQuiet, pair, say } from './lib/talk.mjs';

let bot;
let browser;
let server;
const pages = {};

/** The tiny model takes 2,048 letters: too few for the ops bot's instructions and tools. */
const withoutOps = (text) => text.replace('instructions = "bots/ops.md"\n', '').replace(/^tools = \["platform\..*$/m, 'tools = ["clock.now"]');

before(async () => {
  bot = await Installation.create('chat');
  await bot.up();
  browser = await launch(); // After the bridges are there: Chromium drops requests when the host's networks change.
  server = await startModelServer(`${bot.name}-spark`);
  await bot.configure((text) => `${withoutOps(text)}\n[spark]\nurl = "${server.url}"\nmodel = "${MODEL}"\n`);
  await bot.well();
});
after(async () => {
  await browser?.close();
  server?.stop();
  await bot?.remove();
});

test('spark names the model of the box, and the three facts are true', async () => {
  const health = await bot.json('spark', 'health');
  assert.deepEqual([health.reachable, health.answering, health.model_listed], [true, true, true]);
  assert.match((await bot.botctl('spark', 'models')).stdout, new RegExp(MODEL.replaceAll('.', '\\.')));
});

test('before pairing nothing of the profile is shown', async () => {
  const page = await device(browser);
  await page.goto(bot.url('personal'));
  await page.getByRole('heading', { name: 'This browser is not paired' }).waitFor();
  const text = await page.locator('body').innerText();
  assert.doesNotMatch(text, /bigram|alpha|tiny-lab/i);
  const refused = await Promise.all([`/api/sessions/${'0'.repeat(32)}/export`, '/v1/models'].map(async (path) => (await fetch(bot.url('personal') + path)).status));
  assert.ok(refused.every((status) => status === 401), String(refused));
  assertQuiet(page);
  await page.context().close();
});

for (const profile of ['personal', 'ops']) {
  test(`${profile}: a link pairs the browser, and a message is answered by the real model`, async () => {
    const page = (pages[profile] = await device(browser));
    const link = await bot.link(profile);
    await pair(page, link);
    assert.doesNotMatch(page.url(), /setup/, 'the code left the address');
    assert.match(await ask(page, `Hello from ${profile}`), SENTENCE);
    const again = await device(browser);
    await again.goto(link);
    await again.getByRole('button', { name: 'Pair this browser' }).click();
    await again.getByText('This setup link was used already').waitFor();
    await again.context().close();
    assertQuiet(page);
  });
}

test('a reload finds the conversation again', async () => {
  const page = pages.personal;
  await page.reload();
  await page.locator('chat-message').getByText('Hello from personal').first().waitFor();
  assert.match(await page.locator('chat-message.bot .body').first().innerText(), SENTENCE);
});

test('two tabs with the same chat: what one sends comes back in neither, and is sent once', async () => {
  const one = pages.personal;
  const two = await one.context().newPage();
  await two.goto(one.url());
  await two.locator('chat-message').getByText('Hello from personal').first().waitFor();
  for (let n = 1; n <= 4; n += 1) {
    await one.bringToFront();
    const answers = await one.locator('chat-message.bot').count();
    await one.locator('#message').pressSequentially(`Typed ${n}`);
    await one.locator('#message').press('Enter');
    await one.locator('chat-message.bot').nth(answers).waitFor();
    await two.locator('chat-message.bot').nth(answers).waitFor();
    for (const page of [one, two]) assert.equal(await page.locator('#message').inputValue(), '', `message ${n}`);
    await one.locator('#message').press('Enter');
    assert.equal(await one.locator('chat-message.person', { hasText: `Typed ${n}` }).count(), 1);
  }
  assert.equal(await one.evaluate(() => Object.keys(localStorage).filter((key) => /^(draft|outbox):/.test(key)).length), 0);
  await two.close();
});

test('the two zones do not see each other', async () => {
  assert.doesNotMatch(await pages.ops.locator('body').innerText(), /Hello from personal/);
  assert.doesNotMatch(await pages.personal.locator('body').innerText(), /Hello from ops/);
});

test('a second browser asks, shows a code, is approved, talks, and is revoked at once', async () => {
  const page = await device(browser, { locale: 'de-DE', colorScheme: 'dark', viewport: { width: 390, height: 844 } });
  await page.goto(bot.url('personal'));
  await page.getByRole('button', { name: 'Um Zugang bitten' }).click();
  const code = (await page.locator('.code').innerText()).trim();
  assert.match(code, /^[0-9a-f]{4}-[0-9a-f]{4}$/);
  assert.match((await bot.botctl('device', 'list', 'personal')).stdout, new RegExp(code));
  await bot.botctl('device', 'approve', 'personal', code);
  await page.locator('#message').waitFor();
  await bot.botctl('device', 'revoke', 'personal', code);
  await page.getByText('Dieser Browser ist nicht mehr gekoppelt').waitFor();
  assert.equal(await page.locator('#message').count(), 0);
  await page.context().close();
});

test('a chat that outgrows the real model goes on without its oldest parts, and what never fits is told with both numbers', async () => {
  const page = pages.ops;
  const last = () => page.locator('chat-message.bot').last();
  const shortened = page.locator('chat-message.bot .note.shortened');
  const about = (n, times = 8) => `${n} ${'every letter of this is a token of its own '.repeat(times)}`; // Of 2,048 that the tiny model takes.
  let asked = 0;
  for (; asked < 8 && (await shortened.count()) === 0; asked += 1) assert.match(await ask(page, about(asked)), SENTENCE);
  assert.ok(asked >= 2, `shortened after ${asked} messages`);
  await last().locator('.note.shortened').getByText('Older parts of this chat were left out').waitFor();
  const before = await page.locator('chat-message.bot').count();
  await say(page, about('far too long', 60));
  await page.locator('chat-message.bot').nth(before).waitFor();
  assert.match(await last().locator('.note.failed .detail').innerText(), /too long for the model.*: the prompt has \d{4,} tokens, the model takes 2048\. Send a shorter message/);
  assertQuiet(page);
});

test('an agent that is killed in the middle of an answer: the turn is closed with a note, the next one works', async () => {
  const page = pages.personal;
  await bot.configure((text) => text.replace(/\n\[spark\][^]*$/, '\n'));
  await bot.well();
  await page.reload();
  await say(page, '/slow 400');
  await until('some of the answer is there', async () => (await page.locator('running-turn .body').innerText()).split(' ').length > 45); // What is written down lags by a second at most.
  process.kill(await bot.pid(bot.container('agent', 'personal')), 'SIGKILL');
  const cut = page.locator('chat-message.bot .note.interrupted').last();
  await cut.waitFor({ timeout: 60_000 });
  const kept = await page.locator('chat-message.bot').last().locator('.body').innerText();
  assert.ok(kept.trim().length > 0, 'what was said is kept');
  assert.match(await ask(page, 'and now?'), /and now\?/);
});

test('stop keeps what was said', async () => {
  const page = pages.personal;
  await say(page, '/slow 400');
  await until('some of the answer is there', async () => (await page.locator('running-turn .body').innerText()).split(' ').length > 5);
  await page.getByRole('button', { name: 'Stop the answer' }).click();
  await page.locator('chat-message.bot .note.stopped').last().waitFor();
});

test('a reload in the middle of an answer goes on without a doubled word', async () => {
  const page = pages.personal;
  const before = await page.locator('chat-message.bot').count();
  await say(page, '/slow 60');
  await until('the answer began', async () => (await page.locator('running-turn .body').innerText()).split(' ').length > 5);
  await page.reload();
  await page.locator('chat-message.bot').nth(before).waitFor();
  const words = (await page.locator('chat-message.bot').nth(before).locator('.body').innerText()).match(/\S+/g);
  assert.ok(words.length >= 60, `${words.length} words`);
  assertQuiet(page);
});

test('the demo model says what it is, and calls the clock when told to', async () => {
  const page = pages.personal;
  await page.locator('.badge summary').getByText('Demo model').waitFor();
  await ask(page, '/call clock.now {"zone":"UTC"}');
  await page.locator('chat-message.bot').last().locator('tool-card').waitFor();
  assert.match(await page.locator('chat-message.bot').last().locator('tool-card').innerText(), /clock\.now/);
});

test('a phone that slept finds the messages of meanwhile', async () => {
  const page = pages.personal;
  await page.context().setOffline(true);
  await page.locator('#message').fill('written while away');
  await page.locator('#message').press('Enter');
  await page.getByText('Waiting for the connection').waitFor();
  await page.context().setOffline(false);
  await page.locator('chat-message.bot').last().getByText('written while away').waitFor({ timeout: 60_000 });
});
