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

/** Says something and waits for the whole answer; gives its text. */
export async function ask(page, text) {
  const before = await page.locator('chat-message.bot').count();
  await say(page, text);
  const answer = page.locator('chat-message.bot').nth(before);
  await answer.waitFor().catch(async (error) => {
    throw new Error(`no answer; the page shows:\n${await page.locator('body').innerText()}\n${page.problems.join('\n')}`, { cause: error });
  });
  const failed = answer.locator('.note.failed');
  if (await failed.count()) throw new Error(`the answer failed: ${await failed.innerText()}`);
  return (await answer.locator('.body').innerText()).trim();
}

/** The page threw nothing, and loaded nothing from elsewhere. */
export function assertQuiet(page) {
  assert.deepEqual(page.problems, []);
}
