// The model box is switched: over real SSH, by the operator and by a device on the gate's own page in Chromium, and by nobody else.
// What is asked comes from a process with exactly an agent's confinement.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Attacker } from './lib/attacker.mjs';
import { device, launch } from './lib/browser.mjs';
import { Installation } from './lib/installation.mjs';
import { docker, inspect, until } from './lib/shell.mjs';
import { ALPHA, BETA, SwitchBox } from './lib/switch-box.mjs';
import { assertQuiet, pair } from './lib/talk.mjs';

const SENTENCES = { [ALPHA]: /this is model alpha/, [BETA]: /Greetings from model beta/ };
let bot;
let box;
let browser;
let chat;
let page;
let ops;
let personal;

before(async () => {
  bot = await Installation.create('switch');
  await bot.up();
  box = await SwitchBox.start(`${bot.name}-spark`);
  await bot.botctl('secret', 'set', 'spark-ssh', { input: await box.key() });
  await configure(await box.hostKey());
  await bot.well();
  browser = await launch();
  chat = await device(browser);
  await pair(chat, await bot.link('ops'));
  page = await chat.context().newPage();
  await page.goto(`${bot.url('ops')}/confirmations`);
  ops = await Attacker.of(bot, 'ops');
  personal = await Attacker.of(bot, 'personal');
  await Promise.all([ops.open(), personal.open()]);
});
after(async () => {
  await browser?.close();
  await ops?.remove();
  await personal?.remove();
  await box?.stop();
  await bot?.remove();
});

function configure(hostKey) {
  const section = `[spark]\nurl = "${box.url}"\nmodel = "${ALPHA}"\n[spark.switch]\naddress = "${box.login}"\nhost_key = "${hostKey}"\n`
    + `key = { secret = "spark-ssh" }\nmodels = ["${ALPHA}", "${BETA}"]\nprofiles = ["ops"]\ndrain_seconds = 20\nwait_seconds = 60\n`;
  return bot.configure((text) => `${text.replace(/\n\[spark\]\n[^]*# end\n/, '\n')}\n${section}# end\n`);
}

const json = ({ status, body }) => ({ status, ...(body ? JSON.parse(body) : {}) });
const want = async (who, model, more = {}) => json(await who.ask('llm', 'spark', 'POST', '/switch', { model, ...more }));
const standing = () => bot.json('spark', 'switch');

/** A switch that a bot asked for, once it is over. */
const over = (id) => until('the switch is over', async () => {
  const { running, last } = await standing();
  return !running && last?.id === id && last;
}, 90);

async function answers(model) {
  const body = { model, messages: [{ role: 'user', content: 'hi' }], temperature: 0 };
  const got = json(await personal.ask('llm', 'spark', 'POST', '/v1/chat/completions', body));
  assert.equal(got.status, 200, JSON.stringify(got));
  assert.match(got.choices[0].message.content, SENTENCES[model]);
}

/** The newest card on the gate's page, when a click counts. */
async function card(words) {
  const found = page.locator('confirm-card', { hasText: words }).first();
  await found.waitFor();
  await page.waitForFunction((since) => performance.now() > since + 600, await page.evaluate(() => performance.now()));
  return found;
}

test('the doctor tries the way: host key, login, forced command', async () => {
  const found = async () => (await bot.json('doctor')).checks.find((check) => check.check === 'switch');
  assert.deepEqual([(await found()).verdict, /answers: idle/.test((await found()).summary)], ['ok', true]);
  await configure(await box.hostKey('stranger_ed25519'));
  const wrong = await until('spark knows the other key', async () => { const check = await found(); return check.verdict === 'problem' && check; });
  assert.match(wrong.summary, /showed the host key SHA256:.*and not the pinned/);
  const refused = await bot.botctl('spark', 'switch', BETA, '--yes', { mayFail: true });
  assert.equal(refused.code, 1);
  assert.match(refused.stdout, /nothing was done[^]*not the pinned/);
  assert.equal(await box.model(), ALPHA);
  await configure(await box.hostKey());
  await until('spark knows the key', async () => (await found()).verdict === 'ok');
});

