/**
 * The chat: what the person does on one side, the socket, the store and the outbox on the other.
 *
 * Tells by events what changed (`connection`, `sessions`, `session`, `thread`, `older`, `turn`, `text`, `answer`, `sent`, `outbox`,
 * `draft`, `memory`, `notice`); elements read the rest here. Touches no DOM.
 */
import { DRAFT, Outbox, PREFIX, mintId } from './outbox.js';
import { Store } from './store.js';

const LAST_SESSION = 'session';
export const MAX_MESSAGE_BYTES = 64 * 1024; // as in platform_types::chat

export class Chat extends EventTarget {
  store = new Store();
  connection = { state: 'connecting' };
  welcomed = false;
  device = {};
  /** What a bot remembers, as the agent told last. */
  memory = null;
  /** The bot of the session that is about to begin. */
  chosen = null;
  #socket; #storage; #fetch;
  // Of this connection: the session that is subscribed to, the sessions asked for, the messages that went out.
  #opened = null;
  #made = new Set();
  #sent = new Set();
  /** Approvals that were answered here, until the agent says what became of them. */
  #answered = new Set();

  constructor({ socket, storage, fetch = globalThis.fetch?.bind(globalThis), session = null }) {
    super();
    this.#socket = socket;
    this.#storage = storage;
    this.#fetch = fetch;
    this.outbox = new Outbox(storage);
    this.store.select(session ?? storage.getItem(LAST_SESSION));
    socket.onstate = (state, detail) => this.#connection(state, detail);
    socket.onframe = (frame) => this.#frame(frame);
  }

  get session() {
    return this.store.session;
  }

  /** The bot that answers here. */
  get bot() {
    const { store } = this;
    const name = this.session === null ? this.chosen : store.summary()?.bot ?? this.outbox.entries(this.session)[0]?.bot;
    return store.bot(name) ?? (this.session === null ? store.bots[0] : undefined);
  }

  choose(bot) {
    this.chosen = bot;
    this.#tell('sessions');
  }

  open(session) {
    if (session === this.session) return;
    this.store.select(session);
    this.#remember();
    if (session !== null) this.#open();
    this.#tell('session');
  }

  /** Whether the message was taken; the first one of a new session makes it. */
  send(text) {
    const fresh = this.session === null;
    const bot = fresh ? this.bot?.name : null;
    if (fresh && !bot) return false;
    const session = fresh ? mintId() : this.session;
    const entry = this.outbox.add({ session, bot, text });
    if (!entry) return this.notice({ code: 'notice.full' });
    if (fresh) {
      this.store.select(session, true);
      this.#remember();
    }
    this.#transmit(entry);
    this.#tell(fresh ? 'session' : 'sent');
    return true;
  }

  retry(id) {
    this.#transmit(this.outbox.retry(id));
    this.#tell('outbox');
  }

  /** Back where it can be changed, unless something stands there. */
  discard(id) {
    const { session, text } = this.outbox.get(id);
    this.outbox.remove(id);
    this.#tell('outbox');
    if (this.outbox.draft(session) !== '') return;
    this.outbox.setDraft(session, text);
    this.#tell('draft', { session, before: '', now: text });
  }

  stop() {
    return this.#socket.send({ type: 'stop', session: this.session });
  }

  /** Answers what a tool call asks, once. */
  decide({ approval, digest }, allow) {
    if (this.#answered.has(approval) || !this.#request({ type: 'decide', approval, digest, allow })) return;
    this.#answered.add(approval);
    this.#tell('turn');
  }

  /** Whether this device has a scope. What the page hides is refused elsewhere as well. */
  may(scope) {
    return this.device.scopes?.includes(scope) ?? false;
  }

  isAnswered({ approval }) {
    return this.#answered.has(approval);
  }

  rename(title) {
    this.#request({ type: 'rename_session', session: this.session, title });
  }

  remove() {
    if (this.#request({ type: 'delete_session', session: this.session })) this.open(null);
  }

  seeMemory(bot) {
    this.#request({ type: 'memory', bot });
  }

  editFact(id, text) {
    this.#request({ type: 'edit_fact', bot: this.memory.bot, id, text });
  }

  forgetFact(id) {
    this.#request({ type: 'forget_fact', bot: this.memory.bot, id });
  }

  older() {
    const before = this.#socket.online ? this.store.older() : undefined;
    if (before !== undefined) this.#socket.send({ type: 'older', session: this.session, before });
  }

  wake() {
    this.#socket.wake();
  }

  /** Another tab changed what is kept. A field that is empty stays so: what is being typed elsewhere is not repeated here. */
  stored({ key, oldValue: before, newValue: now }) {
    if (key?.startsWith(PREFIX)) {
      this.outbox.reload();
      this.#tell('outbox');
    } else if (key?.startsWith(DRAFT) && before) {
      this.#tell('draft', { session: key.slice(DRAFT.length), before, now: now ?? '' });
    }
  }

  /** The whole session as a file: `{name, blob}`. */
  async export() {
    const response = await this.#fetch(`/api/sessions/${this.session}/export`, {
      headers: { authorization: `Bearer ${this.device.ticket}` }, cache: 'no-store', redirect: 'error',
    });
    if (!response.ok) throw new Error(`export: ${response.status}`);
    const title = (this.store.summary()?.title || this.session).replaceAll(/[^\p{L}\p{N} ._-]/gu, '').slice(0, 80).trim();
    const kind = /markdown/.test(response.headers.get('content-type') ?? '') ? 'md' : 'json';
    return { name: `${title || this.session}.${kind}`, blob: await response.blob() };
  }

