/** The answer that is being written: its tools, its text as it comes, and what it waits for. */
import { h } from '../dom.js';
import { t } from '../words.js';
import './tool-card.js';

const PATIENCE_S = 5; // from then on the waiting is counted

class RunningTurn extends HTMLElement {
  connectedCallback() {
    if (this.text) return;
    this.className = 'bot running';
    this.began = Date.now();
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
    this.asks = turn.tools.some(({ state }) => state === 'asking' || state === 'confirming');
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
    const seconds = Math.floor((Date.now() - this.began) / 1_000);
    const words = { waiting: 'turn.waiting', tools: this.asks ? 'turn.asking' : 'turn.tools' }[this.dataset.phase];
    this.phase.textContent = words ? t(words) + (seconds >= PATIENCE_S ? ` ${t('turn.seconds', { seconds })}` : '') : '';
  }
}
customElements.define('running-turn', RunningTurn);
