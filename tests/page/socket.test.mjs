import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Socket } from '../../sidecars/gate/page/socket.js';
import { Timers } from './timers.mjs';

/** A socket whose other side is played by the test. */
function play({ connected = () => true, sign = async () => ({ device: 'd', signature: 's' }) } = {}) {
  const timers = new Timers();
  const lines = [];
  const states = [];
  const frames = [];
  const socket = new Socket({
    url: 'ws://here/ws', timers, sign, connected, random: () => 1,
    dial: () => {
      const line = { sent: [], readyState: 1, send: (text) => line.sent.push(JSON.parse(text)), close: () => { line.readyState = 3; } };
      lines.push(line);
      return line;
    },
  });
  socket.onstate = (state, detail) => states.push(detail.reason ? `${state}:${detail.reason}` : state);
  socket.onframe = (frame) => frames.push(frame);
  const line = () => lines.at(-1);
  const hear = (frame) => line().onmessage({ data: JSON.stringify(frame) });
  const enter = () => hear({ type: 'ready', device: 'd', name: 'n', ticket: 't' });
  return { socket, timers, lines, states, frames, line, hear, enter };
}

test('it answers the challenge and is online after ready', async () => {
  const { socket, states, line, hear, enter, frames } = play();
  socket.start();
  assert.equal(socket.send({ type: 'stop' }), false, 'nothing goes out before ready');
  hear({ type: 'challenge', nonce: 'n' });
  await Promise.resolve();
  await Promise.resolve();
  assert.deepEqual(line().sent, [{ type: 'auth', device: 'd', signature: 's' }]);
  enter();
  assert.deepEqual(states, ['connecting', 'online']);
  hear({ type: 'welcome' });
  assert.deepEqual(frames, [{ type: 'welcome' }]);
  assert.equal(socket.send({ type: 'stop' }), true);
});

test('a refused device waits for the person, every other refusal is tried again', () => {
  const refused = play();
  refused.socket.start();
  refused.hear({ type: 'refused', code: 'unauthorized', message: 'not paired' });
  refused.timers.pass(3_600_000);
  assert.deepEqual(refused.states, ['connecting', 'refused']);
  assert.equal(refused.lines.length, 1);

  const restarting = play();
  restarting.socket.start();
  restarting.hear({ type: 'refused', code: 'agent_unavailable', message: 'later' });
  assert.deepEqual(restarting.states, ['connecting', 'waiting:restarting']);
  restarting.timers.pass(400);
  assert.equal(restarting.lines.length, 2);

  const busy = play();
  busy.socket.start();
  for (const [n, pause] of [400, 800, 1_600].entries()) {
    busy.hear({ type: 'refused', code: 'rate_limited', message: 'too many pages' });
    assert.equal(busy.states.at(-1), 'waiting:busy');
    busy.timers.pass(pause - 1);
    assert.equal(busy.lines.length, n + 1);
    busy.timers.pass(1);
    assert.equal(busy.lines.length, n + 2);
  }
});

test('a challenge that cannot be signed is a refusal', async () => {
  const { socket, states, hear } = play({ sign: async () => { throw new Error('another host'); } });
  socket.start();
  hear({ type: 'challenge', host: 'elsewhere' });
  await new Promise(setImmediate);
  assert.deepEqual(states, ['connecting', 'refused']);
});

test('close codes say why', () => {
  const check = (code, expected, connected) => {
    const { socket, states, line, enter } = play({ connected });
    socket.start();
    enter();
    line().onclose({ code });
    assert.equal(states.at(-1), expected, `${code}`);
  };
  check(1006, 'waiting:lost', () => true);
  check(1012, 'waiting:restarting', () => true);
  check(4503, 'waiting:restarting', () => true);
  check(1013, 'waiting:busy', () => true);
  check(1008, 'waiting:lost', () => true);
  check(1006, 'waiting:offline', () => false);
  check(4401, 'refused', () => true);
});

test('retries back off to a bound and start anew once a connection held', () => {
  const { socket, timers, lines, line, enter } = play();
  socket.start();
  const delays = [];
  for (let n = 0; n < 9; n += 1) {
    line().onclose({ code: 1006 });
    const [count, began] = [lines.length, timers.now];
    while (lines.length === count) timers.pass(100);
    delays.push(timers.now - began);
  }
  assert.deepEqual(delays, [400, 800, 1600, 3200, 6400, 12_800, 15_000, 15_000, 15_000]);
  enter();
  line().onclose({ code: 1012 });
  timers.pass(14_000);
  assert.equal(lines.length, 10, 'a connection that ends at once is part of the same trouble');
  timers.pass(1_000);
  enter();
  timers.pass(20_000);
  line().onmessage({ data: '{"type":"pong","n":1}' });
  line().onclose({ code: 1006 });
  timers.pass(400);
  assert.equal(lines.length, 12);
});

test('a connection without a pong is dead after eight seconds', () => {
  const { socket, timers, states, line, lines, enter, hear, frames } = play();
  socket.start();
  enter();
  timers.pass(20_000);
  assert.deepEqual(line().sent, [{ type: 'ping', n: 1 }]);
  timers.pass(7_999);
  hear({ type: 'pong', n: 1 });
  assert.deepEqual(frames, []);
  timers.pass(12_001);
  assert.deepEqual(line().sent.at(-1), { type: 'ping', n: 2 });
  timers.pass(8_000);
  assert.equal(states.at(-1), 'waiting:lost');
  assert.equal(lines[0].readyState, 3);
});

test('any frame proves life, late events of a connection that was given up do not count', () => {
  const { socket, timers, lines, states, enter, hear, frames } = play();
  socket.start();
  enter();
  timers.pass(20_000);
  hear({ type: 'delta' });
  timers.pass(8_000);
  assert.equal(states.at(-1), 'online');
  lines[0].onclose({ code: 1006 });
  timers.pass(400);
  lines[0].onmessage({ data: '{"type":"delta"}' });
  lines[0].onclose({ code: 4401 });
  assert.equal(frames.length, 1);
  assert.equal(states.at(-1), 'connecting');
});

test('waking dials at once when waiting and probes when online', () => {
  const { socket, timers, lines, line, enter } = play();
  socket.start();
  line().onclose({ code: 1006 });
  socket.wake();
  assert.equal(lines.length, 2);
  enter();
  socket.wake();
  socket.wake();
  assert.deepEqual(line().sent, [{ type: 'ping', n: 1 }], 'one probe is enough');
  timers.pass(8_000);
  assert.equal(line().readyState, 3);
});

test('a gate that says nothing is given up, garbage too', () => {
  const silent = play();
  silent.socket.start();
  silent.timers.pass(20_000);
  assert.equal(silent.states.at(-1), 'waiting:lost');
  const garbage = play();
  garbage.socket.start();
  garbage.line().onmessage({ data: '{"type":' });
  assert.equal(garbage.states.at(-1), 'waiting:lost');
});

test('stop leaves no timer behind', () => {
  const { socket, timers, enter } = play();
  socket.start();
  enter();
  socket.stop();
  assert.equal(timers.waiting, 0);
});
