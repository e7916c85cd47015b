/** How many requests wait for a person; leads to the gate's own page. Asks the gate, not the agent. */
import { h } from '../dom.js';
import { t } from '../words.js';

const AGAIN_MS = 5_000;

class ConfirmBadge extends HTMLElement {
  connectedCallback() {
    this.link = h('a', { href: '/confirmations', class: 'confirm-badge', hidden: true });
    this.append(this.link);
    this.chat.addEventListener('connection', () => this.follow());
    this.follow();
  }

  disconnectedCallback() {
    this.asking?.abort();
  }

  /** Follows as long as this connection's ticket is good. */
  async follow() {
    this.asking?.abort();
    const { ticket } = this.chat.device;
    if (this.chat.connection.state !== 'online' || !ticket) return;
    const asking = new AbortController();
    this.asking = asking;
    for (let tag = ''; !asking.signal.aborted;) {
      try {
        const headers = { authorization: `Bearer ${ticket}`, ...(tag && { 'if-none-match': tag }) };
        const response = await fetch('/gate/confirmations', { headers, cache: 'no-store', redirect: 'error', signal: asking.signal });
        if (response.status === 401) return;
        if (response.ok) {
          tag = response.headers.get('etag');
          this.draw((await response.json()).cards.filter((card) => card.state.is === 'pending').length);
        } else if (response.status !== 304) throw new Error(response.status);
      } catch {
        await new Promise((resolve) => { setTimeout(resolve, AGAIN_MS); });
      }
    }
  }

  draw(count) {
    this.link.hidden = count === 0;
    this.link.textContent = t(count === 1 ? 'confirm.badge.one' : 'confirm.badge', { count });
  }
}
customElements.define('confirm-badge', ConfirmBadge);
