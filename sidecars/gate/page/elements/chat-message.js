/** One message: a stored one of either side (`message`), or one that is still on its way (`entry`). */
import { h } from '../dom.js';
import { build } from '../markdown.js';
import { clock, moment, t } from '../words.js';
import { copyButton } from './code-block.js';
import './tool-card.js';

const LONG_CHARS = 1_800; // about a screen
const LONG_LINES = 24;

class ChatMessage extends HTMLElement {
  connectedCallback() {
    if (this.childElementCount > 0) return; // only moved
    const { message, entry, chat } = this;
    const bot = message?.author === 'bot';
    this.className = bot ? 'bot' : 'person';
    this.append(h('h3', { class: 'heard' }, bot ? chat.bot?.title ?? '' : t('message.you')),
      ...(message?.tools ?? []).map((call) => h('tool-card', { chat, call })),
      bot ? this.answer(message) : this.words((message ?? entry).text));
    if (message?.shortened) this.append(h('div', { class: 'note shortened' }, h('p', {}, t('note.shortened'))));
    if (message?.note) this.append(this.note(message.note));
    this.append(entry ? this.status(entry) : this.foot(message));
    if (message?.summary) this.append(this.summary(message.summary));
  }

  answer({ tree, text }) {
    if (tree.length === 0) return h('div', { class: 'body plain', dir: 'auto' }, text);
    return h('div', { class: 'body prose', dir: 'auto' }, build(tree, (value, lang) => h('code-block', { text: { value, lang } })));
  }

  words(text) {
    const body = h('div', { class: 'body plain', dir: 'auto' }, text);
    if (text.length < LONG_CHARS && text.split('\n').length < LONG_LINES) return body;
    body.classList.add('long');
    const whole = h('button', { type: 'button', class: 'link', onclick: () => { body.classList.remove('long'); whole.remove(); } },
      t('message.whole'));
    return h('div', { class: 'folded' }, body, whole);
  }

  note({ code, detail }) {
    const again = code === 'failed' || code === 'interrupted';
    return h('div', { class: `note ${code}` }, h('p', {}, t(`note.${code}`), detail ? h('span', { class: 'detail' }, detail) : ''),
      again && h('button', { type: 'button', class: 'again', onclick: () => this.again() }, t('note.again')));
  }

  /** What stands for the chat up to here in later answers. */
  summary({ tree, text }) {
    return h('details', { class: 'summary' }, h('summary', {}, t('summary.title')), h('p', { class: 'quiet' }, t('summary.text')), this.answer({ tree, text }));
  }

  again() {
    const { messages } = this.chat.store.thread;
    const question = messages.filter(({ author, seq }) => author === 'person' && seq < this.message.seq).at(-1);
    if (question) this.chat.send(question.text);
  }

  foot({ at, text }) {
    return h('p', { class: 'foot' },
      h('time', { datetime: new Date(at).toISOString(), title: moment(at) }, clock(at)), text && copyButton(() => text));
  }

  status({ id, failed }) {
    if (!failed) return h('p', { class: 'foot pending' }, t(this.chat.connection.state === 'online' ? 'message.sending' : 'message.waiting'));
    return h('div', { class: 'note failed' }, h('p', {}, t('message.failed'), h('span', { class: 'detail' }, failed)),
      h('button', { type: 'button', onclick: () => this.chat.retry(id) }, t('message.retry')),
      h('button', { type: 'button', onclick: () => this.chat.discard(id) }, t('message.discard')));
  }
}
customElements.define('chat-message', ChatMessage);
