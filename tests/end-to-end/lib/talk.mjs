// What a person does on the page.

import assert from 'node:assert/strict';

/** Opens a setup link and pairs this browser. */
export async function pair(page, link) {
  await page.goto(link);
  await page.getByRole('button', { name: 'Pair this browser' }).click();
  await page.locator('#message').waitFor();
}

export async function say(page, text) {
  await page.locator('#message').fill(text);
  await page.locator('#message').press('Enter');
}

/**
 * As `ask`, of a real model server. An answer that failed says why and offers "Ask again": it is pressed once, and the
 * reason is told to the test's report.
 */
export async function askReal(page, text, t) {
  const answer = await ask(page, text);
  const failed = page.locator('chat-message.bot').last().locator('.note.failed');
  if ((await failed.count()) === 0) return answer;
  t.diagnostic(`asked again: ${await failed.innerText()}`);
  const before = await page.locator('chat-message.bot').count();
  await failed.getByRole('button', { name: 'Ask again' }).click();
  const second = page.locator('chat-message.bot').nth(before);
  await second.waitFor();
  return (await second.innerText()).trim();
}

/** Says something and waits for the whole answer; gives its text. */
export async function ask(page, text) {
  const before = await page.locator('chat-message.bot').count();
  await say(page, text);
  const answer = page.locator('chat-message.bot').nth(before);
  await answer.waitFor().catch(async (error) => {
    throw new Error(`no answer; the page shows:\n${await page.locator('body').innerText()}\n${page.problems.join('\n')}`, { cause: error });
  });
  return (await answer.locator('.body').innerText()).trim();
}

/** The page threw nothing, and loaded nothing from elsewhere. */
export function assertQuiet(page) {
  assert.deepEqual(page.problems, []);
}
