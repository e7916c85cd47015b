/** The gate's own page of requests that wait for a person. Nothing here comes from the agent but the reason, which stands apart. */
import { h } from './dom.js';
import { Own, SETTLE_MS } from './own.js';
import { t } from './words.js';
import './elements/confirm-card.js';

const cards = new Map();
let moved = 0;

function begin(own) {
  const waiting = h('ol', { class: 'cards' });
  const over = h('ol', { class: 'cards over' });
  const past = h('summary', {});
  const lately = h('details', { class: 'lately', hidden: true }, past, over);
  const onframe = (frame, status) => {
    if (frame.type !== 'cards') return;
    const pending = frame.cards.filter((card) => card.state.is === 'pending').reverse();
    draw(own, waiting, pending, frame.approve);
    draw(own, over, frame.cards.filter((card) => card.state.is !== 'pending'), false);
    lately.hidden = over.children.length === 0;
    past.textContent = t('confirm.lately', { count: over.children.length });
    status.replaceChildren(...(pending.length === 0 ? [t('confirm.none')]
      : frame.approve ? [t('confirm.check')] : own.needs('confirm.scope', 'chat,approve')));
    document.title = pending.length === 0 ? t('confirm.title') : `(${pending.length}) ${t('confirm.title')}`;
  };
  return { content: [waiting, lately], onframe };
}

/** Oldest first, so that a new one moves nothing; an element stays as long as its card does not change. */
function draw(own, list, shown, approve) {
  const items = shown.map((card) => {
    const key = JSON.stringify([card, approve]);
    const known = cards.get(card.id);
    if (known?.key === key) return known.item;
    const element = h('confirm-card', { card });
    element.decide = approve ? (verdict) => decide(own, card, verdict) : undefined;
    const item = h('li', {}, element);
    cards.set(card.id, { key, item });
    return item;
  });
  if (items.length === list.children.length && items.every((item, at) => item === list.children[at])) return;
  list.replaceChildren(...items);
  moved = performance.now();
}

/** The word of this person, signed by this device's key over exactly this request. The error is a key of the words. */
async function decide(own, card, verdict) {
  if (performance.now() - moved < SETTLE_MS) return 'confirm.moved';
  try {
    const signature = await own.device.decide(own.profile, card, verdict);
    await own.post(`/gate/confirmations/${card.id}`, { verdict, digest: card.digest, signature });
    return undefined;
  } catch ({ status }) {
    if (!status) return 'confirm.error.offline';
    return { 403: 'confirm.error.scope', 404: 'confirm.error.late', 409: 'confirm.error.late' }[status] ?? 'confirm.error.other';
  }
}

new Own('confirm', begin).open();