test('the operator switches, and the other model answers', async () => {
  await answers(ALPHA);
  const done = await bot.botctl('spark', 'switch', BETA, '--yes', { seconds: 120 });
  assert.match(done.stdout, new RegExp(`Switch the model box from ${ALPHA} to ${BETA}[^]*the model box has ${BETA}`));
  assert.equal(await box.model(), BETA);
  await answers(BETA);
  const gone = json(await personal.ask('llm', 'spark', 'POST', '/v1/chat/completions', { model: ALPHA, messages: [{ role: 'user', content: 'hi' }] }));
  assert.equal(gone.error.code, 'model_not_found');
  const again = await bot.botctl('spark', 'switch', BETA, '--yes', { mayFail: true });
  assert.match(again.stderr, /already/);
});

test('a bot asks, a person allows it on the gate\'s page, and the other model answers', async () => {
  const asked = await want(ops, ALPHA, { reason: 'the long document' });
  assert.equal(asked.status, 202, JSON.stringify(asked));
  const shown = await card(`from ${BETA} to ${ALPHA}`);
  const text = await shown.innerText();
  assert.match(text, /asked by\s*profile ops/);
  assert.match(text, new RegExp(`switch ${ALPHA}`));
  assert.match(text, /the long document/);
  const listed = (await bot.json('approval', 'list', 'ops')).profiles[0].switches;
  assert.deepEqual(listed.map((found) => [found.id, found.state.is]), [[asked.id, 'pending']]);
  assert.equal((await standing()).running, null, 'nothing happens before');
  await shown.getByRole('button', { name: 'Allow once' }).click();
  const report = await over(asked.id);
  assert.deepEqual([report.outcome, report.by], ['done', 'profile ops'], report.message);
  await answers(ALPHA);
  await page.getByText(/Allowed by/).first().waitFor({ state: 'attached' });
  const { outcome } = { outcome: json(await ops.ask('llm', 'spark', 'GET', `/confirmations/${asked.id}`)) };
  assert.deepEqual([outcome.state, outcome.body.to], ['done', ALPHA]);
  assertQuiet(chat);
});

test('a taken-over agent switches nothing', async () => {
  // Another profile has no such route, and sees nothing of what ops asks.
  const asked = await want(ops, BETA);
  assert.equal(asked.status, 202);
  assert.equal((await want(personal, BETA)).status, 404);
  for (const path of ['/switch', `/confirmations/${asked.id}`]) assert.equal((await personal.ask('llm', 'spark', 'GET', path)).status, 404, path);
  // No route of an agent decides: not spark's, not the gate's.
  const pending = (await bot.json('approval', 'list', 'ops')).profiles[0].switches.find((found) => found.id === asked.id);
  const words = [
    { by: 'operator', user: 'root', verdict: 'allow', digest: pending.digest },
    { by: 'device', profile: 'ops', device: 'a'.repeat(64), verdict: 'allow', digest: pending.digest, signature: 'A'.repeat(86) },
    { verdict: 'allow', digest: pending.digest, user: 'root' },
  ];
  for (const word of words) {
    for (const [socket, host] of [['llm', 'spark'], ['egress', 'gate']]) {
      for (const method of ['POST', 'PUT']) {
        const got = await ops.ask(socket, host, method, `/confirmations/${asked.id}`, word);
        assert.ok(got.status >= 400, `${socket} ${method}: ${got.status}`);
      }
    }
  }
  for (const [method, path] of [['POST', '/switch/check'], ['PUT', '/config'], ['GET', '/confirmations'], ['PUT', '/cards']]) {
    assert.ok((await ops.ask('llm', 'spark', method, path, {})).status >= 400, path);
  }
  // Ids that would be more than one word of a command.
  for (const model of [`${BETA} x`, `${BETA}\nswitch ${ALPHA}`, `${BETA};reboot`, '$(reboot)', '`reboot`', `'${BETA}'`, `"${BETA}"`, '--help', `${BETA}\u0000`]) {
    const { status } = await want(ops, model);
    assert.ok(status === 400 || status === 404, `${JSON.stringify(model)}: ${status}`);
  }
  assert.equal((await standing()).running, null);
  assert.equal(await box.model(), ALPHA);
  // The operator denies it; it cannot be allowed afterwards.
  await bot.botctl('approval', 'deny', 'ops', asked.id, '--yes');
  assert.equal(json(await ops.ask('llm', 'spark', 'GET', `/confirmations/${asked.id}`)).state, 'denied');
  const late = await bot.botctl('approval', 'allow', 'ops', asked.id, '--yes', { mayFail: true });
  assert.notEqual(late.code, 0);
});

