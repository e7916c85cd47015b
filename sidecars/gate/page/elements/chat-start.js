/** A session without messages: who answers here, and the choice when there are several. */
import { h } from '../dom.js';
import { t } from '../words.js';

class ChatStart extends HTMLElement {
  connectedCallback() {
    this.draw();
    this.chat.addEventListener('sessions', () => this.isConnected && this.draw());
  }

  draw() {
    const { chat } = this;
    const { bot } = chat;
    const several = chat.session === null && chat.store.bots.length > 1;
    this.replaceChildren(h('h2', {}, t('start.title')),
      h('p', { class: 'lead' }, bot ? t(several ? 'start.choose' : 'start.text', { bot: bot.title }) : t('start.nobody')),
      several ? h('fieldset', { class: 'bots' }, h('legend', { class: 'heard' }, t('start.choose')), chat.store.bots.map((card) => this.card(card, bot))) : '',
      bot?.demo ? h('p', { class: 'note' }, t('demo.text')) : '');
  }

  card({ name, title, model, demo }, chosen) {
    return h('label', { class: 'choice' },
      h('input', { type: 'radio', name: 'bot', value: name, checked: name === chosen?.name, onchange: () => this.chat.choose(name) }),
      h('span', { class: 'choice-title' }, title), h('span', { class: 'quiet' }, demo ? t('demo.badge') : model));
  }
}
customElements.define('chat-start', ChatStart);
