// The ops bot with a real PostgREST, a real model box and what the supervisor tells it: one switch and one requeue, each confirmed with
// the device's key on the gate's page in Chromium, both on record. Other requeues are allowed by the operator.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { device, launch } from './lib/browser.mjs';
import { callTool, oneCall, pending, playingModel, transcript } from './lib/calling-model.mjs';
import { Installation } from './lib/installation.mjs';
import { JobsTable } from './lib/jobs-table.mjs';
import { serveOn } from './lib/scripted-model.mjs';
import { until } from './lib/shell.mjs';
import { ALPHA, BETA, SwitchBox } from './lib/switch-box.mjs';
import { ask, assertQuiet, pair } from './lib/talk.mjs';

const TOOLS = ['platform.health', 'platform.logs', 'spark.health', 'spark.models', 'spark.switch', 'jobs.list', 'jobs.show', 'jobs.requeue'];
const scripts = new Map();
const played = playingModel(scripts);
let bot;
let table;
let box;
let model;
let browser;
let chat;
let page;
let token;

before(async () => {
  bot = await Installation.create('ops');
  await bot.up();
  [table, model, box] = await Promise.all([
    JobsTable.start(bot.container('gate', 'ops')),
    serveOn(`${bot.name}-spark`, think),
    SwitchBox.start(`${bot.name}-spark`),
  ]);
  await bot.botctl('secret', 'set', 'spark-ssh', { input: await box.key() });
  await bot.botctl('secret', 'set', 'jobs-apikey', { input: table.keys.sb_publishable });
  await bot.botctl('secret', 'set', 'jobs-key', { input: table.keys.ops_bot });
  await configure(OPS_KEYS);
  await bot.well();
  token = (await bot.json('token', 'create', 'ops', 'test')).token;
  browser = await launch();
  chat = await device(browser);
  await pair(chat, await bot.link('ops'));
  page = await chat.context().newPage();
  await page.goto(`${bot.url('ops')}/confirmations`);
});
after(async () => {
  await browser?.close();
  model?.stop();
  await box?.stop();
  await table?.stop();
  await bot?.remove();
});

const OPS_KEYS = 'header = { name = "apikey", secret = "jobs-apikey" }\nbearer = { secret = "jobs-key" }';
const SECRET_KEY = 'header = { name = "apikey", secret = "jobs-key" }';

/** The box; what a bot with tools asks it is answered by the script. */
async function think(request, body, response) {
  if (body && JSON.parse(body).tools?.length) return played(request, body, response);
  const answer = await fetch(`${box.base}${request.url}`, { method: request.method, body: body || undefined, headers: { 'content-type': 'application/json' } }).catch(() => null);
  response.statusCode = answer?.status ?? 502;
  response.setHeader('content-type', answer?.headers.get('content-type') ?? 'application/json');
  return response.end(answer && Buffer.from(await answer.arrayBuffer()));
}

/** `keys` are lines of the upstream, `more` others. */
async function configure(keys, more = '') {
  const section = `# begin
[spark]
url = "${model.url}/v1"
model = "${ALPHA}"
[spark.switch]
address = "${box.login}"
host_key = "${await box.hostKey()}"
key = { secret = "spark-ssh" }
models = ["${ALPHA}", "${BETA}"]
profiles = ["ops"]
drain_seconds = 20
wait_seconds = 60

[profile.ops.bot.worker]
instructions = "bots/ops.md"
tools = ${JSON.stringify(TOOLS)}

[[profile.ops.policy]]
effect = "allow"
tool = "jobs.*"

[[profile.ops.policy]]
effect = "allow"
tool = "spark.switch"

[profile.ops.upstream.jobs]
preset = "supabase-jobs"
url = "${table.url}"
networks = ["${table.address}/32"]
table = "jobs"
kinds = ["report", "sync"]
${keys}
${more}
# end
`;
  // One bot, so that the page's chats are with it.
  const others = /\[profile\.ops\.bot\.ops\]\n(?:.+\n)*/;
  return bot.configure((text) => `${text.replace(/# begin\n[^]*# end\n/, '').replace(others, '')}${section}`);
}

