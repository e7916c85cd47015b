/** The gate's own page of what was done: the gate's record, and beside it what the agent reports, marked as such. */
import { shortCode } from './device.js';
import { h, visible } from './dom.js';
import { Own } from './own.js';
import { Records } from './records.js';
import { clock, day, t } from './words.js';

const LONGEST = 300; // of one value: an agent may report anything

function begin(own) {
  const list = h('div', { class: 'timeline' });
  const told = h('p', { class: 'quiet', role: 'status' });
  const older = h('button', { type: 'button', class: 'secondary', hidden: true }, t('timeline.older'));
  const again = h('button', { type: 'button', class: 'secondary' }, t('timeline.again'));
  let records;
  const draw = () => {
    list.replaceChildren(...days(records.lines()));
    older.hidden = !records.more;
  };
  const show = async (mine) => {
    records = mine;
    older.disabled = again.disabled = true;
    try {
      // The page may have begun anew while the agent was asked.
      await mine.read(() => records === mine && draw());
      if (records !== mine) return;
      told.textContent = mine.lines().length === 0 ? t('timeline.none') : t(mine.silent ? 'timeline.silent' : 'timeline.reported');
    } catch ({ status }) {
      if (records !== mine) return;
      told.textContent = status === 403 ? t('timeline.scope', { profile: own.profile, code: shortCode(own.device.id) }) : t('confirm.error.offline');
    }
    older.disabled = again.disabled = false;
  };
  const fresh = () => show(new Records((path, signal) => own.get(path, signal)));
  older.addEventListener('click', () => show(records));
  again.addEventListener('click', fresh);
  own.onopen = fresh;
  return { content: [told, list, h('p', {}, older, ' ', again)], onframe: () => {} };
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
