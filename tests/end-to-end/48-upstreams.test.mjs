// Ways out that are not all well: a missing secret closes one of them, and a server of one's own is known by its certificate.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import https from 'node:https';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Attacker, startUpstream } from './lib/attacker.mjs';
import { device, launch } from './lib/browser.mjs';
import { editRecord } from './lib/ledger.mjs';
import { Installation } from './lib/installation.mjs';
import { repository, until } from './lib/shell.mjs';
import { ask, assertQuiet, pair } from './lib/talk.mjs';

const secret = randomBytes(30).toString('base64url');
const certificates = path.join(repository, 'sidecars/gate/tests/gate/tls');
const stranger = path.join(repository, 'sidecars/spark/tests/router/tls/authority.pem');
let bot;
let house;
let tls;
let inside;
let token;
let browser;

before(async () => {
  bot = await Installation.create('ways');
  await bot.up();
  house = await startUpstream(bot.container('gate', 'personal'), (request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ state: 'on' }));
  });
  const [key, cert] = await Promise.all(['self-signed-key.pem', 'self-signed.pem'].map((name) => readFile(path.join(certificates, name))));
  tls = https.createServer({ key, cert }, (request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ state: 'secure' }));
  });
  await new Promise((resolve, reject) => tls.on('error', reject).listen(0, house.address, resolve));
  await trust(stranger);
  const checked = await writeRules();
  assert.match(checked.stdout + checked.stderr, /there is no secret house-key: this upstream stays closed[\s\S]*botctl --root \S+ secret set house-key/);
  browser = await launch();
  token = (await bot.json('token', 'create', 'personal', 'script')).token;
  inside = await Attacker.of(bot, 'personal');
  await inside.open();
});
after(async () => {
  await browser?.close();
  await inside?.remove();
  tls?.close();
  house?.server.close();
  await bot?.remove();
});

const rule = '[[profile.personal.upstream.NAME.rule]]\nmethod = "GET"\npath = "/state"\n';
const upstream = (name, url, more) =>
  `[profile.personal.upstream.${name}]\nurl = "${url}"\nnetworks = ["${house.address}/32"]\n${more}\n${rule.replace('NAME', name)}`;

async function writeRules() {
  const secure = `https://${house.address}:${tls.address().port}`;
  const text = [
    upstream('lamp', house.url, ''),
    upstream('house', house.url, 'bearer = { secret = "house-key" }'),
    upstream('own', secure, 'ca = "certs/house.pem"'),
    upstream('web', secure, ''),
  ].join('\n');
  await bot.configure((before) => `${before}\n${text}`);
  return bot.botctl('config', 'check');
}

async function trust(file) {
  const folder = path.join(bot.root, 'etc/certs');
  await mkdir(folder, { recursive: true });
  await copyFile(file, path.join(folder, 'house.pem'));
}

const get = (name) => inside.ask('egress', name, 'GET', '/state');
const answers = (name, status) => until(`${name} answers ${status}`, async () => {
  const answer = await get(name);
  if (answer.status !== status) throw new Error(`${answer.status} ${answer.body}`);
  return answer;
});