const call = (tool, args = {}) => callTool({ bot, profile: 'ops', name: 'worker', token }, tool, args);
const status = (id) => table.sql(`select status from jobs where id = ${id}`);
const fail = (id) => table.sql(`update jobs set status = 'failed', updated_at = now() where id = ${id}`);
const cards = (count) => until(`${count} cards wait`, async () => {
  const found = await pending(bot, 'ops');
  return found.length === count && found;
});
/** Allows what waits with the key of the paired browser, which shows `facts`. */
async function allowOnPage(words, facts) {
  const shown = page.locator('confirm-card', { hasText: words }).first();
  await shown.waitFor();
  // When a click counts.
  await page.waitForFunction((since) => performance.now() > since + 600, await page.evaluate(() => performance.now()));
  assert.match(await shown.innerText(), facts);
  await shown.getByRole('button', { name: 'Allow once' }).click();
}
/** The device's decision, as the gate wrote it down. */
async function decided(words) {
  const { devices: [{ id }] } = await bot.json('device', 'list', 'ops');
  const { lines } = await bot.json('audit', 'ops', '-n', '1000');
  const found = lines.filter(({ actor }) => actor === `device ${id}`);
  assert.ok(found.some((line) => words.test(`${line.chain} ${line.kind}`)), JSON.stringify(lines.map(({ chain, kind, actor }) => [chain, kind, actor])));
}
const allow = (card) => bot.botctl('approval', 'allow', 'ops', card.id, '--yes');

test('jobs are listed and shown, those of other kinds are not there', async () => {
  const { jobs, more } = await call('jobs.list', { limit: 5 });
  assert.deepEqual([jobs.length, more], [5, true]);
  assert.ok(jobs.every((job) => ['report', 'sync'].includes(job.kind) && ['failed', 'dead'].includes(job.status)), JSON.stringify(jobs));
  assert.doesNotMatch(JSON.stringify(jobs), /payload/);
  const job = await call('jobs.show', { id: jobs[0].id });
  assert.deepEqual(job, jobs[0]);
  const hidden = await table.sql("select min(id) from jobs where kind = 'billing' and status = 'failed'");
  assert.match(await call('jobs.show', { id: Number(hidden) }), /there is no job \d+ of the kinds report, sync/);
  assert.match(await call('jobs.requeue', { id: Number(hidden) }), /there is no job/);
  assert.match(await call('jobs.show', { id: '1;drop' }), /is not the id of a job/);
  assert.equal((await call('jobs.list', { status: 'running' })).jobs.every((found) => found.status === 'running'), true);
});

test('a job is queued again once a device allowed it on the page, which shows the row; it is on record', async () => {
  await fail(1);
  const asking = call('jobs.requeue', { id: 1, reason: 'the network is back' });
  const [card] = await cards(1);
  assert.equal(card.words, 'Queue job 1 again');
  assert.deepEqual(Object.fromEntries(card.facts), { kind: 'report', status: 'failed', attempts: '0', error: 'boom 0' });
  assert.equal(card.reason, 'the network is back');
  assert.equal(await status(1), 'failed', 'nothing happens before');
  await allowOnPage('Queue job 1 again', /failed[^]*boom 0[^]*the network is back/);
  const done = await asking;
  assert.deepEqual([done.requeued, done.before, done.job.status], [true, 'failed', 'queued'], JSON.stringify(done));
  assert.equal(await table.sql('select request_id, actor, from_status from job_requeues where job_id = 1'),
    `${card.id.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, '$1-$2-$3-$4-$5')}|bot|failed`);
  assert.match(await call('jobs.requeue', { id: 1 }), /job 1 is queued: only failed and dead jobs/);
  await decided(/^gate confirmation\.decided$/);
});

