import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Outbox, mintId } from '../../sidecars/gate/page/outbox.js';
import { Storage } from './timers.mjs';

const texts = (outbox, session) => outbox.entries(session).map(({ text }) => text);

test('ids are 32 lower-case hex digits, each its own', () => {
  const ids = new Set(Array.from({ length: 1_000 }, mintId));
  assert.equal(ids.size, 1_000);
  for (const id of ids) assert.match(id, /^[0-9a-f]{32}$/);
});

test('entries keep their order and survive a reload until they are acknowledged', () => {
  const storage = new Storage();
  const outbox = new Outbox(storage);
  const first = outbox.add({ session: 'a', text: 'one', now: 5 });
  outbox.add({ session: 'a', text: 'two', now: 5 });
  outbox.add({ session: 'b', text: 'three', now: 3 });
  assert.deepEqual(texts(new Outbox(storage)), ['one', 'two', 'three']);
  assert.deepEqual(texts(new Outbox(storage), 'a'), ['one', 'two']);
  assert.equal(outbox.remove(first.id), true);
  assert.equal(outbox.remove(first.id), false);
  assert.deepEqual(texts(new Outbox(storage)), ['two', 'three']);
});

test('a refused message stays with its reason until it is sent again or discarded', () => {
  const storage = new Storage();
  const outbox = new Outbox(storage);
  const { id } = outbox.add({ session: 'a', text: 'x' });
  outbox.fail(id, 'the disk is full');
  assert.equal(new Outbox(storage).get(id).failed, 'the disk is full');
  assert.equal(outbox.retry(id).failed, null);
  outbox.fail('unknown', 'nothing happens');
  assert.equal(outbox.entries().length, 1);
});

test('two tabs see each other', () => {
  const storage = new Storage();
  const [left, right] = [new Outbox(storage), new Outbox(storage)];
  const { id } = left.add({ session: 'a', text: 'x' });
  right.reload();
  assert.equal(right.get(id).text, 'x');
  right.remove(id);
  left.reload();
  assert.equal(left.entries().length, 0);
});

test('a full storage loses nothing while the page lives, and the outbox is bounded', () => {
  const outbox = new Outbox(new Storage(20));
  outbox.add({ session: 'a', text: 'longer than the room that is left' });
  assert.equal(outbox.entries().length, 1);
  for (let n = 1; n < 100; n += 1) assert.ok(outbox.add({ session: 'a', text: 'x' }));
  assert.equal(outbox.add({ session: 'a', text: 'too many' }), undefined);
});

test('broken entries are removed', () => {
  const storage = new Storage();
  storage.setItem('outbox:1', '{"id":');
  storage.setItem('outbox:2', '{"id":"3","text":"x"}');
  assert.equal(new Outbox(storage).entries().length, 0);
});

test('drafts are kept by session and pruned with it; undeliverable messages become a draft', () => {
  const storage = new Storage();
  const outbox = new Outbox(storage);
  outbox.setDraft('a', 'here');
  outbox.setDraft('gone', 'nobody reads this');
  outbox.setDraft('made', 'next');
  outbox.add({ session: 'made', bot: 'assistant', text: 'makes it' });
  outbox.add({ session: 'gone', text: 'first' });
  outbox.add({ session: 'gone', text: 'second' });
  outbox.prune(['a']);
  assert.equal(new Outbox(storage).draft('a'), 'here');
  assert.equal(outbox.draft('gone'), '');
  assert.equal(outbox.draft('made'), 'next');
  assert.equal(outbox.draft('new'), 'first\n\nsecond');
  assert.deepEqual(texts(outbox), ['makes it']);
  outbox.setDraft('a', '');
  assert.equal(storage.getItem('draft:a'), null);
});
