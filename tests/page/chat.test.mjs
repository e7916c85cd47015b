import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Chat } from '../../sidecars/gate/page/chat.js';
import { Storage } from './timers.mjs';

const ID = 'a'.repeat(32);
const summary = (id, more) => ({ id, bot: 'assistant', title: 'Title', created_at: 0, updated_at: 0, messages: 1, running: false, ...more });

/** A chat whose agent is played by the test. */
function play({ sessions = [], storage = new Storage(), session, fetch } = {}) {
  const sent = [];
  const socket = { online: true, send: (frame) => socket.online && Boolean(sent.push(frame)), wake() {} };
  const chat = new Chat({ socket, storage, session, fetch });
  const events = [];
  for (const name of ['sessions', 'session', 'thread', 'older', 'turn', 'text', 'answer', 'sent', 'outbox', 'notice']) chat.addEventListener(name, () => events.push(name));
  const hear = (frame) => socket.onframe(frame);
  const connect = (list = sessions) => {
    socket.online = true;
    socket.onstate('online', { ticket: 'ticket', name: 'Phone' });
    hear({ type: 'welcome', profile: 'personal', bots: [{ name: 'assistant', title: 'A', demo: false }, { name: 'home', title: 'H', demo: false }], sessions: list });
  };
  const lose = () => {
    socket.online = false;
    socket.onstate('waiting', { reason: 'lost' });
  };
  const take = () => sent.splice(0).map(({ type, ...rest }) => [type, rest.session ?? rest.id]);
  return { chat, socket, sent, events, storage, hear, connect, lose, take };
}

test('the first message asks for the session; once it is there it is opened and the message goes out', () => {
  const { chat, connect, hear, take, storage } = play();
  connect();
  assert.deepEqual(take(), []);
  chat.choose('home');
  assert.equal(chat.send('Hello'), true);
  chat.send('One more');
  assert.deepEqual(take(), [['create_session', chat.session]]);
  hear({ type: 'sessions', sessions: [] });
  hear({ type: 'sessions', sessions: [summary(chat.session, { bot: 'home' })] });
  hear({ type: 'sessions', sessions: [summary(chat.session, { bot: 'home' })] });
  assert.deepEqual(take(), [['open', chat.session], ['send', chat.session], ['send', chat.session]]);
  assert.equal(chat.outbox.entries()[0].bot, 'home');
  assert.equal(chat.bot.name, 'home');
  assert.equal(storage.getItem('session'), chat.session);
});

test('what a bot remembers is asked for, changed and deleted', () => {
  const { chat, connect, hear, take, sent } = play({ sessions: [summary(ID)], session: ID });
  connect();
  take();
  let told = 0;
  chat.addEventListener('memory', () => { told += 1; });
  chat.seeMemory('home');
  hear({ type: 'memory', memory: { bot: 'home', facts: [{ id: '1a2b3c4d', text: 'One.' }], prompt_bytes: 3000 } });
  chat.editFact('1a2b3c4d', 'Two.');
  chat.forgetFact('1a2b3c4d');
  assert.deepEqual(sent, [{ type: 'memory', bot: 'home' }, { type: 'edit_fact', bot: 'home', id: '1a2b3c4d', text: 'Two.' }, { type: 'forget_fact', bot: 'home', id: '1a2b3c4d' }]);
  assert.deepEqual([told, chat.memory.facts.length], [1, 1]);
});

test('written without a connection it is sent with the next, again until it is acknowledged', () => {
  const { chat, connect, lose, take, hear } = play({ sessions: [summary(ID)], session: ID });
  connect();
  hear({ type: 'history', session: ID, messages: [], more: false, turn: null });
  lose();
  chat.send('one');
  chat.send('two');
  assert.deepEqual(take(), [['open', ID]]);
  connect();
  assert.deepEqual(take(), [['open', ID], ['send', ID], ['send', ID]]);
  lose();
  connect();
  assert.equal(take().length, 3, 'not acknowledged: again');
  const [{ id, text }] = chat.outbox.entries();
  hear({ type: 'message', session: ID, message: { seq: 1, id, author: 'person', at: 0, text, tree: [], tools: [] } });
  lose();
  connect();
  assert.deepEqual(take(), [['open', ID], ['send', ID]]);
});

test('an acknowledgement that was lost is found in the history', () => {
  const { chat, connect, hear } = play({ sessions: [summary(ID)], session: ID });
  connect();
  chat.send('one');
  const [{ id }] = chat.outbox.entries();
  hear({ type: 'history', session: ID, messages: [{ seq: 1, id, author: 'person', at: 0, text: 'one', tree: [], tools: [] }], more: false, turn: null });
  assert.deepEqual(chat.outbox.entries(), []);
});

test('a session that was begun offline survives a reload', () => {
  const storage = new Storage();
  const before = play({ storage });
  before.connect();
  before.lose();
  before.chat.send('Hello');
  const session = before.chat.session;
  const after = play({ storage });
  assert.equal(after.chat.session, session);
  after.connect();
  assert.deepEqual(after.take(), [['create_session', session]]);
  after.lose();
  after.connect([summary(session)]);
  assert.deepEqual(after.take(), [['open', session], ['send', session]]);
});

test('a refused message keeps its reason and is not sent again by itself', () => {
  const { chat, connect, lose, take, hear } = play({ sessions: [summary(ID)], session: ID });
  connect();
  chat.send('one');
  const [{ id }] = chat.outbox.entries();
  hear({ type: 'failed', code: 'too_large', message: 'too long', session: ID, id });
  assert.equal(chat.outbox.get(id).failed, 'too long');
  take();
  lose();
  connect();
  hear({ type: 'sessions', sessions: [summary(ID)] });
  assert.deepEqual(take(), [['open', ID]]);
  chat.retry(id);
  assert.deepEqual(take(), [['send', ID]]);
  chat.discard(id);
  assert.deepEqual(chat.outbox.entries(), []);
});