test('a person at the page asks what failed, and has a job queued again; botctl shows what was said and done', async (t) => {
  await fail(2);
  scripts.set('What failed last?', oneCall('jobs_list', { limit: 1 }, 'Job 2, a report. It failed just now.'));
  assert.equal(await ask(chat, 'What failed last?'), 'Job 2, a report. It failed just now.');
  scripts.set('Queue it again, the disk has room now.', oneCall('jobs_requeue', { id: 2, reason: 'the disk has room now' }, 'Job 2 is queued again.'));
  const answer = ask(chat, 'Queue it again, the disk has room now.');
  await allowOnPage('Queue job 2 again', /the disk has room now/);
  assert.equal(await answer, 'Job 2 is queued again.');
  assert.equal(await status(2), 'queued');
  const shown = await transcript(bot, 'ops');
  t.diagnostic(shown);
  assert.match(shown, /\[jobs\.list .*: done\][^]*\[jobs\.requeue .*: done\]\n.*queued again/);
});

test('twenty at once: one applies, by the function and by comparing', async () => {
  const headers = { apikey: table.keys.sb_publishable, authorization: `Bearer ${table.keys.ops_bot}` };
  await fail(5);
  const same = { p_job_id: 5, p_request_id: crypto.randomUUID(), p_actor: 'bot' };
  const again = await Promise.all(Array.from({ length: 20 }, () => table.ask('POST', '/rpc/requeue_job', headers, same)));
  assert.deepEqual(again.map(({ status }) => status), Array(20).fill(200), JSON.stringify(again[0]));
  assert.equal(again.filter(({ body }) => !body[0].replayed).length, 1);
  await fail(5);
  const others = await Promise.all(Array.from({ length: 20 }, () =>
    table.ask('POST', '/rpc/requeue_job', headers, { ...same, p_request_id: crypto.randomUUID() })));
  assert.deepEqual(others.map(({ status }) => status).sort(), [200, ...Array(19).fill(409)]);
  // Over the whole way, as many as scripts may have at once: calls about one job, all allowed.
  await fail(10);
  const asking = Array.from({ length: 8 }, () => call('jobs.requeue', { id: 10 }));
  const waiting = await cards(8);
  await Promise.all(waiting.map(allow));
  const ended = await Promise.all(asking);
  assert.equal(ended.filter((end) => end.requeued).length, 1, JSON.stringify(ended));
  for (const end of ended.filter((found) => !found.requeued)) assert.match(end, /changed by somebody else meanwhile: nothing was done; it is queued now/);
});

test('a race that is lost is said, also with comparing and setting, and old and new keys both work', async () => {
  await bot.botctl('secret', 'rotate', 'jobs-key', { input: table.keys.sb_secret });
  await configure(SECRET_KEY, 'requeue = "compare-and-set"');
  await until('the new key counts', async () => (await call('jobs.list')).jobs?.length > 0);
  await fail(20);
  const losing = call('jobs.requeue', { id: 20 });
  const [late] = await cards(1);
  await table.sql("update jobs set status = 'running', updated_at = now() where id = 20");
  await allow(late);
  assert.match(await losing, /job 20 was changed by somebody else meanwhile: nothing was done; it is running now/);
  await fail(20);
  const winning = call('jobs.requeue', { id: 20 });
  const [card] = await cards(1);
  await allow(card);
  assert.equal((await winning).requeued, true);
  assert.equal(await table.sql('select status, attempts, locked_by is null from jobs where id = 20'), 'queued|0|t');
  // The old kind: one token in both places.
  await bot.botctl('secret', 'rotate', 'jobs-key', { input: table.keys.service_role });
  await configure('header = { name = "apikey", secret = "jobs-key" }\nbearer = { secret = "jobs-key" }');
  await until('the old key counts', async () => (await call('jobs.list')).jobs?.length > 0);
});

