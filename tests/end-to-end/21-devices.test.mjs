// Devices decide about devices, and take new keys: in real Chromium, verified by the gate and the supervisor.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { device, launch } from './lib/browser.mjs';
import { Installation } from './lib/installation.mjs';
import { until } from './lib/shell.mjs';
import { ask, assertQuiet, pair, say } from './lib/talk.mjs';

let bot;
let browser;
let first;
let devicesPage;
const later = {};

before(async () => {
  bot = await Installation.create('devices');
  await bot.up();
  browser = await launch();
  await bot.configure((text) => `${text}\n[[profile.personal.policy]]\neffect = "ask"\ntool = "clock.now"\n`);
  await bot.well();
  first = await device(browser);
  await pair(first, await bot.link('personal'));
  devicesPage = await first.context().newPage();
  await devicesPage.goto(`${bot.url('personal')}/devices`);
  await devicesPage.getByText('Nobody asks for access.').waitFor();
});
after(async () => {
  await browser?.close();
  await bot?.remove();
});

/** A browser that asks for access; gives its page and the code that it shows. */
async function asking(name) {
  const page = await device(browser);
  await page.goto(bot.url('personal'));
  await page.getByLabel('Name of this browser').fill(name);
  await page.getByRole('button', { name: 'Ask for access' }).click();
  return { page, code: (await page.locator('.code').innerText()).trim() };
}

/** The card of a device on the page of the first one, when a click counts. */
async function card(code) {
  const found = devicesPage.locator('pairing-card', { hasText: code });
  await found.waitFor();
  await devicesPage.waitForFunction((since) => performance.now() > since + 600, await devicesPage.evaluate(() => performance.now()));
  return found;
}

async function registered(code) {
  return (await bot.json('device', 'list', 'personal')).devices.find((found) => found.code === code);
}

test('a device with the scope lets another one in, with what it ticks', async () => {
  const { page, code } = await asking('Kitchen tablet');
  const shown = await card(code);
  assert.match(await shown.innerText(), /Kitchen tablet/);
  await shown.getByLabel('decide what bots ask').check();
  await shown.getByRole('button', { name: 'Let in' }).click();
  await page.locator('#message').waitFor();
  await devicesPage.getByText('Nobody asks for access.').waitFor();
  assert.deepEqual((await registered(code)).scopes, ['chat', 'approve']);
  Object.assign(later, { tablet: page, tabletCode: code });
  assertQuiet(page);
});

test('the record names the device that did it', async () => {
  const { id } = await registered(later.tabletCode);
  const trail = await bot.json('audit', 'personal', '-n', '200');
  const entry = trail.lines.find((line) => line.chain === 'supervisor' && line.kind === 'device.approved');
  assert.match(entry.actor, /^device [0-9a-f]{64} \(.*Chrome.*\)$/);
  assert.ok(!entry.actor.includes(id), 'it is the one that let in, not the one that was let in');
  assert.ok(trail.lines.some((line) => line.chain === 'gate' && line.kind === 'pairing.judged'));
});

test('a device that is turned away stays outside', async () => {
  const { page, code } = await asking('Somebody else');
  await (await card(code)).getByRole('button', { name: 'Turn away' }).click();
  await page.getByRole('heading', { name: 'Not approved' }).waitFor();
  assert.equal(await registered(code), undefined);
  await page.context().close();
});

