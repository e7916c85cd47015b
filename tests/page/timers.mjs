// What a browser has and a test needs: a clock that moves only when it is told to, and a storage.
import { webcrypto } from 'node:crypto';

globalThis.crypto ??= webcrypto; // Node 18 keeps it to itself

/** Timers on a clock of their own. */
export class Timers {
  now = 0;
  #next = 1;
  #due = new Map();

  setTimeout = (act, delay) => {
    const id = this.#next++;
    this.#due.set(id, { act, at: this.now + delay });
    return id;
  };

  clearTimeout = (id) => {
    this.#due.delete(id);
  };

  /** Lets time pass; what comes due runs in order. */
  pass(millis) {
    const end = this.now + millis;
    for (;;) {
      const [id, timer] = [...this.#due].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0] ?? [];
      if (!timer) break;
      this.#due.delete(id);
      this.now = timer.at;
      timer.act();
    }
    this.now = end;
  }

  get waiting() {
    return this.#due.size;
  }
}

/** `localStorage`, in memory; `room` bounds it in characters. */
export class Storage {
  #values = new Map();

  constructor(room = Infinity) {
    this.room = room;
  }

  get length() {
    return this.#values.size;
  }

  key(n) {
    return [...this.#values.keys()][n] ?? null;
  }

  getItem(key) {
    return this.#values.get(key) ?? null;
  }

  setItem(key, value) {
    if (String(value).length > this.room) throw new Error('QuotaExceededError');
    this.#values.set(key, String(value));
  }

  removeItem(key) {
    this.#values.delete(key);
  }
}

/** `indexedDB` with one store, in memory: requests are answered at once, transactions end after them. */
export function database() {
  const values = new Map();
  const store = {
    get: (key) => ({ result: values.get(key) }),
    put: (value, key) => ({ result: void values.set(key, value) }),
    delete: (key) => ({ result: void values.delete(key) }),
    add: (value, key) => {
      if (!values.has(key)) return store.put(value, key);
      return { error: new Error('ConstraintError') };
    },
  };
  const transaction = () => {
    const made = {
      objectStore: () => Object.fromEntries(Object.entries(store).map(([name, act]) => [name, (...given) => {
        const request = act(...given);
        made.error = request.error ?? made.error;
        return request;
      }])),
    };
    queueMicrotask(() => (made.error ? made.onabort() : made.oncomplete()));
    return made;
  };
  const open = () => {
    const opening = { result: { transaction, close() {} } };
    queueMicrotask(() => opening.onsuccess());
    return opening;
  };
  return { open };
}
