/**
 * What was done, as the page reads it: the gate's record, and beside it what the agent reports. An agent may report anything, or be slow about it:
 * how far back the page can tell is the gate's to say, and the gate's lines never wait for the agent's.
 */
const AHEAD_MS = 86_400_000; // clocks differ; what an agent dates later than this is none
const AGENT_MS = 8_000;
/** What happens over and over and says little each time. */
const REPEATED = new Set(['config.pushed', 'device.connected', 'token.used', 'channel.received']);
const PAGE = 50; // `MAX_SHOWN` of `platform_types::audit`

export class Records {
  #get; #now; #limit; #gate; #agent;

  /** `get(path, signal)` asks the gate; `limit()` is the signal that ends the agent's time. */
  constructor(get, { now = Date.now, limit = () => AbortSignal.timeout(AGENT_MS) } = {}) {
    this.#get = get;
    this.#now = now;
    this.#limit = limit;
    [this.#gate, this.#agent] = [['gate', '/gate/audit'], ['agent', '/api/audit']].map(([who, path]) => ({ who, path, entries: [], more: true }));
  }

  /** Whether there is more to read. */
  get more() {
    return this.#gate.more || this.#agent.more;
  }

  /** Whether the agent did not answer. */
  get silent() {
    return this.#agent.silent === true;
  }

  /** Reads on. `draw` is called with the gate's part, and again with the agent's, which is read on while it ends later than the gate's. */
  async read(draw) {
    if (this.#gate.more) Object.assign(this.#gate, await this.#page(this.#gate, () => true));
    draw();
    const last = this.#agent.entries.at(-1);
    if (!this.#agent.more || (last && last.at < this.#horizon())) return;
    const until = this.#now() + AHEAD_MS;
    const answer = await this.#page(this.#agent, ({ at }) => at >= 0 && at <= until, this.#limit()).catch(() => ({ more: false, silent: true }));
    Object.assign(this.#agent, answer);
    draw();
  }

  /** Newest first, from the moment on that the gate's record is read to. */
  lines() {
    const from = this.#horizon();
    const lines = [this.#gate, this.#agent].flatMap(({ who, entries }) => entries.map((entry) => ({ ...entry, who })));
    return lines.filter(({ who, at }) => who === 'gate' || at >= from).sort((a, b) => b.at - a.at || b.n - a.n);
  }

  /** What devices are called, as the gate says it: id to name. */
  get names() {
    return this.#gate.names ?? {};
  }

  #horizon() {
    return this.#gate.more ? this.#gate.entries.at(-1)?.at ?? Infinity : -Infinity;
  }

  async #page({ path, entries: known }, fits, signal) {
    const last = known.at(-1);
    const { entries, more, names } = await this.#get(`${path}${last ? `?before=${last.n}` : ''}`, signal);
    const proper = ({ n, at, kind, actor }) => Number.isSafeInteger(n) && Number.isSafeInteger(at) && typeof kind === 'string' && typeof actor === 'string';
    const fit = entries.slice(0, PAGE).filter((entry) => proper(entry) && fits(entry));
    return { entries: [...known, ...fit], more: more === true && fit.length > 0, names, silent: false };
  }
}

/** Lines that follow each other and say the same as one, the newest, with how `many` they are and since when. */
export function fold(lines) {
  const folded = [];
  for (const line of lines) {
    const last = folded.at(-1);
    if (last && REPEATED.has(line.kind) && ['who', 'kind', 'actor'].every((part) => last[part] === line[part])) Object.assign(last, { many: last.many + 1, since: line.at });
    else folded.push({ ...line, many: 1, since: line.at });
  }
  return folded;
}