test('an agent that is stopping refuses nothing for good', () => {
  const { chat, connect, lose, hear, take } = play({ sessions: [summary(ID)], session: ID });
  connect();
  chat.send('one');
  const [{ id }] = chat.outbox.entries();
  hear({ type: 'failed', code: 'agent_unavailable', message: 'restarting', session: ID, id });
  assert.equal(chat.outbox.get(id).failed, null);
  take();
  lose();
  connect();
  assert.deepEqual(take(), [['open', ID], ['send', ID]]);
});

test('a session that was deleted elsewhere is left', () => {
  const { chat, connect, hear } = play({ sessions: [summary(ID)], session: ID });
  connect();
  hear({ type: 'history', session: ID, messages: [{ seq: 1, id: 'b', author: 'person', at: 0, text: 'x' }], more: false, turn: null });
  hear({ type: 'sessions', sessions: [] });
  assert.equal(chat.session, null);
  const unknown = play({ session: ID });
  unknown.connect();
  assert.equal(unknown.chat.session, null);
  const late = play({ sessions: [summary(ID)], session: ID });
  late.connect();
  late.hear({ type: 'failed', code: 'not_found', message: 'gone', session: ID, id: null });
  assert.equal(late.chat.session, null);
});

test('a session that was just made is not taken for a deleted one', () => {
  const { chat, connect, hear } = play();
  connect();
  chat.send('Hello');
  const { session } = chat;
  const [{ id }] = chat.outbox.entries();
  hear({ type: 'sessions', sessions: [] });
  assert.equal(chat.session, session);
  hear({ type: 'sessions', sessions: [summary(session)] });
  hear({ type: 'message', session, message: { seq: 1, id, author: 'person', at: 0, text: 'Hello', tree: [], tools: [] } });
  assert.equal(chat.session, session);
});

test('changing sessions subscribes to the new one, once', () => {
  const other = 'b'.repeat(32);
  const { chat, connect, take } = play({ sessions: [summary(ID), summary(other)] });
  connect();
  chat.open(ID);
  chat.open(ID);
  chat.open(other);
  chat.open(null);
  chat.open(ID);
  assert.deepEqual(take(), [['open', ID], ['open', other], ['open', ID]]);
});

test('a gap in the answer opens the session again', () => {
  const { connect, hear, take } = play({ sessions: [summary(ID)], session: ID });
  connect();
  hear({ type: 'history', session: ID, messages: [], more: false, turn: { id: 't', phase: 'answering', text: '', tools: [] } });
  take();
  hear({ type: 'delta', session: ID, turn: 't', offset: 5, text: 'x' });
  assert.deepEqual(take(), [['open', ID]]);
});

test('older messages are asked for once, and again after a lost connection', () => {
  const { chat, connect, lose, hear, take } = play({ sessions: [summary(ID)], session: ID });
  const page = { type: 'history', session: ID, messages: [{ seq: 51, id: 'x', author: 'bot', at: 0, text: '' }], more: true, turn: null };
  connect();
  hear(page);
  chat.older();
  chat.older();
  assert.deepEqual(take(), [['open', ID], ['older', ID]]);
  lose();
  chat.older();
  connect();
  hear(page);
  chat.older();
  assert.deepEqual(take(), [['open', ID], ['older', ID]]);
});

test('what needs a connection says so without one', () => {
  const { chat, connect, lose, events } = play({ sessions: [summary(ID)], session: ID });
  connect();
  lose();
  events.length = 0;
  chat.rename('x');
  chat.remove();
  assert.deepEqual(events, ['notice', 'notice']);
  assert.equal(chat.session, ID);
});

test('an export is named after the session and asks with the ticket', async () => {
  const asked = [];
  const fetch = async (path, options) => {
    asked.push(path, options.headers.authorization);
    return { ok: true, headers: new Map([['content-type', 'text/markdown; charset=utf-8']]), blob: async () => 'blob' };
  };
  const { chat, connect } = play({ sessions: [summary(ID, { title: 'The boiler / ../ "window"?' })], session: ID, fetch });
  connect();
  assert.deepEqual(await chat.export(), { name: 'The boiler  .. window.md', blob: 'blob' });
  assert.deepEqual(asked, [`/api/sessions/${ID}/export`, 'Bearer ticket']);
});

test('an answer to what a tool asks goes out once; where it did not count it can be given again', () => {
  const { chat, connect, hear, lose, sent, events } = play({ sessions: [summary(ID)], session: ID });
  connect();
  const asking = { approval: 'b'.repeat(32), digest: 'd'.repeat(64), expires_at: 0, why: 'a rule' };
  sent.length = 0;
  chat.decide(asking, true);
  chat.decide(asking, false);
  assert.deepEqual(sent, [{ type: 'decide', approval: asking.approval, digest: asking.digest, allow: true }]);
  assert.equal(chat.isAnswered(asking), true);
  hear({ type: 'failed', code: 'forbidden', message: 'not you', session: null, id: asking.approval });
  assert.equal(chat.isAnswered(asking), false);
  assert.ok(events.includes('notice'));
  lose();
  chat.decide(asking, false);
  assert.equal(chat.isAnswered(asking), false, 'nothing goes out without a connection');
  connect();
  chat.decide(asking, false);
  assert.equal(sent.at(-1).allow, false);
});
