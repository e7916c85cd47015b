import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Records, fold } from '../../sidecars/gate/page/records.js';

const NOW = 1_700_000_000_000;
const entry = (n, at = NOW - 1_000 + n, more = {}) => ({ n, at, kind: 'egress.allowed', actor: 'gate', data: {}, ...more });
const gateOf = (...ns) => ({ entries: ns.map((n) => entry(n)), more: false });
const shown = (records) => records.lines().map(({ who, n }) => `${who} ${n}`);

/** Answers by path; `agent` gets the path and the signal. */
function play(gates, agent, limit) {
  const asked = [];
  const get = async (path, signal) => {
    asked.push(path);
    return path.startsWith('/gate/') ? gates.shift() : agent(path, signal);
  };
  return { records: new Records(get, { now: () => NOW, limit: limit ?? (() => undefined) }), asked };
}

test('an agent that dates into the future hides nothing of the gate, and never ends on a date that is none', async () => {
  for (const at of [8e15, 9e15, NOW + 86_400_001, -1, Number.MIN_SAFE_INTEGER]) {
    const { records } = play([{ ...gateOf(9, 8), more: true }], async () => ({ entries: [entry(1, at)], more: true }));
    await records.read(() => {});
    assert.deepEqual(shown(records), ['gate 9', 'gate 8'], `${at}`);
    for (const line of records.lines()) new Date(line.at).toISOString();
  }
  const { records, asked } = play([{ ...gateOf(9), more: true }, gateOf(8)], async () => ({ entries: [entry(1, NOW + 86_400_000)], more: true }));
  await records.read(() => {});
  await records.read(() => {});
  assert.deepEqual(shown(records), ['agent 1', 'agent 1', 'gate 9', 'gate 8']);
  assert.equal(asked.filter((path) => path.startsWith('/gate/audit')).length, 2, 'the gate is read on whatever the agent says');
});

test('the lines of the gate are drawn before the agent answers, and one that dribbles runs out of time', async () => {
  const time = new AbortController();
  const dribble = (_, signal) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  const { records } = play([gateOf(9)], dribble, () => time.signal);
  const drawn = [];
  const reading = records.read(() => drawn.push(shown(records)));
  await new Promise(setImmediate);
  assert.deepEqual(drawn, [['gate 9']]);
  time.abort();
  await reading;
  assert.deepEqual([drawn.length, records.silent, records.more], [2, true, false]);
});

test('an agent that says what is none, or that it is the gate, is marked and harmless', async () => {
  for (const answer of [null, {}, { entries: 7 }, { entries: [null] }, { entries: [entry(1, 1.5), entry('1'), { ...entry(1), kind: {} }], more: true }]) {
    const { records } = play([gateOf(9)], async () => answer);
    await records.read(() => {});
    assert.deepEqual([shown(records), records.more], [['gate 9'], false]);
  }
  const { records } = play([gateOf(9)], async () => ({ entries: [entry(1, NOW, { who: 'gate' })], more: false }));
  await records.read(() => {});
  assert.deepEqual(shown(records), ['agent 1', 'gate 9']);
  const flood = play([gateOf(9)], async () => ({ entries: Array.from({ length: 9_999 }, (_, n) => entry(n)), more: false }));
  await flood.records.read(() => {});
  assert.equal(flood.records.lines().length, 51);
});

test('what an honest agent reports is beside the gate as far back as that is read', async () => {
  const pages = [{ entries: [entry(60), entry(4)], more: true }, { entries: [entry(1)], more: false }];
  const { records, asked } = play([{ ...gateOf(70, 50), more: true }, gateOf(3)], async () => pages.shift());
  await records.read(() => {});
  assert.deepEqual([shown(records), records.more], [['gate 70', 'agent 60', 'gate 50'], true]);
  await records.read(() => {});
  assert.deepEqual(shown(records), ['gate 70', 'agent 60', 'gate 50', 'agent 4', 'gate 3', 'agent 1']);
  assert.deepEqual([asked, records.more], [['/gate/audit', '/api/audit', '/gate/audit?before=50', '/api/audit?before=4'], false]);
});

test('a gate that refuses is an error', async () => {
  const records = new Records(async () => { throw Object.assign(new Error('no'), { status: 403 }); });
  await assert.rejects(records.read(() => {}), { status: 403 });
});

test('what happens over and over is one line; what matters never is', () => {
  const line = (n, kind, actor = 'supervisor', who = 'gate') => ({ who, n, at: n * 1_000, kind, actor, data: {} });
  const folded = fold([line(9, 'config.pushed'), line(8, 'config.pushed'), line(7, 'egress.denied', 'agent'), line(6, 'egress.denied', 'agent'), line(5, 'config.pushed'),
    line(4, 'config.pushed', 'supervisor', 'agent'), line(3, 'device.connected', 'device a'), line(2, 'device.connected', 'device b')]);
  assert.deepEqual(folded.map(({ n, many, since }) => [n, many, since]), [[9, 2, 8_000], [7, 1, 7_000], [6, 1, 6_000], [5, 1, 5_000], [4, 1, 4_000], [3, 1, 3_000], [2, 1, 2_000]]);
});

test('only the gate says what devices are called', async () => {
  const names = { [`${'a'.repeat(64)}`]: 'Phone' };
  const records = new Records(async (path) => ({ entries: [], more: false, names: path.startsWith('/gate/') ? names : { [`${'a'.repeat(64)}`]: 'Somebody else' } }));
  await records.read(() => {});
  assert.deepEqual(records.names, names);
});
