/** Says calmly when the agent cannot be reached, and that nothing is lost. Appears only when it lasts. */
import { h } from '../dom.js';
import { t } from '../words.js';

class ConnectionLine extends HTMLElement {
  connectedCallback() {
    this.words = h('p', { role: 'status' });
    this.now = h('button', { type: 'button', class: 'link', onclick: () => this.chat.wake() }, t('connection.now'));
    this.append(this.words, this.now);
    this.chat.addEventListener('connection', () => this.draw());
    this.draw();
  }

  draw() {
    const { state, reason, attempt = 0 } = this.chat.connection;
    // While the next attempt is under way the reason for it stays on the screen.
    if (reason) this.reason = reason;
    if (state === 'online') this.reason = undefined;
    this.hidden = state === 'online' || state === 'refused';
    this.now.hidden = state !== 'waiting' || attempt < 3;
    const words = t(`connection.${this.reason ?? 'first'}`);
    if (this.words.textContent !== words) this.words.textContent = words;
  }
}
customElements.define('connection-line', ConnectionLine);