test('who has only chat sees no buttons, and the gate gives it nothing either', async () => {
  const { page, code } = await asking('Guest phone');
  await (await card(code)).getByRole('button', { name: 'Let in' }).click();
  await page.locator('#message').waitFor();
  await say(page, '/call clock.now {"zone":"UTC"}');
  await page.getByText('This browser may look, not decide.').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Allow once' }).count(), 0);
  const own = await page.context().newPage();
  await own.goto(`${bot.url('personal')}/devices`);
  await own.getByText(`botctl --root ${bot.root} device scope personal ${code}`).waitFor();
  const { page: fourth, code: waiting } = await asking('Fourth');
  await card(waiting);
  assert.equal(await own.locator('pairing-card').count(), 0, 'who asks is not shown to it');
  // With its own ticket and its own signature, past the page.
  const status = await own.evaluate(async () => {
    const { Device } = await import(document.querySelector('link[href$="/device.js"]').href);
    const mine = await Device.load();
    const ticket = await new Promise((resolve, reject) => {
      const socket = new WebSocket(`ws://${location.host}/gate/ws`);
      socket.onerror = reject;
      socket.onmessage = async ({ data }) => {
        const frame = JSON.parse(data);
        if (frame.type === 'challenge') socket.send(JSON.stringify({ type: 'auth', device: mine.id, signature: await mine.sign('connect', frame) }));
        if (frame.type === 'ready') resolve(frame.ticket);
      };
    });
    const request = '0'.repeat(32);
    const signature = await mine.admit('personal', { id: request, device: 'f'.repeat(64), name: 'x' }, 'allow', ['chat']);
    const response = await fetch(`/gate/pairings/${request}`, { method: 'POST', headers: { authorization: `Bearer ${ticket}` }, body: JSON.stringify({ verdict: 'allow', scopes: ['chat'], signature }) });
    return response.status;
  });
  assert.equal(status, 403);
  await fourth.context().close();
  const decider = first.locator('session-list li button', { hasText: '/call clock.now' });
  await decider.click();
  await first.getByRole('button', { name: 'Allow once' }).click();
  await page.locator('chat-message.bot tool-card').getByText('done').waitFor();
  await page.context().close();
});

test('a device takes a new key: the old one is out, the page goes on by itself', async () => {
  const chat = later.tablet;
  const own = await chat.context().newPage();
  await own.goto(`${bot.url('personal')}/devices`);
  await own.locator('.mine').getByText(later.tabletCode, { exact: true }).waitFor();
  await own.getByRole('button', { name: 'New key for this browser' }).click();
  const code = await until('another code is shown', async () => {
    const shown = (await own.locator('.mine dd').nth(1).innerText()).trim();
    return shown !== later.tabletCode && shown;
  });
  const [before, after] = [await registered(later.tabletCode), await registered(code)];
  assert.ok(before.revoked_at > 0);
  assert.deepEqual([after.name, after.scopes, after.revoked_at ?? null], ['Kitchen tablet', ['chat', 'approve'], null]);
  // The other tab was thrown out with the old key, and finds the new one.
  later.tabletNewCode = code;
  assert.match(await ask(chat, 'still here'), /still here/);
  await own.reload();
  await own.locator('.mine').getByText(code, { exact: true }).waitFor();
  assertQuiet(chat);
});

test('it takes no other one within the hour, and its old code still leads to it', async () => {
  const own = await later.tablet.context().newPage();
  await own.goto(`${bot.url('personal')}/devices`);
  await own.locator('.mine').getByText(later.tabletNewCode, { exact: true }).waitFor();
  await own.getByRole('button', { name: 'New key for this browser' }).click();
  await own.getByText(/once an hour at most/).waitFor();
  assert.equal((await own.locator('.mine dd').nth(1).innerText()).trim(), later.tabletNewCode);
  await own.close();
  const revoked = await bot.json('device', 'revoke', 'personal', later.tabletCode);
  assert.equal(revoked.device.code, later.tabletNewCode);
});

test('a key that was asked for and never answered about is found out', async () => {
  const { page: chat, code } = await asking('Desk');
  await (await card(code)).getByRole('button', { name: 'Let in' }).click();
  await chat.locator('#message').waitFor();
  assert.match(await ask(chat, 'still here'), /still here/);
  // The gate does it, and the answer is lost on its way.
  const own = await chat.context().newPage();
  await own.goto(`${bot.url('personal')}/devices`);
  await own.locator('.mine dd').nth(1).waitFor();
  await own.route('**/gate/device/key', async (route) => {
    await route.fetch();
    await route.abort();
  });
  const before = (await own.locator('.mine dd').nth(1).innerText()).trim();
  await own.getByRole('button', { name: 'New key for this browser' }).click();
  await until('another code is shown', async () => (await own.locator('.mine dd').nth(1).innerText()).trim() !== before);
  await chat.reload();
  await chat.locator('chat-message.bot').getByText('still here').waitFor();
  assert.match(await ask(chat, 'and again'), /and again/);
});
