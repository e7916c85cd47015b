/**
 * How this browser becomes a device: with the code of a setup link at once, else by a request that somebody on the host approves.
 *
 * The signature binds the key to the host, the profile and a nonce of the gate. A request survives a reload.
 */
const PENDING = 'pairing';
const AGAIN_MS = 3_000;

/** Whether a text is a whole setup code: 130 bits in Crockford's base32. */
export const isSetupCode = (text) => /^[0-9A-HJKMNP-TV-Z]{26}$/.test(text);

/** An answer of the gate that is no success; `code` is the gate's, or `unreachable`. */
export class Refusal extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

export class Pairing {
  #fetch; #storage; #now; #pause;

  constructor({ fetch = globalThis.fetch.bind(globalThis), storage = localStorage, now = Date.now, pause = wait } = {}) {
    this.#fetch = fetch;
    this.#storage = storage;
    this.#now = now;
    this.#pause = pause;
  }

  /** `{profile, host, nonce, time}`, and `botctl` where the command is another on this host. */
  challenge() {
    return this.#ask('/pair/nonce', {});
  }

  /** Asks for access. Answers `accepted`, or `pending` when somebody has to approve it. */
  async request(device, name, code) {
    const challenge = await this.challenge();
    const signature = await device.sign('pair', challenge);
    const { nonce, time } = challenge;
    const answer = await this.#ask('/pair', { public_key: device.publicKey, name, nonce, time, signature, ...(code && { code }) });
    if (!answer.request) return this.#settle('accepted');
    this.#storage.setItem(PENDING, JSON.stringify({ request: answer.request, expires_at: answer.expires_at }));
    return 'pending';
  }

  /** The request that waits for a decision, also after a reload. */
  get pending() {
    try {
      return JSON.parse(this.#storage.getItem(PENDING));
    } catch {
      return null;
    }
  }

  /** Waits for the decision: `accepted`, `refused`, `expired`, or `left` when `signal` ended the wait. */
  async outcome(signal) {
    while (!signal?.aborted) {
      const { pending } = this;
      if (!pending || this.#now() > pending.expires_at + AGAIN_MS) return this.#settle('expired');
      try {
        const { state } = await this.#ask(`/pair/${pending.request}`, undefined, signal);
        if (state !== 'pending') return this.#settle(state);
      } catch (error) {
        if (error.code === 'not_found') return this.#settle('expired');
        await this.#pause(AGAIN_MS);
      }
    }
    return 'left';
  }

  #settle(state) {
    this.#storage.removeItem(PENDING);
    return state;
  }

  async #ask(path, body, signal) {
    const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    let response;
    let answer;
    try {
      response = await this.#fetch(path, { ...(body && post), signal, cache: 'no-store', redirect: 'error' });
      answer = await response.json();
    } catch (error) {
      throw new Refusal('unreachable', error.message);
    }
    if (!response.ok) throw new Refusal(answer.error?.code ?? 'unreachable', answer.error?.message ?? '');
    return answer;
  }
}

const wait = (millis) => new Promise((resolve) => setTimeout(resolve, millis));
