// The field one writes in, in two tabs of one browser: each reads its own copy of the storage, which hears of the other's writes later, one by one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Chat } from '../../sidecars/gate/page/chat.js';
import { Storage } from './timers.mjs';

// As much of a document as the field needs.
class Element extends EventTarget {
  style = {};
  value = '';
  hidden = false;
  scrollHeight = 20;
  append() {}
  setAttribute() {}
  focus() {}
}
globalThis.HTMLElement = Element;
globalThis.document = { createElement: () => new Element(), createElementNS: () => new Element(), querySelector: () => null, documentElement: { lang: 'en' } };
globalThis.matchMedia = () => ({ matches: false });
const elements = new Map();
globalThis.customElements = { define: (name, element) => elements.set(name, element) };
await import('../../sidecars/gate/page/elements/chat-composer.js');

const ID = 'a'.repeat(32);
const OTHER = 'b'.repeat(32);
const summary = (id) => ({ id, bot: 'assistant', title: 'Title', created_at: 0, updated_at: 0, messages: 1, running: false });

/** The storage of one tab: its copy, what it has to hear, and whom it tells. */
class Copy extends Storage {
  others = [];
  #heard = [];

  setItem(key, value) {
    super.setItem(key, value);
    for (const other of this.others) other.#heard.push([key, value]);
  }

  removeItem(key) {
    if (this.getItem(key) === null) return;
    super.removeItem(key);
    for (const other of this.others) other.#heard.push([key, null]);
  }

  /** Hears of one write; whether there was one. */
  hear(tell) {
    const [key, newValue] = this.#heard.shift() ?? [];
    if (!key) return false;
    const oldValue = this.getItem(key);
    if (newValue === null) super.removeItem(key);
    else super.setItem(key, newValue);
    tell({ key, oldValue, newValue });
    return true;
  }
}

function open(storage, session) {
  const sent = [];
  const socket = { online: true, send: (frame) => Boolean(sent.push(frame)), wake() {} };
  const chat = new Chat({ socket, storage, session });
  const composer = Object.assign(new (elements.get('chat-composer'))(), { chat });
  composer.connectedCallback();
  const hear = (frame) => socket.onframe(frame);
  socket.onstate('online', { ticket: 'ticket', name: 'Phone' });
  hear({ type: 'welcome', profile: 'personal', bots: [{ name: 'assistant', title: 'A', demo: false }], sessions: [summary(ID), summary(OTHER)] });
  if (session) hear({ type: 'history', session, messages: [], more: false, turn: null });
  const type = (text) => {
    composer.field.value = text;
    composer.field.dispatchEvent(new Event('input'));
  };
  const enter = () => composer.field.dispatchEvent(Object.assign(new Event('keydown', { cancelable: true }), { key: 'Enter' }));
  return { chat, storage, hear, type, enter, shown: () => composer.field.value, messages: () => sent.splice(0).filter((frame) => frame.type === 'send').map(({ id, text }) => ({ id, text })) };
}

/** Two tabs; `settle()` lets each hear, turn by turn, until nobody has anything left. */
function two({ left: first = ID, right: second = first } = {}) {
  const storages = [new Copy(), new Copy()];
  storages[0].others = [storages[1]];
  storages[1].others = [storages[0]];
  const [left, right] = [open(storages[0], first), open(storages[1], second)];
  const settle = () => {
    for (let more = true; more;) more = [left, right].map(({ chat, storage }) => storage.hear((event) => chat.stored(event))).some(Boolean);
  };
  return { left, right, settle, shown: () => [left.shown(), right.shown()] };
}

/** The agent takes a message: every tab hears it. */
function take(tabs, { id, text }, session = ID) {
  for (const tab of tabs) tab.hear({ type: 'message', session, message: { seq: 1, id, author: 'person', at: 0, text, tree: [], tools: [] } });
}

test('what one tab sends comes back in no tab, and a second Enter sends nothing', () => {
  const { left, right, settle, shown } = two();
  left.type('natural');
  settle();
  left.enter();
  const [message] = left.messages();
  assert.equal(message.text, 'natural');
  // The other tab hears of the message before it hears that the draft is gone.
  settle();
  assert.deepEqual(shown(), ['', '']);
  take([left, right], message);
  settle();
  assert.deepEqual(shown(), ['', '']);
  for (const tab of [left, right]) tab.enter();
  assert.deepEqual([...left.messages(), ...right.messages()].filter(({ id }) => id !== message.id), []);
  assert.equal(left.storage.getItem(`draft:${ID}`), null);
  assert.equal(right.storage.getItem(`draft:${ID}`), null);
});

test('a tab that already shows the draft lets go of it when it is sent elsewhere', () => {
  const { left, right, settle, shown } = two({ right: OTHER });
  left.type('shared');
  settle();
  right.chat.open(ID);
  assert.deepEqual(shown(), ['shared', 'shared']);
  left.type('shared and longer');
  settle();
  assert.deepEqual(shown(), ['shared and longer', 'shared and longer']);
  right.enter();
  settle();
  assert.deepEqual(shown(), ['', '']);
});

test('each tab keeps what was written in it', () => {
  const { left, right, settle, shown } = two();
  left.type('from the left');
  settle();
  assert.deepEqual(shown(), ['from the left', '']);
  right.type('from the right');
  settle();
  left.enter();
  settle();
  assert.deepEqual(shown(), ['', 'from the right']);
  assert.equal(left.storage.getItem(`draft:${ID}`), 'from the right');
});

test('the first message of a new chat leaves no draft behind', () => {
  const { left, settle, shown } = two({ left: null, right: null });
  left.type('hello');
  settle();
  left.enter();
  settle();
  assert.deepEqual(shown(), ['', '']);
  assert.equal(left.storage.getItem('draft:new'), null);
});

test('a message that was refused and is discarded can be changed, where nothing else stands', () => {
  const { left, settle, shown } = two();
  const refused = (text) => {
    left.type(text);
    left.enter();
    const [{ id }] = left.messages();
    left.hear({ type: 'failed', code: 'too_large', message: 'too long', session: ID, id });
    return id;
  };
  const id = refused('too much');
  settle();
  left.chat.discard(id);
  settle();
  assert.deepEqual(shown(), ['too much', '']);
  const second = refused('again too much');
  left.type('something else');
  left.chat.discard(second);
  assert.equal(left.shown(), 'something else');
});

test('what cannot be delivered any more is shown as the draft of a new chat', () => {
  const storage = new Copy();
  storage.setItem('outbox:1', JSON.stringify({ id: '1', session: 'c'.repeat(32), bot: null, text: 'lost', at: 1, failed: null }));
  assert.equal(open(storage, null).shown(), 'lost');
});
