/**
 * What the agent told us: bots, sessions, and the one open thread. `apply(frame)` changes it and names the changes.
 *
 * A thread's messages are in the order of `seq`, without gaps. The running turn is drawn after them.
 */
const emptyThread = (loaded) => ({ messages: [], more: false, loaded, fetching: false, turn: null });

export class Store {
  profile = '';
  bots = [];
  sessions = [];
  session = null;
  thread = emptyThread(true);

  /** Turns to a session; `fresh` when it is known to be empty, nothing for none. */
  select(session, fresh = session === null) {
    this.session = session;
    this.thread = emptyThread(fresh);
  }

  summary(session = this.session) {
    return this.sessions.find(({ id }) => id === session);
  }

  bot(name) {
    return this.bots.find((bot) => bot.name === name);
  }

  /** The seq to ask older messages before, once; nothing when there are none or they are on their way. */
  older() {
    const { more, fetching, messages } = this.thread;
    if (!more || fetching || messages.length === 0) return undefined;
    this.thread.fetching = true;
    return messages[0].seq;
  }

  /** Names of what changed: `sessions`, `thread`, `older`, `turn`, `text`, `answer`; `resync` asks to open the session again. */
  apply(frame) {
    if (frame.type === 'welcome') Object.assign(this, { profile: frame.profile, bots: frame.bots });
    if (frame.type === 'welcome' || frame.type === 'sessions') {
      this.sessions = [...frame.sessions].sort((a, b) => b.updated_at - a.updated_at);
      return ['sessions'];
    }
    if (frame.type === 'summary') {
      const others = this.sessions.filter(({ id }) => id !== frame.summary.id);
      this.sessions = [...others, frame.summary].sort((a, b) => b.updated_at - a.updated_at);
      return ['sessions'];
    }
    if (frame.session !== this.session) return [];
    switch (frame.type) {
      case 'history': return this.#history(frame);
      case 'message': return this.#message(frame.message);
      case 'turn': return this.#turn(frame.turn);
      case 'delta': return this.#delta(frame);
      case 'progress': return this.#progress(frame);
      case 'ended': return frame.turn === this.thread.turn?.id ? this.#turn(null) : [];
      default: return [];
    }
  }

  #history({ messages, more, turn }) {
    const { thread } = this;
    const first = thread.messages[0]?.seq;
    if (thread.fetching && (messages.length === 0 || messages.at(-1).seq < first)) {
      this.thread = { ...thread, more, fetching: false, messages: [...messages, ...thread.messages] };
      return ['older'];
    }
    const kept = keep(thread.messages, messages);
    this.thread = {
      messages: [...kept, ...messages], more: kept.length > 0 ? thread.more : more, loaded: true, fetching: false, turn,
    };
    return ['thread'];
  }

  #message(message) {
    const { thread } = this;
    if (!thread.loaded) return []; // the history that is on its way has it
    const last = thread.messages.at(-1);
    if (last && message.seq <= last.seq) {
      thread.messages = thread.messages.map((known) => (known.seq === message.seq ? message : known));
      return ['thread'];
    }
    if (last && message.seq !== last.seq + 1) return ['resync'];
    thread.messages.push(message);
    if (message.author !== 'bot') return ['thread'];
    thread.turn = null;
    return ['thread', 'answer'];
  }

  #turn(turn) {
    this.thread.turn = turn;
    return ['turn'];
  }

  /** What the turn waits for; `waited_millis` counts from when this was sent. */
  #progress({ turn: id, progress }) {
    const { turn } = this.thread;
    if (turn?.id !== id || turn.phase !== 'waiting') return [];
    turn.progress = progress;
    return ['text'];
  }

  #delta({ turn: id, offset, text }) {
    const { turn } = this.thread;
    if (turn?.id !== id || offset > turn.text.length) return ['resync'];
    if (offset + text.length <= turn.text.length) return []; // said before the connection was renewed
    turn.text = turn.text.slice(0, offset) + text;
    turn.phase = 'answering';
    delete turn.progress;
    return ['text'];
  }
}

/** Those of the messages at hand that go before a fresh history; none when the two do not fit together (a restore). */
function keep(known, fresh) {
  if (known.length === 0 || fresh.length === 0) return [];
  const byId = new Map(known.map((message) => [message.seq, message.id]));
  const fits = fresh.every(({ seq, id }) => !byId.has(seq) || byId.get(seq) === id);
  const reaches = known.at(-1).seq >= fresh[0].seq - 1 && known.at(-1).seq <= fresh.at(-1).seq;
  return fits && reaches ? known.filter(({ seq }) => seq < fresh[0].seq) : [];
}
