// What people see while the model box is busy: their place in the queue, the model reading; and what is counted of it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { device, launch } from './lib/browser.mjs';
import { Installation } from './lib/installation.mjs';
import { MODEL, scriptedModel, serveOn } from './lib/scripted-model.mjs';
import { until } from './lib/shell.mjs';
import { assertQuiet, pair, say } from './lib/talk.mjs';

let bot;
let browser;
let box;
const held = [];

/** A box that begins to answer when the test says so. */
function holding() {
  const answer = scriptedModel(new Map([['first', () => ({ content: 'One.' })], ['second', () => ({ content: 'Two.' })]]));
  return (request, body, response) => {
    if (request.url.endsWith('/models')) return answer(request, body, response);
    return held.push(() => answer(request, body, response));
  };
}

before(async () => {
  bot = await Installation.create('waiting');
  await bot.up();
  browser = await launch();
  box = await serveOn(`${bot.name}-spark`, holding());
  await bot.configure((text) => `${text}\n[spark]\nurl = "${box.url}/v1"\nmodel = "${MODEL}"\nconcurrency = 1\n`);
  await bot.well();
});
after(async () => {
  for (const go of held.splice(0)) go();
  await browser?.close();
  box?.stop();
  await bot?.remove();
});

test('a second answer waits in the queue, and says so; then the model reads', async () => {
  const pages = [];
  for (const words of ['first', 'second']) {
    const page = await device(browser);
    await pair(page, await bot.link('personal'));
    await say(page, words);
    pages.push(page);
    if (words === 'first') await until('the first is at the box', () => held.length === 1);
  }
  const [first, second] = pages;
  await first.locator('.phase').getByText('The model is reading').waitFor({ timeout: 15_000 });
  await second.locator('.phase').getByText('In the queue: number 1').waitFor({ timeout: 15_000 });
  await second.locator('.phase').getByText(/· \d+ s/).waitFor({ timeout: 15_000 });
  await second.locator('chat-shell > [role=status]').getByText('In the queue: number 1').waitFor({ state: 'attached', timeout: 15_000 });

  await second.reload();
  await second.locator('.phase').getByText('In the queue: number 1').waitFor({ timeout: 15_000 });
  const scraped = await bot.metrics();
  assert.match(scraped, /^bot_spark_queue_depth\{profile="personal",priority="chat"\} 1\.0$/m);
  assert.match(scraped, /^bot_spark_running\{profile="personal"\} 1\.0$/m);

  held.shift()();
  await first.locator('chat-message.bot').getByText('One.').waitFor();
  await second.locator('.phase').getByText('The model is reading').waitFor({ timeout: 15_000 });
  await until('the second is at the box', () => held.length === 1);
  held.shift()();
  await second.locator('chat-message.bot').getByText('Two.').waitFor();
  assert.equal(await second.locator('.phase').count(), 0);
  for (const page of pages) assertQuiet(page);
});

test('it is counted: by model for Prometheus, by bot for people', async () => {
  const labels = `gen_ai_operation_name="chat",gen_ai_provider_name="unknown",gen_ai_request_model="${MODEL}",error_type="",profile="personal"`;
  const scraped = await bot.metrics();
  assert.ok(scraped.includes(`gen_ai_client_operation_duration_seconds_count{${labels}} 2`), scraped);
  assert.match(scraped, /^bot_spark_queue_wait_seconds_count\{profile="personal"\} 2$/m);
  assert.match(scraped, /^bot_spark_queue_depth\{profile="personal",priority="chat"\} 0\.0$/m);
  assert.match(scraped, /^bot_spark_breaker_open 0\.0$/m);
  const used = async () => (await bot.json('spark', 'usage')).rows.find(({ profile, bot: name }) => profile === 'personal' && name === 'assistant');
  const before = await used();
  assert.deepEqual([before.requests, before.estimated], [2, 2], 'this box tells no usage');
  const pid = await bot.pid(bot.container('spark'));
  process.kill(pid, 'SIGTERM'); // It writes what it has counted; the supervisor starts it again.
  await until('spark is another process', async () => (await bot.pid(bot.container('spark'))) !== pid, 60);
  await bot.well();
  assert.deepEqual(await used(), before);
});