  #connection(state, detail) {
    this.connection = { state, ...detail };
    if (state === 'online') this.device = detail;
    if (state !== 'online') this.store.thread.fetching = false;
    this.#tell('connection');
  }

  #frame(frame) {
    if (frame.type === 'message' && this.outbox.remove(frame.message.id)) this.#tell('outbox');
    if (frame.type === 'history') this.#acknowledge(frame.messages);
    if (frame.type === 'failed') this.#failed(frame);
    if (frame.type === 'memory') {
      this.memory = frame.memory;
      this.#tell('memory');
    }
    const changes = this.store.apply(frame);
    if (frame.type === 'welcome') this.#welcome();
    if (frame.type === 'sessions') this.#listed();
    if (changes.includes('resync')) this.#open();
    for (const change of changes) this.#tell(change);
  }

  /** A message whose acknowledgement was lost with a connection is in the history. */
  #acknowledge(messages) {
    if (messages.filter(({ id }) => this.outbox.remove(id)).length > 0) this.#tell('outbox');
  }

  #welcome() {
    this.welcomed = true;
    this.#opened = null;
    this.#made.clear();
    this.#sent.clear();
    this.#answered.clear();
    const before = this.outbox.draft('new');
    this.outbox.prune(this.store.sessions.map(({ id }) => id));
    this.#tell('draft', { session: 'new', before, now: this.outbox.draft('new') });
    this.#listed();
    if (this.session !== null && this.store.summary()) this.#open(true);
    this.#tell('session');
  }

  /** Sends what waited for its session; leaves the open session when it was deleted elsewhere. */
  #listed() {
    for (const entry of this.outbox.entries()) if (!entry.failed && !this.#sent.has(entry.id)) this.#transmit(entry);
    if (this.session !== null && !this.store.summary() && this.outbox.entries(this.session).length === 0) this.open(null);
  }

  /** A session's first message asks for the session; messages go out once it is there. */
  #transmit(entry) {
    if (!this.#socket.online || !this.welcomed) return;
    if (!this.store.summary(entry.session)) {
      if (!entry.bot || this.#made.has(entry.session)) return;
      this.#made.add(entry.session);
      this.#socket.send({ type: 'create_session', id: entry.session, bot: entry.bot });
      return;
    }
    if (entry.session === this.session) this.#open(true);
    this.#sent.add(entry.id);
    this.#socket.send({ type: 'send', session: entry.session, id: entry.id, text: entry.text });
  }

  #open(once = false) {
    if (once && this.#opened === this.session) return;
    if (this.#socket.send({ type: 'open', session: this.session })) this.#opened = this.session;
  }

  #request(frame) {
    return this.#socket.send(frame) || this.notice({ code: 'notice.offline' });
  }

  #failed({ code, message, session, id }) {
    if (this.#answered.delete(id)) this.#tell('turn');
    if (code === 'agent_unavailable') return; // it is stopping: what waits is sent to the next one
    if (id && this.outbox.get(id)) {
      this.outbox.fail(id, message);
      this.#tell('outbox');
    } else if (code === 'not_found' && session === this.session && session !== null) {
      this.#opened = null;
      this.open(null);
    } else {
      this.notice({ text: message });
    }
  }

  #remember() {
    if (this.session === null) this.#storage.removeItem(LAST_SESSION);
    else this.#storage.setItem(LAST_SESSION, this.session);
  }

  /** Something to tell the person: `{code}` of the words, or `{text}` as it came. */
  notice(detail) {
    this.#tell('notice', detail);
    return false;
  }

  #tell(change, detail) {
    this.dispatchEvent(Object.assign(new Event(change), { detail }));
  }
}