async function chats() {
  const response = await fetch(`${bot.url('personal')}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'assistant', messages: [{ role: 'user', content: 'still there' }] }),
  });
  assert.equal(response.status, 200);
  assert.match(await response.text(), /still there/);
}

async function finding() {
  const doctor = JSON.parse((await bot.botctl('doctor', '--json', { mayFail: true })).stdout);
  return doctor.checks.find((check) => check.check === 'secrets');
}

test('a missing secret closes its upstream, is said everywhere, and everything else goes on', async (t) => {
  const began = Date.now();
  await answers('lamp', 200);
  t.diagnostic(`the rules were in force after ${Date.now() - began} ms`);
  const closed = await get('house');
  assert.equal(closed.status, 502);
  assert.match(closed.body, /the credential of house cannot be used/);
  await chats();
  t.diagnostic(`and a chat was answered after ${Date.now() - began} ms`);
  assert.match((await bot.botctl('status')).stdout, /house cannot be used/);
  assert.match((await bot.botctl('health')).stdout, /house-key does not exist; store it with: \S+ --root \S+ secret set house-key[\s\S]*house cannot be used/);
  t.diagnostic(`status and health after ${Date.now() - began} ms`);
  const found = await finding();
  t.diagnostic(`doctor after ${Date.now() - began} ms`);
  assert.equal(found.verdict, 'problem');
  assert.match(JSON.stringify(found), /house-key/);
});

test('it opens live once the secret is there', async () => {
  const ids = await bot.ids();
  const stored = await bot.botctl('secret', 'set', 'house-key', { input: secret });
  assert.match(stored.stdout, /given to personal\/gate/);
  await answers('house', 200);
  assert.equal(house.seen.at(-1).headers.authorization, `Bearer ${secret}`);
  assert.equal((await finding()).verdict, 'ok');
  await bot.well();
  await until('the note is gone', async () => !/cannot be used/.test((await bot.botctl('status')).stdout));
  assert.deepEqual(await bot.ids(), ids);
});

test('a self-signed server is refused, with the reason, until its own certificate is named', async () => {
  const refused = await get('own');
  assert.equal(refused.status, 502);
  assert.match(refused.body, /own cannot be reached: its certificate is neither in its ca nor signed by it/);
  assert.match((await get('web')).body, /a server of your own needs its ca/);
  await trust(path.join(certificates, 'self-signed.pem'));
  const ids = await bot.ids();
  await bot.botctl('apply');
  assert.match((await answers('own', 200)).body, /secure/);
  assert.match((await get('web')).body, /a server of your own needs its ca/, 'it counts for its upstream only');
  assert.deepEqual(await bot.ids(), ids);
});

test('what was done is a timeline on the gate\'s own page, for a device with the scope admin', async () => {
  for (let n = 0; n < 60; n += 1) await get('lamp');
  const page = await device(browser);
  await pair(page, await bot.link('personal'));
  const { devices: [{ id }] } = await bot.json('device', 'list', 'personal');
  await bot.botctl('device', 'scope', 'personal', id, '--set', 'chat');
  await page.goto(`${bot.url('personal')}/timeline`);
  await page.getByText('Only a browser with the scope admin').waitFor();
  await bot.botctl('device', 'scope', 'personal', id, '--set', 'chat,approve,admin');
  await page.goto(bot.url('personal'));
  assert.match(await ask(page, 'for the record'), /for the record/);
  await page.goto(`${bot.url('personal')}/timeline`);
  await page.locator('.timeline li.gate', { hasText: 'egress.allowed' }).first().waitFor();
  const reported = page.locator('.timeline li.agent', { hasText: 'turn.started' }).first();
  assert.match(await reported.innerText(), /An answer began[^]*the agent reports/);
  assert.doesNotMatch(await page.locator('.timeline').innerText(), /[0-9a-f]{64}|egress\.allowed/, 'what it opens to has the rest');
  await page.getByRole('button', { name: 'Show earlier' }).click();
  await until('there are more than one page', async () => (await page.locator('.timeline li').count()) > 60);
  assert.deepEqual(await page.locator('.timeline bdi', { hasText: secret }).count(), 0);
  assert.doesNotMatch(await page.locator('.timeline').textContent(), /for the record/, 'no word of a chat');
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    if (process.env.BOT_TEST_SHOTS) await page.screenshot({ path: path.join(process.env.BOT_TEST_SHOTS, `timeline-${colorScheme}.png`) });
  }
  assertQuiet(page);
});

test('what was done about it is on record, and the gates keep the head of that record', async () => {
  const trail = await until('the head of every chain is kept', async () => {
    const found = await bot.json('audit', 'personal', '-n', '1000', '--verify');
    return found.chains.filter((chain) => chain.chain !== 'agent' && chain.anchored > 0).length === 2 ? found : false;
  }, 90);
  assert.equal(trail.verified, true, JSON.stringify(trail.chains));
  const lines = trail.lines.map(({ kind, actor, words }) => `${kind} by ${actor}: ${words}`).join('\n');
  for (const expect of [/secret\.set by operator \w+: the secret house-key/, /config\.applied by operator/, /rollout\.began by supervisor: generation \d+/,
    /rollout\.done by supervisor: generation \d+ has the state/]) {
    assert.match(lines, expect);
  }
  await bot.botctl('backup', 'now', 'personal');
  const after = await bot.json('audit', 'personal', '-n', '5');
  assert.ok(after.lines.some((line) => line.kind === 'snapshot.taken' && /^operator /.test(line.actor)), JSON.stringify(after.lines));
});

test('a ledger that lost the end of its record is found by the heads that the gates keep', async () => {
  await editRecord(path.join(bot.root, 'lib/supervisor.db'), 'audit_entry', 'DELETE FROM audit_entry WHERE n > 3');
  const found = await bot.botctl('audit', 'personal', '--verify', { mayFail: true });
  assert.equal(found.code, 1);
  assert.match(found.stdout, /supervisor +the chain ends at entry 3, but entry \d+ was anchored: it was cut/);
});
