/** The messages of the open session: days, answers, what is on its way, what is being written; older ones come when scrolled to. */
import { h, iconButton } from '../dom.js';
import { Scroll } from '../scroll.js';
import { day, t } from '../words.js';
import './chat-message.js';
import './chat-start.js';
import './running-turn.js';

class ChatLog extends HTMLElement {
  #drawn = new Map(); // key → {source, element}; an element is kept while its source is the same object

  connectedCallback() {
    const { chat } = this;
    this.column = h('div', { class: 'column' });
    const box = h('div', { class: 'scroll', role: 'log', 'aria-live': 'off', 'aria-label': t('log.label'), tabindex: '0' }, this.column);
    const jump = iconButton('down', t('log.newest'), () => this.scroll.toEnd(), { class: 'icon-button jump', hidden: true });
    this.append(box, jump);
    this.scroll = new Scroll(box, { ontop: () => chat.older(), onfollow: (following) => { jump.hidden = following; } });
    const sizes = new ResizeObserver(() => this.scroll.settle());
    for (const element of [box, this.column]) sizes.observe(element);
    for (const change of ['thread', 'turn', 'connection']) chat.addEventListener(change, () => this.draw());
    chat.addEventListener('older', () => this.scroll.keeping(() => this.draw()));
    chat.addEventListener('text', () => this.column.querySelector('running-turn')?.show());
    chat.addEventListener('outbox', () => { this.draw(); this.scroll.settle(); });
    chat.addEventListener('sent', () => { this.draw(); this.scroll.toEnd(); });
    chat.addEventListener('session', () => this.turnTo(chat.session));
    this.draw();
  }

  /** A session begins at its end; the same one after a reconnect stays where it was. */
  turnTo(session) {
    this.draw();
    if (session !== this.shown) this.scroll.toEnd();
    this.shown = session;
  }

  draw() {
    const wanted = new Map(this.items().map(([key, source, make]) => {
      const known = this.#drawn.get(key);
      return [key, known?.source === source ? known : { source, element: make() }];
    }));
    const elements = [...wanted.values()].map(({ element }) => element);
    const stays = new Set(elements);
    for (const child of [...this.column.children]) if (!stays.has(child)) child.remove();
    let place = this.column.firstElementChild;
    for (const element of elements) {
      if (element === place) place = place.nextElementSibling;
      else this.column.insertBefore(element, place);
    }
    this.#drawn = wanted;
    this.column.querySelector('running-turn')?.show();
    this.scroll.settle();
    if (this.chat.store.thread.more) this.scroll.moved();
  }

  /** `[key, source, make]` of everything to be seen, from top to bottom. */
  items() {
    const { chat } = this;
    const { thread } = chat.store;
    const waiting = chat.session === null ? [] : chat.outbox.entries(chat.session);
    if (!chat.welcomed || !thread.loaded) return [['loading', null, () => this.loading()], ...waiting.map((entry) => this.entry(entry))];
    if (thread.messages.length + waiting.length === 0 && !thread.turn) {
      return [['start', chat.session, () => h('chat-start', { chat })]];
    }
    const items = thread.more ? [['older', null, () => h('p', { class: 'older' }, t('log.older'))]] : [];
    let last;
    for (const message of thread.messages) {
      const date = day(message.at);
      if (date !== last) items.push([`day:${date}`, null, () => h('h2', { class: 'day' }, date)]);
      last = date;
      items.push([message.id, message, () => h('chat-message', { chat, message })]);
    }
    items.push(...waiting.map((entry) => this.entry(entry)));
    if (thread.turn) items.push([`turn:${thread.turn.id}`, null, () => h('running-turn', { chat })]);
    return items;
  }

  /** A message on its way is drawn anew when the connection comes or goes: its words change. */
  entry(entry) {
    const online = this.chat.connection.state === 'online';
    return [`${entry.id}:${online}`, entry, () => h('chat-message', { chat: this.chat, entry })];
  }

  loading() {
    return h('div', { class: 'loading', role: 'status' }, h('span', { class: 'heard' }, t('log.loading')),
      ...['', 'short', 'long', ''].map((size) => h('span', { class: `bone ${size}` })));
  }
}
customElements.define('chat-log', ChatLog);
