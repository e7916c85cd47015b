/** The room: sessions at the side (a drawer where it is narrow), the conversation, and the voice for people who listen. */
import { h, iconButton } from '../dom.js';
import { t } from '../words.js';
import './chat-composer.js';
import './chat-header.js';
import './chat-log.js';
import './connection-line.js';
import './page-settings.js';
import './session-list.js';

const wide = matchMedia('(min-width: 52rem)');
const NOTICE_MS = 8_000;
const SPOKEN_CHARS = 4_000;

class ChatShell extends HTMLElement {
  connectedCallback() {
    const { chat } = this;
    this.profile = h('p', { class: 'brand' });
    this.side = h('aside', { 'aria-label': t('session.list') },
      h('div', { class: 'side-head' }, this.profile, iconButton('close', t('drawer.close'), () => this.drawer(false), { class: 'icon-button drawer-button' })),
      h('session-list', { chat }), h('page-settings', { chat }));
    this.voice = h('p', { class: 'heard', role: 'status' });
    this.notice = h('p', { class: 'notice', role: 'alert', hidden: true });
    this.append(h('a', { class: 'skip', href: '#message', onclick: (event) => this.skip(event) }, t('skip')),
      this.side, h('button', { type: 'button', class: 'shade', tabindex: '-1', 'aria-hidden': 'true', onclick: () => this.drawer(false) }),
      h('main', {}, h('chat-header', { chat }), h('connection-line', { chat }), h('chat-log', { chat }), this.notice, h('chat-composer', { chat })),
      this.voice);
    this.addEventListener('drawer', () => this.drawer(true));
    this.addEventListener('chosen', () => this.drawer(false));
    this.addEventListener('voice', ({ detail }) => this.say(detail));
    this.side.addEventListener('keydown', ({ key }) => key === 'Escape' && this.drawer(false));
    wide.addEventListener('change', () => this.drawer(false));
    chat.addEventListener('session', () => { this.profile.textContent = chat.store.profile; });
    chat.addEventListener('answer', () => this.speak());
    chat.addEventListener('notice', ({ detail }) => this.tell(detail));
    this.drawer(false);
  }

  drawer(open) {
    const was = this.classList.contains('open');
    this.classList.toggle('open', open);
    this.side.inert = !wide.matches && !open;
    this.querySelector('main').inert = !wide.matches && open;
    if (open) this.querySelector('session-list .new').focus();
    else if (was) this.querySelector('chat-header .drawer-button').focus();
  }

  skip(event) {
    event.preventDefault();
    this.querySelector('#message').focus();
  }

  /** A finished answer is read out as a whole, not word by word. */
  speak() {
    const { text, note } = this.chat.store.thread.messages.at(-1);
    const words = note ? `${text.slice(0, SPOKEN_CHARS)} ${t(`note.${note.code}`)}`.trim() : text.slice(0, SPOKEN_CHARS);
    this.say(t('answer.spoken', { bot: this.chat.bot?.title ?? '', text: words }));
  }

  say(words) {
    clearTimeout(this.silence);
    this.voice.textContent = words;
    this.silence = setTimeout(() => { this.voice.textContent = ''; }, NOTICE_MS); // said once, not found a second time
  }

  tell({ code, text }) {
    clearTimeout(this.fading);
    this.notice.textContent = code ? t(code) : text;
    this.notice.hidden = false;
    this.fading = setTimeout(() => { this.notice.hidden = true; }, NOTICE_MS);
  }
}
customElements.define('chat-shell', ChatShell);
