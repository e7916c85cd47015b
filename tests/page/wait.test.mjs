import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Wait } from '../../sidecars/gate/page/wait.js';
import { speak } from '../../sidecars/gate/page/words.js';
import { read } from './files.mjs';

const say = (tag) => speak(tag, JSON.parse(read(`words/${tag}.json`)));
const turn = (progress, phase = 'waiting', tools = []) => ({ phase, progress, tools });
const queued = (position, waited_millis, ahead_millis = null) => ({ phase: 'queued', position, waited_millis, ahead_millis });

test('what is waited for, and how long', () => {
  const check = (tag, what, seconds, expected) => {
    say(tag);
    const wait = new Wait(0);
    wait.take(what, 0);
    assert.equal(wait.text(seconds * 1_000), expected);
  };
  check('en', turn(), 2, 'Waiting for the model');
  check('en', turn(), 7, 'Waiting for the model · 7 s');
  check('en', turn(queued(2, 1_200)), 11, 'In the queue: number 2 · 12 s');
  check('de', turn(queued(2, 1_200)), 11, 'In der Warteschlange: Platz 2 · 12 s');
  check('en', turn({ phase: 'waiting', waited_millis: 40_000 }), 0, 'The model is reading · 40 s');
  check('de', turn({ phase: 'waiting', waited_millis: 40_000 }), 0, 'Das Modell liest · 40 s');
  check('en', turn({ phase: 'switching', waited_millis: 0, ahead_millis: 300_000 }), 60, 'The model is being switched · 60 s · about 4 min to go');
  check('de', turn({ phase: 'switching', waited_millis: 0, ahead_millis: 45_000 }), 6, 'Das Modell wird gewechselt · 6 s · noch etwa 39 s');
  check('en', turn(queued(1, 0, 9_000)), 2, 'In the queue: number 1');
  check('en', turn({ phase: 'dreaming', waited_millis: 0 }), 1, 'Waiting for the model');
  check('en', turn(undefined, 'tools'), 1, 'Using a tool');
  check('en', turn(undefined, 'tools', [{ state: 'asking' }]), 1, 'Waiting for a person');
  check('en', turn(undefined, 'answering'), 9, '');
});

test('the time goes on from where it was told, also after the position changed', () => {
  say('en');
  const wait = new Wait(0);
  wait.take(turn(queued(3, 8_000)), 0);
  wait.take(turn(queued(2, 20_000)), 12_000);
  assert.equal(wait.text(15_000), 'In the queue: number 2 · 23 s');
  wait.take(turn({ phase: 'waiting', waited_millis: 0 }), 16_000);
  assert.equal(wait.text(22_000), 'The model is reading · 6 s');
});

test('what lasts is said once, and never one after the other', () => {
  say('en');
  const wait = new Wait(0);
  const said = [];
  const changes = { 0: queued(3, 0), 5: queued(2, 5_000), 6: queued(1, 6_000), 20: { phase: 'waiting', waited_millis: 0 } };
  for (let second = 0; second <= 60; second += 1) {
    if (changes[second]) wait.take(turn(changes[second]), second * 1_000);
    const words = wait.spoken(second * 1_000);
    if (words) said.push([second, words]);
  }
  assert.deepEqual(said, [[3, 'In the queue: number 3'], [13, 'In the queue: number 1'], [23, 'The model is reading']]);
});

test('a wait that is over at once, or not at the box, is not said', () => {
  say('en');
  const wait = new Wait(0);
  wait.take(turn(queued(1, 0)), 0);
  assert.equal(wait.spoken(1_000), '');
  wait.take(turn(undefined, 'answering'), 2_000);
  assert.equal(wait.spoken(9_000), '');
  wait.take(turn(undefined, 'tools'), 9_000);
  assert.equal(wait.spoken(30_000), '');
});
