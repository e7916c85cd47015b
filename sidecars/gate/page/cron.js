/** The gate's own page of jobs by the clock, as the agent reports them; a device that may decide runs and pauses them here. */
import { h, visible } from './dom.js';
import { Own } from './own.js';
import { day, second, t } from './words.js';

const AGAIN_MS = 10_000; // a job may fire at any time
const BAD = ['failed', 'interrupted', 'missed'];

function begin(own) {
  const list = h('ol', { class: 'jobs' });
  const told = h('div', { class: 'quiet', role: 'status' });
  const open = new Set();
  let timer;
  let asking = 0;
  const fresh = async () => {
    clearTimeout(timer);
    const mine = ++asking;
    try {
      const { jobs } = await own.get('/api/cron');
      const histories = await Promise.all(jobs.map((status) => (open.has(path(status)) ? own.get(`${path(status)}/runs`) : undefined)));
      if (mine !== asking) return;
      told.replaceChildren(t(jobs.length === 0 ? 'cron.none' : 'cron.reported'));
      list.replaceChildren(...jobs.map((status, at) => job(status, histories[at]?.runs, act, toggle)));
    } catch {
      if (mine === asking) told.replaceChildren(t('cron.silent'));
    }
    if (mine === asking) timer = setTimeout(() => document.visibilityState === 'visible' && fresh(), AGAIN_MS);
  };
  const toggle = (where, shown) => {
    if (open.has(where) === shown) return;
    if (shown) open.add(where);
    else open.delete(where);
    fresh();
  };
  const act = async (where, verb, button) => {
    button.disabled = true;
    try {
      await own.post(`${where}/${verb}`, {});
      await fresh();
    } catch ({ status }) {
      button.disabled = false;
      told.replaceChildren(...(status === 403 ? own.needs('cron.scope', 'chat,approve') : [t(status === 409 ? 'cron.busy' : 'cron.error')]));
    }
  };
  own.onopen = fresh;
  return { content: [told, list], onframe: () => {} };
}

const path = ({ job: { bot, name } }) => `/api/cron/${bot}/${name}`;
const at = (time) => `${day(time)}, ${second(time)}`;
const fact = (label, ...value) => h('div', {}, h('dt', {}, t(label)), h('dd', {}, ...value));

function job(status, runs, act, toggle) {
  const { job: { bot, name, when, timezone, prompt, deliver }, next, paused, running, last, trouble } = status;
  const where = path(status);
  const latest = running ?? last;
  const press = (verb, primary) => {
    const button = h('button', { type: 'button', class: primary ? 'primary' : 'secondary' }, t(`cron.${verb}`));
    button.addEventListener('click', () => act(where, verb, button));
    return button;
  };
  const history = h('details', { class: 'lately', open: runs !== undefined }, h('summary', {}, t('cron.history')), runs && h('ol', { class: 'runs' }, ...runs.map(run)));
  history.addEventListener('toggle', () => toggle(where, history.open));
  return h('li', { id: `${bot}-${name}` }, h('article', {}, h('h2', {}, `${bot}/${name}`),
    trouble && h('p', { class: 'alert' }, h('bdi', {}, visible(trouble))),
    h('p', { class: 'prompt' }, h('bdi', {}, visible(prompt))),
    h('dl', {}, fact('cron.when', rhythm(when, timezone)), fact('cron.next', paused ? t('cron.paused', { since: at(paused.at) }) : next ? at(next) : t('cron.never')),
      latest && fact('cron.last', at(latest.fired_at ?? latest.due), ' · ', outcome(latest), delivery(latest) || ''), deliver && fact('cron.to', `${deliver.channel} ${deliver.chat}`)),
    h('p', { class: 'actions' }, !running && press('run', true), ' ', press(paused ? 'resume' : 'pause')), history));
}

function run(one) {
  const why = one.cause === 'asked' ? t('cron.cause.asked') : one.ticks > 1 ? t('cron.cause.many', { ticks: one.ticks }) : '';
  const details = [one.detail, one.delivery_detail].filter(Boolean).map((text) => h('p', { class: 'quiet' }, h('bdi', {}, visible(text))));
  return h('li', {}, h('p', {}, h('time', { datetime: new Date(one.due).toISOString() }, at(one.due)), ' · ', outcome(one), delivery(one), why && ` · ${why}`), ...details);
}

function outcome(one) {
  const word = one.outcome ?? (one.retry_at ? 'waits' : 'running');
  return h('strong', { class: BAD.includes(word) ? 'bad' : undefined }, t(`cron.outcome.${word}`));
}

function delivery(one) {
  return one.delivery && h('span', { class: one.delivery === 'failed' ? 'bad' : undefined }, ` · ${t(`cron.delivery.${one.delivery}`)}`);
}

function rhythm(when, timezone) {
  if (when.schedule) return h('span', {}, h('code', {}, when.schedule), ` ${timezone}`);
  const seconds = when.every_seconds;
  const [size, unit] = [[86_400, 'd'], [3600, 'h'], [60, 'm'], [1, 's']].find(([size]) => seconds % size === 0);
  return t('cron.every', { time: `${seconds / size} ${unit}` });
}

new Own('cron', begin).open();