test('a device\'s word counts for its own profile, once', async () => {
  const asked = await want(ops, BETA);
  await card(`from ${ALPHA} to ${BETA}`);
  const decide = (path, body) => page.evaluate(async ([path, body]) => {
    const got = await fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    return got.status;
  }, [path, body]);
  assert.equal(await decide(`/gate/confirmations/${asked.id}`, { verdict: 'allow', digest: 'a'.repeat(64), signature: 'A'.repeat(86) }), 401, 'without a ticket');
  // A browser that is paired with the other profile does not see it.
  const other = await device(browser);
  await pair(other, await bot.link('personal'));
  await other.goto(`${bot.url('personal')}/confirmations`);
  await other.getByText('Nothing waits for you.').waitFor();
  assert.equal(await other.locator('confirm-card').count(), 0);
  await (await card(`from ${ALPHA} to ${BETA}`)).getByRole('button', { name: 'Deny' }).click();
  await until('it is denied', async () => json(await ops.ask('llm', 'spark', 'GET', `/confirmations/${asked.id}`)).state === 'denied');
  assert.equal(await box.model(), ALPHA);
});

test('a restart of spark in the middle goes on watching, and commands nothing twice', async () => {
  await box.behave('slow');
  const asked = await want(ops, BETA);
  await (await card(`from ${ALPHA} to ${BETA}`)).getByRole('button', { name: 'Allow once' }).click();
  await until('the box is at work', async () => /starting/.test((await standing()).running?.progress ?? ''));
  const spark = bot.container('spark');
  const before = (await inspect(spark)).State.StartedAt;
  await docker('kill', '--signal', 'KILL', spark);
  await until('spark is back', async () => (await inspect(spark)).State.StartedAt !== before && (await standing()).running?.phase === 'waiting', 60);
  const meanwhile = json(await personal.ask('llm', 'spark', 'POST', '/v1/chat/completions', { model: ALPHA, messages: [{ role: 'user', content: 'hi' }] }));
  assert.equal(meanwhile.error.code, 'switch_in_progress');
  await box.behave('well');
  const report = await over(asked.id);
  assert.deepEqual([report.outcome, /restarted/.test(report.message)], ['done', true], report.message);
  await answers(BETA);
});

test('a switch that fails names the way back, and the way back works', async () => {
  await box.behave('fail');
  const failed = await bot.botctl('spark', 'switch', ALPHA, '--yes', { mayFail: true, seconds: 120 });
  assert.equal(failed.code, 1);
  assert.match(failed.stdout, new RegExp(`failed[^]*start-model failed[^]*the way back: .*botctl.* spark switch ${BETA}`));
  await box.behave('well');
  await bot.botctl('spark', 'switch', BETA, '--yes', { seconds: 120 });
  await answers(BETA);
});

test('who decided is on record, and the key is with spark alone', async () => {
  const trail = await until('heads are kept', async () => {
    const found = await bot.json('audit', 'ops', '-n', '1000', '--verify');
    return found.verified && found;
  }, 90);
  const kinds = new Set(trail.lines.map((line) => `${line.chain} ${line.kind}`));
  for (const kind of ['supervisor switch.decided', 'gate confirmation.relayed']) assert.ok(kinds.has(kind), `${kind} is not in ${[...kinds].join(', ')}`);
  const secrets = (await bot.json('secret', 'list')).secrets.find(({ name }) => name === 'spark-ssh');
  assert.deepEqual(secrets.used_by, ['spark']);
});
