/**
 * The gate's own page: requests that wait for a person. It talks to the gate alone, so an agent that is down or hostile has no part in it;
 * nothing here comes from the agent but the reason, which stands apart.
 */
import { Device, missing, shortCode } from './device.js';
import { h } from './dom.js';
import { Socket } from './socket.js';
import { choose, learn, t } from './words.js';
import './elements/confirm-card.js';

const SETTLE_MS = 500; // a click that was meant for what stood here before does not count

const page = document.getElementById('page');
const cards = new Map();
let profile = '';
let ticket;
let moved = 0;

async function begin() {
  document.title = t('confirm.title');
  const problem = await missing();
  const device = problem ? undefined : await Device.load();
  if (problem) view(h('p', { class: 'alert', role: 'alert' }, t(problem)));
  else if (device) connect(device);
  else unpaired();
}

function connect(device) {
  const status = h('p', { class: 'quiet', role: 'status' }, t('connection.first'));
  const waiting = h('ol', { class: 'cards' });
  const over = h('ol', { class: 'cards over' });
  const lately = h('details', { class: 'lately', hidden: true }, h('summary', {}, t('confirm.lately')), over);
  const socket = new Socket({
    url: `${location.protocol.replace('http', 'ws')}//${location.host}/gate/ws`,
    sign: async (challenge) => {
      profile = challenge.profile;
      return { device: device.id, signature: await device.sign('connect', challenge) };
    },
  });
  socket.onstate = (state, detail) => {
    if (state === 'refused') return unpaired();
    ticket = state === 'online' ? detail.ticket : undefined;
    status.textContent = state === 'online' ? '' : t('confirm.connecting');
    view(status, waiting, lately);
  };
  socket.onframe = (frame) => {
    if (frame.type !== 'cards') return;
    const pending = frame.cards.filter((card) => card.state.is === 'pending').reverse();
    draw(waiting, pending, frame.approve, device);
    draw(over, frame.cards.filter((card) => card.state.is !== 'pending'), false, device);
    lately.hidden = over.children.length === 0;
    status.textContent = pending.length === 0 ? t('confirm.none') : t(frame.approve ? 'confirm.check' : 'confirm.scope', { profile, code: shortCode(device.id) });
    document.title = pending.length === 0 ? t('confirm.title') : `(${pending.length}) ${t('confirm.title')}`;
  };
  for (const change of ['online', 'pageshow', 'visibilitychange']) addEventListener(change, () => document.visibilityState === 'visible' && socket.wake());
  socket.start();
}

/** Oldest first, so that a new one moves nothing; an element stays as long as its card does not change. */
function draw(list, shown, approve, device) {
  const items = shown.map((card) => {
    const key = JSON.stringify([card, approve]);
    const known = cards.get(card.id);
    if (known?.key === key) return known.item;
    const element = h('confirm-card', { card });
    element.decide = approve ? (verdict) => decide(device, card, verdict) : undefined;
    const item = h('li', {}, element);
    cards.set(card.id, { key, item });
    return item;
  });
  if (items.length === list.children.length && items.every((item, at) => item === list.children[at])) return;
  list.replaceChildren(...items);
  moved = performance.now();
}

/** The word of this person, signed by this device's key over exactly this request. The error is a key of the words. */
async function decide(device, card, verdict) {
  if (performance.now() - moved < SETTLE_MS) return 'confirm.moved';
  try {
    const signature = await device.decide(profile, card, verdict);
    const response = await fetch(`/gate/confirmations/${card.id}`, {
      method: 'POST', headers: { authorization: `Bearer ${ticket}`, 'content-type': 'application/json' }, cache: 'no-store', redirect: 'error',
      body: JSON.stringify({ verdict, digest: card.digest, signature }),
    });
    if (response.ok) return undefined;
    return { 403: 'confirm.error.scope', 404: 'confirm.error.late', 409: 'confirm.error.late' }[response.status] ?? 'confirm.error.other';
  } catch {
    return 'confirm.error.offline';
  }
}

function unpaired() {
  view(h('p', {}, t('confirm.unpaired')));
}

function view(...content) {
  page.replaceChildren(h('main', { class: 'card confirmations' },
    h('p', { class: 'eyebrow' }, profile ? t('pair.profile', { profile }) : t('page.name')), h('h1', {}, t('confirm.title')), ...content,
    h('p', {}, h('a', { href: '/' }, t('confirm.chat')))));
}

const language = choose([localStorage.getItem('language'), ...navigator.languages]);
document.documentElement.lang = language;
learn(language).then(begin);
