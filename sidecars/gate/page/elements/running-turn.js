/** The answer that is being written: its tools, its text as it comes, and what it waits for. */
import { h } from '../dom.js';
import { Wait } from '../wait.js';
import './tool-card.js';

class RunningTurn extends HTMLElement {
  connectedCallback() {
    if (this.text) return;
    this.className = 'bot running';
    this.wait = new Wait(Date.now());
    this.tools = h('div', { class: 'tools' });
    this.text = document.createTextNode('');
    this.phase = h('p', { class: 'phase' });
    this.append(h('h3', { class: 'heard' }, this.chat.bot?.title ?? ''), this.tools,
      h('div', { class: 'body plain', dir: 'auto' }, this.text, h('span', { class: 'caret' })), this.phase);
    this.clock = setInterval(() => this.tick(), 1_000);
    this.show();
  }

  disconnectedCallback() {
    clearInterval(this.clock);
  }

  /** Draws the turn as the store has it now; text that only grew is only appended. */
  show() {
    const { turn } = this.chat.store.thread;
    if (!turn) return;
    turn.tools.forEach((call, n) => this.card(call, this.tools.children[n]));
    this.wait.take(turn, Date.now());
    if (turn.text.startsWith(this.text.data)) this.text.appendData(turn.text.slice(this.text.length));
    else this.text.data = turn.text;
    this.dataset.phase = turn.phase;
    this.classList.toggle('silent', turn.text === '');
    this.tick();
  }

  /** A card is drawn anew when its call changed: the focus stays on the others. */
  card(call, known) {
    const source = JSON.stringify([call, call.asking && this.chat.isAnswered(call.asking)]);
    if (known?.source.text === source) return;
    const card = h('tool-card', { chat: this.chat, call, source: { text: source } });
    if (known) known.replaceWith(card);
    else this.tools.append(card);
  }

  tick() {
    const now = Date.now();
    this.phase.textContent = this.wait.text(now);
    const words = this.wait.spoken(now);
    if (words) this.dispatchEvent(new CustomEvent('voice', { detail: words, bubbles: true }));
  }
}
customElements.define('running-turn', RunningTurn);
