/** The gate's own page of what was done: the gate's record, and beside it what the agent reports, marked as such. */
import { shortCode } from './device.js';
import { h, visible } from './dom.js';
import { Own } from './own.js';
import { Records, fold } from './records.js';
import { day, second, t } from './words.js';

const LONGEST = 300; // of one value: an agent may report anything
const DEVICE = /^[0-9a-f]{64}$/;
const ACTOR = /^(bot|operator|sender|token) (\S+)(?: for token (\S+))?$/;

function begin(own) {
  const list = h('div', { class: 'timeline' });
  const told = h('div', { class: 'quiet', role: 'status' });
  const older = h('button', { type: 'button', class: 'secondary', hidden: true }, t('timeline.older'));
  const again = h('button', { type: 'button', class: 'secondary' }, t('timeline.again'));
  let records;
  let rows;
  const draw = () => {
    rows = new Map(days(list, records, rows));
    older.hidden = !records.more;
  };
  const show = async (mine) => {
    if (records !== mine) rows = new Map();
    records = mine;
    older.disabled = again.disabled = true;
    try {
      // The page may have begun anew while the agent was asked.
      await mine.read(() => records === mine && draw());
      if (records !== mine) return;
      told.replaceChildren(mine.lines().length === 0 ? t('timeline.none') : t(mine.silent ? 'timeline.silent' : 'timeline.reported'));
    } catch ({ status }) {
      if (records !== mine) return;
      told.replaceChildren(...(status === 403 ? own.needs('timeline.scope', 'chat,approve,admin') : [t('confirm.error.offline')]));
    }
    older.disabled = again.disabled = false;
  };
  const fresh = () => show(new Records((path, signal) => own.get(path, signal)));
  older.addEventListener('click', () => show(records));
  again.addEventListener('click', fresh);
  own.onopen = fresh;
  return { content: [told, list, h('p', {}, older, ' ', again)], onframe: () => {} };
}

/** Draws the days; a row that says the same as before stays as it is, open or not. Answers the rows by what they say. */
function days(list, records, known) {
  const rows = [];
  const row = (item) => {
    const key = JSON.stringify([item.who, item.n, item.many]);
    rows.push([key, known.get(key) ?? line(item, records.names)]);
    return rows.at(-1)[1];
  };
  const parts = group(records.lines());
  list.replaceChildren(...[...parts].map(([name, items]) => h('section', {}, h('h2', {}, name), h('ol', {}, ...fold(items).map(row)))));
  return rows;
}

function group(lines) {
  const parts = new Map();
  for (const item of lines) parts.set(day(item.at), [...(parts.get(day(item.at)) ?? []), item]);
  return parts;
}

/** What is worth reading at once, of all that an entry holds; the rest opens with it. */
const BRIEF = ['device', 'upstream', 'method', 'path', 'rule', 'status', 'channel', 'sender', 'tool', 'verdict', 'state', 'effect', 'outcome', 'scopes', 'why', 'reason', 'evidence', 'problem'];

function line({ who, at, since, many, kind, actor, data }, names) {
  const facts = Object.entries(data && typeof data === 'object' ? data : {}).filter(([, value]) => value !== null);
  const brief = BRIEF.flatMap((name) => facts.filter(([known, value]) => known === name && value !== '' && !(known === 'rule' && data.path)).map(([, value]) => said(name, value, names)));
  const raw = [['kind', kind], ['actor', actor], ...facts].map(([name, value]) => h('div', {}, h('dt', {}, cut(name)), h('dd', {}, h('bdi', {}, cut(plain(value))))));
  return h('li', { class: who }, h('details', {}, h('summary', {},
    h('time', { datetime: new Date(at).toISOString() }, second(at)),
    h('p', {}, h('strong', {}, word(`timeline.kind.${kind}`, kind)), many > 1 && ` ${t('timeline.many', { many, since: second(since) })}`, ' ', h('bdi', { class: 'quiet' }, person(actor, names)),
      who === 'agent' && [' ', h('span', { class: 'mark' }, t('timeline.mark'))]),
    brief.length > 0 && h('p', { class: 'quiet' }, h('bdi', {}, brief.join(' · ')))), h('dl', { class: 'quiet' }, ...raw)));
}

const plain = (value) => (typeof value === 'string' ? value : JSON.stringify(value));
const cut = (text) => visible(text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text);
/** The text of a key, or what there was where nobody gave it words. */
const word = (key, otherwise) => { const text = t(key); return text === key ? cut(otherwise) : text; };
/** A device by its name and code: several may have one name. */
const called = (id, names) => cut(Object.hasOwn(names, id) ? `${names[id]} (${shortCode(id)})` : t('timeline.device', { code: shortCode(id) }));
const said = (name, value, names) => (name === 'device' && DEVICE.test(value) ? called(value, names) : word(`timeline.value.${plain(value)}`, plain(value)));
function person(actor, names) {
  if (actor.startsWith('device ') && DEVICE.test(actor.slice(7))) return called(actor.slice(7), names);
  const [, kind, name, token] = ACTOR.exec(actor) ?? [];
  if (!kind) return word(`timeline.actor.${actor}`, actor);
  return cut(t(token ? 'timeline.actor.for_token' : `timeline.actor.${kind}`, { name, token }));
}

new Own('timeline', begin).open();
