import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Scroll } from '../../sidecars/gate/page/scroll.js';

function room({ height = 2_000, seen = 500 } = {}) {
  const box = {
    scrollHeight: height, clientHeight: seen, at: 0,
    get scrollTop() { return this.at; },
    set scrollTop(value) { this.at = Math.max(0, Math.min(value, this.scrollHeight - this.clientHeight)); },
    addEventListener() {},
  };
  const told = [];
  const scroll = new Scroll(box, { ontop: () => told.push('top'), onfollow: (following) => told.push(following) });
  scroll.toEnd();
  return { box, scroll, told, to: (at) => { box.scrollTop = at; scroll.moved(); } };
}

test('at the end it stays at the end', () => {
  const { box, scroll } = room();
  assert.equal(box.scrollTop, 1_500);
  box.scrollHeight = 2_300;
  scroll.settle();
  assert.equal(box.scrollTop, 1_800);
});

test('whoever reads further up is left alone', () => {
  const { box, scroll, told, to } = room();
  to(1_200);
  box.scrollHeight = 2_300;
  scroll.settle();
  assert.equal(box.scrollTop, 1_200);
  assert.deepEqual(told, [false]);
  scroll.toEnd();
  assert.equal(box.scrollTop, 1_800);
  assert.deepEqual(told, [false, true]);
});

test('text that grows faster than the scroll events come does not lose the end', () => {
  const { box, scroll, told } = room();
  for (const height of [2_400, 2_900, 3_300]) {
    box.scrollHeight = height;
    scroll.moved(); // told of the place before: the end is already further down
    assert.equal(scroll.following, true, `${height}`);
    scroll.settle();
    assert.equal(box.scrollTop, height - 500);
  }
  assert.deepEqual(told, []);
});

test('going up while text grows leaves the end, going down to it comes back', () => {
  const { box, scroll, told, to } = room();
  box.scrollHeight = 2_400;
  to(1_480);
  assert.equal(scroll.following, false);
  scroll.settle();
  to(1_700);
  assert.equal(scroll.following, false, 'down, but not to the end');
  to(1_850);
  assert.equal(scroll.following, true);
  assert.deepEqual(told, [false, true]);
});

test('an answer that gets shorter is no going up', () => {
  const { box, scroll, told } = room();
  box.scrollHeight = 1_800;
  box.scrollTop = 1_500; // the browser keeps it within the box
  scroll.moved();
  box.scrollHeight = 2_300;
  scroll.settle();
  assert.equal(box.scrollTop, 1_800);
  assert.deepEqual(told, []);
});

test('two lines from the end is the end', () => {
  const { scroll, to } = room();
  to(1_440);
  assert.equal(scroll.following, true);
  to(1_430);
  assert.equal(scroll.following, false);
});

test('older messages come before the top is reached and move nothing', () => {
  const { box, scroll, told, to } = room();
  to(700);
  assert.deepEqual(told, [false]);
  to(300);
  assert.deepEqual(told, [false, 'top']);
  scroll.keeping(() => { box.scrollHeight += 4_000; });
  assert.equal(box.scrollTop, 4_300);
});

test('a short thread that gets older messages stays at its end', () => {
  const { box, scroll } = room({ height: 400 });
  scroll.keeping(() => { box.scrollHeight = 3_000; });
  assert.equal(box.scrollTop, 2_500);
});
