/** Where the person writes. The draft of each session stays until it is sent. */
import { MAX_MESSAGE_BYTES } from '../chat.js';
import { Draft } from '../draft.js';
import { h, iconButton } from '../dom.js';
import { t } from '../words.js';

const touch = matchMedia('(pointer: coarse)');
const encoder = new TextEncoder();

class ChatComposer extends HTMLElement {
  connectedCallback() {
    const { chat } = this;
    this.field = h('textarea', { id: 'message', rows: 1, 'aria-label': t('composer.label'), placeholder: t('composer.placeholder'),
      autocomplete: 'off', enterkeyhint: touch.matches ? 'enter' : 'send', dir: 'auto',
      oninput: () => this.typed(), onkeydown: (event) => this.key(event) });
    this.stop = iconButton('stop', t('composer.stop'), () => this.halt(), { class: 'icon-button stop' });
    this.submit = iconButton('send', t('composer.send'), undefined, { type: 'submit', class: 'icon-button send' });
    this.hint = h('p', { class: 'hint', role: 'status' });
    this.append(h('form', { onsubmit: (event) => { event.preventDefault(); this.send(); } }, this.field, this.stop, this.submit), this.hint);
    this.draft = new Draft(chat.outbox, this.field);
    chat.addEventListener('session', () => this.turnTo(chat.session));
    chat.addEventListener('draft', ({ detail }) => { this.draft.changed(detail); this.fit(); });
    for (const change of ['turn', 'thread', 'connection']) chat.addEventListener(change, () => this.update());
    this.turnTo(chat.session);
  }

  turnTo(session) {
    if (this.at !== session) this.draft.turnTo(session);
    this.at = session;
    this.fit(); // a welcome lets go what waits for it
    if (!touch.matches && !document.querySelector('dialog[open]')) this.field.focus({ preventScroll: true });
  }

  typed() {
    this.eager = false;
    this.draft.typed();
    this.fit();
  }

  /** As high as its text. */
  fit() {
    this.field.style.height = 'auto';
    this.field.style.height = `${this.field.scrollHeight}px`;
    this.update();
  }

  update() {
    const { chat } = this;
    const running = Boolean(chat.store.thread.turn);
    const excess = encoder.encode(this.field.value.trim()).length - MAX_MESSAGE_BYTES;
    const empty = this.field.value.trim() === '';
    if (!running) this.stopping = false;
    this.stop.hidden = !running;
    this.stop.disabled = this.stopping || chat.connection.state !== 'online';
    this.submit.hidden = running && empty;
    this.submit.disabled = empty || excess > 0 || !chat.welcomed;
    if (this.eager && !this.submit.disabled) this.send();
    this.hint.textContent = excess > 0 ? t('composer.long', { bytes: excess.toLocaleString(document.documentElement.lang) }) : '';
  }

  /** Enter sends where there is a keyboard; on a phone it breaks the line. Escape stops an answer. */
  key(event) {
    if (event.isComposing) return;
    if (event.key === 'Enter' && !event.shiftKey && !touch.matches) {
      event.preventDefault();
      this.eager = this.submit.disabled; // not welcomed yet: it goes as soon as it can
      if (!this.eager) this.send();
    } else if (event.key === 'Escape' && !this.stop.hidden) this.halt();
  }

  send() {
    this.eager = false;
    if (!this.draft.send((text) => this.chat.send(text))) return;
    this.fit();
    this.field.focus();
  }

  halt() {
    this.stopping = this.chat.stop();
    this.update();
    this.field.focus();
  }
}
customElements.define('chat-composer', ChatComposer);