test('a wrong key, one that is over, and a server that is down are said', async () => {
  await configure(OPS_KEYS);
  for (const key of [table.keys.expired, 'no-key-at-all']) {
    await bot.botctl('secret', 'rotate', 'jobs-key', { input: key });
    await until('it is refused', async () => /does not accept the key/.test(await call('jobs.list')));
  }
  await bot.botctl('secret', 'rotate', 'jobs-key', { input: table.keys.ops_bot });
  await until('it is accepted', async () => (await call('jobs.list')).jobs);
  await fail(25);
  const asking = call('jobs.requeue', { id: 25 });
  const [card] = await cards(1);
  await table.close();
  await allow(card);
  assert.match(await asking, /nothing was done|cannot be reached|was not reached|not known/);
  assert.match(await call('jobs.list'), /the database cannot be reached; try again in a minute/);
  await table.open();
  assert.equal(await status(25), 'failed');
});

test('the platform is told as its supervisor sees it, and nothing of the other profile', async () => {
  const health = await until('the supervisor has told', async () => {
    const told = await call('platform.health');
    return told.parts && told;
  }, 30);
  assert.deepEqual(health.parts.map(({ part, condition }) => `${part} ${condition}`), ['agent ready', 'gate ready', 'spark ready', 'backup ready']);
  assert.doesNotMatch(JSON.stringify(health), /personal/);
  const logs = await until('logs were told', async () => {
    const told = await call('platform.logs', { part: 'gate', lines: 100 });
    return told.lines && told;
  }, 30);
  assert.ok(logs.lines.length > 0 && logs.lines.every((line) => !/personal/.test(line)), logs.lines.join('\n'));
});

test('one switch, confirmed; both deeds are on record', async () => {
  assert.equal(await box.model(), ALPHA);
  const health = await call('spark.health');
  assert.deepEqual([health.answering, health.model_listed, health.model], [true, true, ALPHA], JSON.stringify(health));
  const { models, switch_to: others } = await call('spark.models');
  assert.ok(models.some(({ id }) => id === ALPHA) && others.includes(BETA), JSON.stringify(models));
  const asking = call('spark.switch', { model: BETA, reason: 'the long document' }).catch(String);
  const [card] = await until('the switch waits', async () => {
    const found = (await bot.json('approval', 'list', 'ops')).profiles[0].switches.filter((one) => one.state.is === 'pending');
    return found.length && found;
  });
  assert.match(card.words, new RegExp(`from ${ALPHA} to ${BETA}`));
  assert.equal(await box.model(), ALPHA, 'nothing happens before');
  await allowOnPage(`from ${ALPHA} to ${BETA}`, /profile ops[^]*the long document/);
  // The bot's own model went: its turn ends so, and what came of it is known to spark.
  assert.match(await asking, /model_not_found/);
  const { last } = await bot.json('spark', 'switch');
  assert.deepEqual([last.id, last.outcome, last.by], [card.id, 'done', 'profile ops'], last.message);
  assert.equal(await box.model(), BETA);
  await decided(/^gate confirmation\.relayed$/);
  assertQuiet(chat);
  const trail = await until('heads are kept', async () => {
    const found = await bot.json('audit', 'ops', '-n', '1000', '--verify');
    return found.verified && found;
  }, 90);
  const kinds = new Set(trail.lines.map((line) => `${line.chain} ${line.kind}`));
  for (const kind of ['gate confirmation.created', 'gate confirmation.decided', 'gate confirmation.released', 'gate confirmation.ended',
    'gate confirmation.relayed', 'supervisor confirmation.decided', 'supervisor switch.decided', 'agent tool.decided', 'agent tool.ran']) {
    assert.ok(kinds.has(kind), `${kind} is not in ${[...kinds].join(', ')}`);
  }
  const words = trail.lines.map((line) => line.words).join('\n');
  for (const tool of ['jobs.requeue', 'spark.switch']) assert.match(words, new RegExp(tool.replace('.', '\\.')), tool);
});
