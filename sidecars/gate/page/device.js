/**
 * This browser's key: Ed25519, made here, never leaves here (non-extractable), kept in IndexedDB.
 * Its public half, hashed, is the device's id.
 */
const encoder = new TextEncoder();

export const base64url = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');

const hex = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('');

/** The first eight digits, as people compare them: `1a2b-3c4d`. */
export const shortCode = (id) => `${id.slice(0, 4)}-${id.slice(4, 8)}`;

/** The text of `platform_types::gate::SignedText`. Signed only for the host that this page came from. */
export function signedText(purpose, device, { profile, host, nonce, time }, here) {
  if (host !== here) throw new Error(`challenge for ${host} on ${here}`);
  return `bot-platform ${purpose} v1\n${profile}\n${host}\n${device}\n${nonce}\n${time}`;
}

export class Device {
  #keys;

  constructor(id, keys) {
    this.id = id;
    this.#keys = keys;
  }

  /** The stored device, or nothing. */
  static async load() {
    const stored = await transact('readonly', (store) => store.get('key'));
    return stored && new Device(stored.id, stored);
  }

  /**
   * A key that may become this browser's: kept beside the one it has until the gate knows which of them is in. Without a word about it the same
   * one is tried again: it may be in already, and asked for twice it is in once.
   */
  static async next() {
    const load = () => transact('readonly', (store) => store.get('next'));
    if (!(await load())) {
      const made = await make();
      await transact('readwrite', (store) => store.add(made, 'next')).catch(() => {});
    }
    const next = await load();
    return new Device(next.id, next);
  }

  /** What to do with the next key after a status that is no success. Only the supervisor's own refusal says that it is not in. */
  static async refused(status) {
    if (status === 409) await Device.forget();
  }

  /** Who this browser may be when the gate does not know `id`: another page took a new key, or the answer about one was lost. */
  static async successor(id) {
    // In this order: between the two another page may make the next one the key.
    const next = await transact('readonly', (store) => store.get('next'));
    const key = await transact('readonly', (store) => store.get('key'));
    if (next?.id === id) await Device.forget();
    const found = key?.id === id ? next : next?.id === id ? undefined : key;
    return found && new Device(found.id, found);
  }

  /** The next key is of no use. */
  static forget() {
    return transact('readwrite', (store) => store.delete('next'));
  }

  /** The gate knows this key: it is this browser's. */
  async keep() {
    const next = await transact('readonly', (store) => store.get('next'));
    if (next?.id !== this.id) return;
    await transact('readwrite', (store) => { store.put(next, 'key'); return store.delete('next'); });
  }

  /** The stored device; a new one when there is none. Two tabs that race end with the same. */
  static async create() {
    const made = await make();
    await transact('readwrite', (store) => store.add(made, 'key')).catch(() => {});
    globalThis.navigator.storage?.persist?.().catch(() => {});
    const device = await Device.load();
    if (!device) throw new Error('this browser keeps no keys');
    return device;
  }

  get publicKey() {
    return base64url(this.#keys.raw);
  }

  async sign(purpose, challenge, here = location.host) {
    return this.#sign(signedText(purpose, this.id, challenge, here));
  }

  /** Decides about exactly the request with this digest: the text of `platform_types::egress::SignedDecision`. */
  async decide(profile, { id, digest }, verdict) {
    return this.#sign(`bot-platform confirm v1\n${profile}\n${this.id}\n${id}\n${digest}\n${verdict}`);
  }

  /** Decides about another device that asks to be paired: the text of `platform_types::device::SignedAct`. */
  async admit(profile, { id, device, name }, verdict, scopes) {
    return this.#sign(`bot-platform admit v1\n${profile}\n${this.id}\n${id}\n${device}\n${name}\n${verdict}\n${scopes.join(',')}`);
  }

  /** Gives this device another key: both sign the same text of `platform_types::device::SignedAct`. */
  async handOver(next, { profile, host, nonce, time }, here = location.host) {
    if (host !== here) throw new Error(`challenge for ${host} on ${here}`);
    const text = `bot-platform rotate v1\n${profile}\n${this.id}\n${next.id}\n${host}\n${nonce}\n${time}`;
    return { signature: await this.#sign(text), proof: await next.#sign(text) };
  }

  async #sign(text) {
    return base64url(await crypto.subtle.sign('Ed25519', this.#keys.privateKey, encoder.encode(text)));
  }
}

async function make() {
  const pair = await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify']);
  const raw = await crypto.subtle.exportKey('raw', pair.publicKey);
  return { id: hex(await crypto.subtle.digest('SHA-256', raw)), raw, privateKey: pair.privateKey };
}

/** Why this browser cannot be a device, as a key of the words; nothing when it can. */
export async function missing() {
  if (!globalThis.isSecureContext || !crypto.subtle) return 'missing.secure';
  try {
    await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify']);
    await transact('readonly', (store) => store.count());
  } catch (error) {
    return error.name === 'NotSupportedError' ? 'missing.ed25519' : 'missing.storage';
  }
  return CSS.supports('color', 'light-dark(#000, #fff)') ? undefined : 'missing.ed25519';
}

const BROWSERS = [[/Edg(?:A|iOS)?\//, 'Edge'], [/OPR\//, 'Opera'], [/SamsungBrowser\//, 'Samsung Internet'], [/Firefox\/|FxiOS\//, 'Firefox'],
  [/Chrome\/|CriOS\//, 'Chrome'], [/Safari\//, 'Safari']];
const SYSTEMS = [[/iPhone/, 'iPhone'], [/iPad/, 'iPad'], [/Android/, 'Android'], [/CrOS/, 'ChromeOS'], [/Windows/, 'Windows'], [/Mac OS X/, 'Mac'],
  [/Linux/, 'Linux']];

/** What to call this browser until the person says otherwise. */
export function guessName(agent) {
  const find = (table) => table.find(([pattern]) => pattern.test(agent))?.[1];
  return { browser: find(BROWSERS) ?? 'Browser', system: find(SYSTEMS) ?? '' };
}

function transact(mode, act) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open('bot-platform', 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore('device');
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const database = opening.result;
      const transaction = database.transaction('device', mode);
      const request = act(transaction.objectStore('device'));
      transaction.oncomplete = () => { database.close(); resolve(request.result); };
      transaction.onabort = () => { database.close(); reject(transaction.error); };
    };
  });
}
