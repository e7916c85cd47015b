/**
 * One WebSocket that stays: challenge and answer, ping, reconnect with backoff and jitter.
 *
 *   idle ─start─▶ dialing ─ready─▶ online ─lost─▶ waiting ─timer or wake─▶ dialing
 *                    └───── unauthorized ────▶ refused (until start)
 *
 * Knows nothing of chats. Events of a connection that was given up are ignored.
 */
const PING_EVERY_MS = 20_000; // phones and proxies drop connections that are silent for a minute
const PONG_WITHIN_MS = 8_000;
const READY_WITHIN_MS = 20_000; // a held door keeps a connection waiting for 15 s
const FIRST_RETRY_MS = 400;
const LAST_RETRY_MS = 15_000;
/** What a close code, or a code of the gate, says to the person; every other end is `lost`. */
const REASONS = {
  4401: 'refused', unauthorized: 'refused', 1012: 'restarting', 4503: 'restarting', agent_unavailable: 'restarting', 1013: 'busy', rate_limited: 'busy',
};

export class Socket {
  #url; #sign; #dial; #timers; #random; #connected;
  #socket = null;
  #phase = 'idle';
  #attempt = 0;
  #pings = 0;
  #retry; #deadline; #heartbeat;

  /** `sign(challenge)` answers `{device, signature}`; `onstate(state, detail)` and `onframe(frame)` are set by the owner. */
  constructor({ url, sign, dial = (to) => new WebSocket(to), timers = globalThis, random = Math.random,
    connected = () => globalThis.navigator?.onLine !== false }) {
    this.#url = url;
    this.#sign = sign;
    this.#dial = dial;
    this.#timers = timers;
    this.#random = random;
    this.#connected = connected;
    this.onstate = () => {};
    this.onframe = () => {};
  }

  get online() {
    return this.#phase === 'online';
  }

  start() {
    this.#attempt = 0;
    this.#connect();
  }

  stop() {
    this.#drop();
    this.#phase = 'idle';
  }

  /** Whether the frame went out. */
  send(frame) {
    if (!this.online || this.#socket.readyState !== 1) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  /** The page was woken or the network came back: do not wait for timers. */
  wake() {
    if (this.#phase === 'waiting') this.start();
    else if (this.online) this.#ping();
  }

  #connect() {
    this.#drop();
    this.#phase = 'dialing';
    const socket = this.#dial(this.#url);
    this.#socket = socket;
    const current = (act) => (event) => socket === this.#socket && act(event);
    socket.onmessage = current((event) => this.#receive(socket, event.data));
    socket.onclose = current((event) => this.#ended(event.code));
    this.onstate('connecting', { attempt: this.#attempt });
    this.#deadline = this.#timers.setTimeout(() => this.#lost('lost'), READY_WITHIN_MS);
  }

  #receive(socket, data) {
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return this.#lost('lost');
    }
    if (this.online) return this.#heard(frame);
    if (frame.type === 'challenge') this.#answer(socket, frame);
    else if (frame.type === 'ready') this.#ready(frame);
    else if (frame.type === 'refused') this.#ended(frame.code, frame.message);
  }

  async #answer(socket, challenge) {
    try {
      const proof = await this.#sign(challenge);
      if (socket === this.#socket) socket.send(JSON.stringify({ type: 'auth', ...proof }));
    } catch (error) {
      if (socket === this.#socket) this.#ended('unauthorized', error.message);
    }
  }

  #ready(frame) {
    this.#alive();
    this.#phase = 'online';
    this.#beat();
    this.onstate('online', frame);
  }

  #heard(frame) {
    this.#alive();
    if (frame.type !== 'pong') this.onframe(frame);
  }

  #alive() {
    this.#timers.clearTimeout(this.#deadline);
    this.#deadline = undefined;
  }

  #beat() {
    this.#heartbeat = this.#timers.setTimeout(() => {
      this.#attempt = 0; // it held long enough: the next loss is a new story
      this.#ping();
      this.#beat();
    }, PING_EVERY_MS);
  }

  #ping() {
    if (this.#deadline !== undefined) return;
    this.#deadline = this.#timers.setTimeout(() => this.#lost('lost'), PONG_WITHIN_MS);
    this.send({ type: 'ping', n: ++this.#pings });
  }

  #ended(code, message) {
    const reason = REASONS[code] ?? 'lost';
    if (reason !== 'refused') return this.#lost(reason);
    this.#drop();
    this.#phase = 'refused';
    this.onstate('refused', { message });
  }

  #lost(reason) {
    this.#drop();
    this.#phase = 'waiting';
    const longest = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#attempt);
    this.#attempt += 1;
    this.#retry = this.#timers.setTimeout(() => this.#connect(), longest * (0.5 + this.#random() / 2));
    this.onstate('waiting', { reason: this.#connected() ? reason : 'offline', attempt: this.#attempt });
  }

  #drop() {
    for (const timer of [this.#retry, this.#heartbeat]) this.#timers.clearTimeout(timer);
    this.#alive();
    const socket = this.#socket;
    this.#socket = null;
    if (socket && socket.readyState < 2) socket.close();
  }
}
