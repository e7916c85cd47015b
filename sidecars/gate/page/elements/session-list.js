/** All sessions, newest first, and the way to a new one. A long list can be searched. */
import { h, icon } from '../dom.js';
import { lately, t } from '../words.js';

const SEARCH_FROM = 12;

class SessionList extends HTMLElement {
  connectedCallback() {
    const { chat } = this;
    this.fresh = h('button', { type: 'button', class: 'new', onclick: () => this.choose(null) }, icon('plus'), t('session.new'));
    this.search = h('input', { type: 'search', placeholder: t('session.search'), 'aria-label': t('session.search'), oninput: () => this.draw() });
    this.list = h('ul', {});
    this.append(this.fresh, this.search, h('nav', { 'aria-label': t('session.list') }, this.list));
    for (const change of ['session', 'sessions']) chat.addEventListener(change, () => this.draw());
    this.draw();
  }

  draw() {
    const { chat } = this;
    const { sessions } = chat.store;
    const wanted = this.search.value.trim().toLocaleLowerCase();
    this.search.hidden = sessions.length < SEARCH_FROM;
    this.fresh.toggleAttribute('aria-current', chat.session === null);
    const found = sessions.filter(({ title }) => title.toLocaleLowerCase().includes(wanted));
    this.list.replaceChildren(...found.map((session) => this.item(session)));
    if (found.length === 0 && chat.welcomed) this.list.append(h('li', { class: 'quiet none' }, t(wanted ? 'session.none' : 'session.first')));
  }

  item({ id, title, bot, updated_at: at, running }) {
    const { store, session } = this.chat;
    const several = store.bots.length > 1 && store.bot(bot)?.title;
    return h('li', {}, h('button', { type: 'button', 'aria-current': id === session && 'page', onclick: () => this.choose(id) },
      h('span', { class: 'session-title', dir: 'auto' }, title || t('session.untitled')),
      h('span', { class: 'quiet' }, running ? h('span', { class: 'pulse', role: 'img', 'aria-label': t('session.running') }) : '',
        [several, lately(at)].filter(Boolean).join(' · '))));
  }

  choose(session) {
    this.chat.open(session);
    this.dispatchEvent(new Event('chosen', { bubbles: true }));
  }
}
customElements.define('session-list', SessionList);
