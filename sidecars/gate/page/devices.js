/** The gate's own page of devices: who asks to be let in, for a device that may decide it, and this device's own key. */
import { Device, shortCode } from './device.js';
import { h } from './dom.js';
import { Own, SETTLE_MS } from './own.js';
import { Pairing } from './pairing.js';
import { t } from './words.js';
import './elements/pairing-card.js';

const cards = new Map();
let moved = 0;

function begin(own) {
  const waiting = h('ol', { class: 'cards' });
  const none = h('div', { class: 'quiet' });
  const asking = h('section', { hidden: true }, h('h2', {}, t('devices.asking')), none, waiting);
  const facts = h('dl', {});
  const button = h('button', { type: 'button', class: 'secondary' }, t('devices.key.button'));
  const told = h('p', { role: 'status', class: 'quiet' });
  button.addEventListener('click', () => rekey(own, button, told));
  const mine = h('section', { class: 'mine', hidden: true }, h('h2', {}, t('devices.mine')), facts, h('p', { class: 'quiet' }, t('devices.key.text')),
    h('p', {}, button), told);
  own.onopen = () => own.socket.send({ type: 'devices' });
  const onframe = (frame) => {
    if (frame.type !== 'devices') return;
    const admin = frame.scopes.includes('admin');
    for (const section of [asking, mine]) section.hidden = false;
    draw(own, waiting, frame.requests, frame.scopes);
    none.replaceChildren(...(frame.requests.length > 0 ? [t('devices.compare')] : admin ? [t('devices.none')] : own.needs('devices.scope', 'chat,approve,admin')));
    facts.replaceChildren(...[['devices.name', frame.name], ['devices.code', shortCode(frame.device)], ['devices.may', frame.scopes.map((scope) => t(`devices.may.${scope}`)).join(', ')]]
      .map(([label, value]) => h('div', {}, h('dt', {}, t(label)), h('dd', {}, value))));
    document.title = frame.requests.length === 0 ? t('devices.title') : `(${frame.requests.length}) ${t('devices.title')}`;
  };
  return { content: [asking, mine], onframe };
}

/** Oldest first; an element stays as long as its request does not change. */
function draw(own, list, shown, scopes) {
  const items = shown.map((request) => {
    const key = JSON.stringify([request, scopes]);
    const known = cards.get(request.id);
    if (known?.key === key) return known.item;
    const element = h('pairing-card', { request, scopes: scopes.filter((scope) => scope !== 'chat') });
    element.decide = (verdict, given) => decide(own, request, verdict, given);
    const item = h('li', {}, element);
    cards.set(request.id, { key, item });
    return item;
  });
  if (items.length === list.children.length && items.every((item, at) => item === list.children[at])) return;
  list.replaceChildren(...items);
  moved = performance.now();
}

/** This person's word on exactly this device, name and scopes. The error is a key of the words. */
async function decide(own, request, verdict, scopes) {
  if (performance.now() - moved < SETTLE_MS) return 'confirm.moved';
  try {
    const signature = await own.device.admit(own.profile, request, verdict, scopes);
    await own.post(`/gate/pairings/${request.id}`, { verdict, scopes, signature });
    return undefined;
  } catch ({ status }) {
    if (!status) return 'confirm.error.offline';
    return { 403: 'devices.error.scope', 404: 'confirm.error.late', 409: 'devices.error.refused', 503: 'devices.error.silent' }[status] ?? 'confirm.error.other';
  }
}

/** The old key signs the new one. Until the gate answers both are kept: whichever it knows then is this browser's. */
async function rekey(own, button, told) {
  button.disabled = true;
  told.textContent = '';
  try {
    const challenge = await new Pairing().challenge();
    const next = await Device.next();
    const proofs = await own.device.handOver(next, challenge);
    const { nonce, time } = challenge;
    await own.post('/gate/device/key', { public_key: next.publicKey, nonce, time, ...proofs });
    await next.keep();
    told.textContent = t('devices.key.done', { code: shortCode(next.id) });
  } catch ({ status }) {
    // Without a word the new key may be in: it stays until it is known which one is.
    await Device.refused(status);
    told.textContent = t(status === 409 ? 'devices.key.refused' : 'devices.error.silent');
  }
  button.disabled = false;
}

new Own('devices', begin).open();
