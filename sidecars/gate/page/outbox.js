/**
 * Messages that the agent has not acknowledged, and drafts. Both survive a reload.
 *
 * One storage key a message, so that two tabs never overwrite each other; the ids make sending again harmless.
 */
export const PREFIX = 'outbox:';
export const DRAFT = 'draft:';
const MAX_ENTRIES = 100; // a day without the agent, not a flood

/** 32 lower-case hex digits. */
export function mintId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export class Outbox {
  #storage;
  #entries = new Map();

  constructor(storage) {
    this.#storage = storage;
    this.reload();
  }

  /** Reads what is stored; another tab may have changed it. */
  reload() {
    this.#entries.clear();
    for (const key of this.#keys(PREFIX)) {
      try {
        const entry = JSON.parse(this.#storage.getItem(key));
        if (entry.id === key.slice(PREFIX.length) && typeof entry.text === 'string') this.#entries.set(entry.id, entry);
      } catch {
        this.#storage.removeItem(key);
      }
    }
  }

  /** All entries, in the order in which they were written. */
  entries(session) {
    const all = [...this.#entries.values()].sort((a, b) => a.at - b.at);
    return session === undefined ? all : all.filter((entry) => entry.session === session);
  }

  get(id) {
    return this.#entries.get(id);
  }

  /** `bot` is set when the session has to be made first. Answers nothing when too much is waiting already. */
  add({ session, bot = null, text, now = Date.now() }) {
    if (this.#entries.size >= MAX_ENTRIES) return undefined;
    const last = this.entries().at(-1)?.at ?? 0;
    const entry = { id: mintId(), session, bot, text, at: Math.max(now, last + 1), failed: null };
    this.#keep(entry);
    return entry;
  }

  /** The agent refused it: it stays, with the reason, until the person decides. */
  fail(id, reason) {
    if (this.#entries.has(id)) this.#keep({ ...this.#entries.get(id), failed: reason });
  }

  retry(id) {
    this.fail(id, null);
    return this.get(id);
  }

  /** Acknowledged or discarded. */
  remove(id) {
    this.#storage.removeItem(PREFIX + id);
    return this.#entries.delete(id);
  }

  draft(session) {
    return this.#storage.getItem(DRAFT + session) ?? '';
  }

  setDraft(session, text) {
    if (text === '') this.#storage.removeItem(DRAFT + session);
    else this.#store(DRAFT + session, text);
  }

  /**
   * Forgets drafts of sessions that are gone; a session that an entry will make is not gone. A message that can no longer
   * be delivered becomes the draft of a new session: nothing that was written is lost.
   */
  prune(sessions) {
    const known = new Set([...sessions, 'new', ...this.entries().filter((entry) => entry.bot).map((entry) => entry.session)]);
    for (const key of this.#keys(DRAFT)) if (!known.has(key.slice(DRAFT.length))) this.#storage.removeItem(key);
    for (const { id, session, text } of this.entries()) {
      if (known.has(session)) continue;
      this.setDraft('new', [this.draft('new'), text].filter(Boolean).join('\n\n'));
      this.remove(id);
    }
  }

  #keep(entry) {
    this.#entries.set(entry.id, entry);
    this.#store(PREFIX + entry.id, JSON.stringify(entry));
  }

  #store(key, value) {
    try {
      this.#storage.setItem(key, value);
    } catch {
      // Full or forbidden storage: the entry lives until the page goes.
    }
  }

  #keys(prefix) {
    return Array.from({ length: this.#storage.length }, (_, n) => this.#storage.key(n)).filter((key) => key?.startsWith(prefix));
  }
}
