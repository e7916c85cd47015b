import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Device } from '../../sidecars/gate/page/device.js';
import { database } from './timers.mjs';

test('a next key that nobody spoke about is tried again, and stays until the supervisor refuses it', async () => {
  globalThis.indexedDB = database();
  const first = await Device.next();
  for (const status of [503, undefined, 400, 401, 403, 429]) {
    await Device.refused(status);
    assert.equal((await Device.next()).id, first.id, `${status}`);
  }
  await Device.refused(409);
  assert.notEqual((await Device.next()).id, first.id);
});

test('two tabs that ask for a next key get the same, and who is refused finds it', async () => {
  globalThis.indexedDB = database();
  await (await Device.next()).keep();
  const old = await Device.load();
  const [one, other] = await Promise.all([Device.next(), Device.next()]);
  assert.equal(one.id, other.id);
  // The gate took it after all: the old key is refused, the next one is in.
  const found = await Device.successor(old.id);
  assert.equal(found.id, one.id);
  await found.keep();
  assert.equal((await Device.load()).id, one.id);
});

test('who is refused finds the next key also while another page makes it the key', async () => {
  const store = globalThis.indexedDB = database();
  await (await Device.next()).keep();
  const old = await Device.load();
  const next = await Device.next();
  // The other page is done between the first and the second look of this one.
  let looks = 0;
  globalThis.indexedDB = {
    open(...args) {
      looks += 1;
      if (looks !== 2) return store.open(...args);
      const late = {};
      next.keep().then(() => {
        const opening = store.open(...args);
        opening.onsuccess = () => { late.result = opening.result; late.onsuccess(); };
      });
      return late;
    },
  };
  assert.equal((await Device.successor(old.id))?.id, next.id);
});
