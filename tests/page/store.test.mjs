import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Store } from '../../sidecars/gate/page/store.js';

const message = (seq, author = 'person', id = `m${seq}`) => ({ seq, id, author, at: seq, text: `text ${seq}`, tree: [], tools: [], note: null });
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, n) => message(from + n));
const turn = (text = '', id = 't1') => ({ id, phase: 'waiting', text, tools: [], started_at: 0 });
const seqs = (store) => store.thread.messages.map(({ seq }) => seq);

function opened(messages = [], more = false, running = null) {
  const store = new Store();
  store.select('s');
  store.apply({ type: 'history', session: 's', messages, more, turn: running });
  return store;
}

test('sessions are the newest first, frames of other sessions are ignored', () => {
  const store = new Store();
  store.apply({ type: 'welcome', profile: 'p', bots: [{ name: 'b' }], sessions: [{ id: '1', updated_at: 1 }, { id: '2', updated_at: 2 }] });
  assert.deepEqual(store.sessions.map(({ id }) => id), ['2', '1']);
  assert.deepEqual(store.apply({ type: 'summary', summary: { id: '1', updated_at: 3, running: true } }), ['sessions']);
  assert.deepEqual(store.sessions, [{ id: '1', updated_at: 3, running: true }, { id: '2', updated_at: 2 }]);
  store.apply({ type: 'summary', summary: { id: '3', updated_at: 4 } });
  assert.deepEqual(store.sessions.map(({ id }) => id), ['3', '1', '2']);
  assert.equal(store.bot('b').name, 'b');
  store.select('s');
  assert.deepEqual(store.apply({ type: 'turn', session: 'other', turn: turn() }), []);
});

test('a delta that was heard before is not doubled, one that is missing asks for the thread again', () => {
  const check = (have, offset, text, expected, change) => {
    const store = opened(range(1, 1), false, turn(have));
    assert.deepEqual(store.apply({ type: 'delta', session: 's', turn: 't1', offset, text }), change);
    assert.equal(store.thread.turn.text, expected);
  };
  check('', 0, 'Hello', 'Hello', ['text']);
  check('Hello', 5, ' you', 'Hello you', ['text']);
  check('Hello', 0, 'Hello', 'Hello', []);
  check('Hello', 3, 'lo you', 'Hello you', ['text']);
  check('Hello', 9, 'far', 'Hello', ['resync']);
  check('\u{1f600}', 2, '!', '\u{1f600}!', ['text']);
  assert.deepEqual(opened().apply({ type: 'delta', session: 's', turn: 'unknown', offset: 0, text: 'x' }), ['resync']);
});

test('what a turn waits for is kept until it speaks, and nobody else waits for it', () => {
  const progress = { phase: 'queued', position: 2, ahead_millis: null, waited_millis: 1200 };
  const store = opened(range(1, 1), false, turn());
  const hear = (id, told = progress) => store.apply({ type: 'progress', session: 's', turn: id, progress: told });
  assert.deepEqual(hear('t1'), ['text']);
  assert.deepEqual(store.thread.turn.progress, progress);
  assert.deepEqual(hear('other', { ...progress, position: 9 }), []);
  assert.equal(store.thread.turn.progress.position, 2);
  store.apply({ type: 'delta', session: 's', turn: 't1', offset: 0, text: 'Hello' });
  assert.equal(store.thread.turn.progress, undefined);
  assert.deepEqual(hear('t1'), [], 'it speaks already');
  assert.deepEqual(opened().apply({ type: 'progress', session: 's', turn: 't1', progress }), []);
});

test('an answer replaces the turn that wrote it', () => {
  const store = opened(range(1, 1));
  assert.deepEqual(store.apply({ type: 'turn', session: 's', turn: turn('half') }), ['turn']);
  assert.deepEqual(store.apply({ type: 'message', session: 's', message: message(2, 'bot') }), ['thread', 'answer']);
  assert.equal(store.thread.turn, null);
  assert.deepEqual(store.apply({ type: 'ended', session: 's', turn: 't1', outcome: 'completed' }), []);
});

test('a turn that ends without a message is gone, the end of another is not its end', () => {
  const store = opened(range(1, 1), false, turn());
  store.apply({ type: 'ended', session: 's', turn: 'older', outcome: 'failed' });
  assert.equal(store.thread.turn.id, 't1');
  store.apply({ type: 'ended', session: 's', turn: 't1', outcome: 'failed' });
  assert.equal(store.thread.turn, null);
});

test('messages have no gaps and no doubles', () => {
  const store = opened(range(1, 2));
  assert.deepEqual(store.apply({ type: 'message', session: 's', message: message(2) }), ['thread']);
  assert.deepEqual(seqs(store), [1, 2]);
  assert.deepEqual(store.apply({ type: 'message', session: 's', message: message(4) }), ['resync']);
  assert.deepEqual(seqs(store), [1, 2]);
});

test('what comes before the history is in the history', () => {
  const store = new Store();
  store.select('s');
  assert.deepEqual(store.apply({ type: 'message', session: 's', message: message(9) }), []);
  assert.equal(store.thread.loaded, false);
});

test('older messages are asked for once and put before', () => {
  const store = opened(range(51, 100), true);
  assert.equal(store.older(), 51);
  assert.equal(store.older(), undefined);
  assert.deepEqual(store.apply({ type: 'history', session: 's', messages: range(1, 50), more: false, turn: null }), ['older']);
  assert.deepEqual(seqs(store), range(1, 100).map(({ seq }) => seq));
  assert.equal(store.older(), undefined);
});

test('older messages do not end the running turn', () => {
  const store = opened(range(51, 100), true, turn('so far'));
  store.older();
  store.apply({ type: 'history', session: 's', messages: range(1, 50), more: false, turn: null });
  assert.equal(store.thread.turn.text, 'so far');
});

test('a fresh history after a reconnect joins what is at hand', () => {
  const check = (known, fresh, expected) => {
    const store = opened(known, true);
    store.apply({ type: 'history', session: 's', messages: fresh, more: true, turn: null });
    assert.deepEqual(seqs(store), expected.map(({ seq }) => seq));
  };
  check(range(1, 60), range(31, 80), range(1, 80));
  check(range(1, 30), range(31, 80), range(1, 80));
  check(range(1, 20), range(31, 80), range(31, 80));
  check(range(1, 60), range(1, 40), range(1, 40)); // rewound by a restore
  check(range(1, 3), [message(2, 'bot', 'other'), message(3), message(4)], range(2, 4));
  check(range(1, 3), [], []);
});
