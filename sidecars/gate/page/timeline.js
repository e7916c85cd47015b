/** The gate's own page of what was done: the gate's record, and beside it what the agent reports, marked as such. */
import { shortCode } from './device.js';
import { h, visible } from './dom.js';
import { Own } from './own.js';
import { clock, day, t } from './words.js';

const LONGEST = 300; // of one value: an agent may report anything

function begin(own) {
  const list = h('div', { class: 'timeline' });
  const told = h('p', { class: 'quiet', role: 'status' });
  const older = h('button', { type: 'button', class: 'secondary', hidden: true }, t('timeline.older'));
  const again = h('button', { type: 'button', class: 'secondary' }, t('timeline.again'));
  const records = [['gate', '/gate/audit'], ['agent', '/api/audit']].map(([who, path]) => ({ who, path }));
  const show = async (work) => {
    older.disabled = again.disabled = true;
    try {
      await work();
      const from = horizon(records);
      const lines = records.flatMap(({ who, entries }) => entries.map((entry) => ({ who, ...entry }))).filter((line) => line.at >= from);
      list.replaceChildren(...days(lines.sort((a, b) => b.at - a.at || b.n - a.n)));
      older.hidden = !records.some((record) => record.more);
      told.textContent = lines.length === 0 ? t('timeline.none') : t(records[1].silent ? 'timeline.silent' : 'timeline.reported');
    } catch ({ status }) {
      told.textContent = status === 403 ? t('timeline.scope', { profile: own.profile, code: shortCode(own.device.id) }) : t('confirm.error.offline');
    }
    older.disabled = again.disabled = false;
  };
  const fresh = () => show(() => Promise.all(records.map((record) => read(own, Object.assign(record, { entries: [], more: false })))));
  // The record whose end is nearest says how far back the page can tell.
  older.addEventListener('click', () => show(() => {
    const from = horizon(records);
    return Promise.all(records.filter((record) => record.more && record.entries.at(-1).at === from).map((record) => read(own, record)));
  }));
  again.addEventListener('click', fresh);
  own.onopen = fresh;
  return { content: [told, list, h('p', {}, older, ' ', again)], onframe: () => {} };
}

/** Before this moment one of the records is not read yet. */
function horizon(records) {
  return Math.max(...records.filter((record) => record.more).map((record) => record.entries.at(-1).at), Number.NEGATIVE_INFINITY);
}

/** Reads on in a record. An agent that is silent, or says what is none, does not keep the gate's from being shown. */
async function read(own, record) {
  const last = record.entries.at(-1);
  try {
    const { entries, more } = await own.get(`${record.path}${last ? `?before=${last.n}` : ''}`);
    const fit = entries.filter(({ n, at, kind, actor }) => Number.isSafeInteger(n) && Number.isSafeInteger(at) && typeof kind === 'string' && typeof actor === 'string');
    record.entries = [...record.entries, ...fit];
    record.more = more === true && fit.length > 0;
    record.silent = false;
  } catch (error) {
    if (record.who === 'gate') throw error;
    Object.assign(record, { more: false, silent: true });
  }
}

function days(lines) {
  const parts = Map.groupBy ? Map.groupBy(lines, ({ at }) => day(at)) : group(lines);
  return [...parts].map(([name, items]) => h('section', {}, h('h2', {}, name), h('ol', {}, ...items.map(line))));
}

function group(lines) {
  const parts = new Map();
  for (const item of lines) parts.set(day(item.at), [...(parts.get(day(item.at)) ?? []), item]);
  return parts;
}

function line({ who, at, kind, actor, data }) {
  const facts = Object.entries(data && typeof data === 'object' ? data : {}).filter(([, value]) => value !== null)
    .map(([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const cut = (text) => visible(text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text);
  return h('li', { class: who },
    h('time', { datetime: new Date(at).toISOString() }, clock(at)),
    h('p', {}, h('strong', {}, cut(kind)), ` ${cut(actor)} `, who === 'agent' && h('span', { class: 'mark' }, t('timeline.mark'))),
    facts.length > 0 && h('p', { class: 'quiet' }, ...facts.map((fact) => h('bdi', {}, cut(fact)))));
}

new Own('timeline', begin).open();
