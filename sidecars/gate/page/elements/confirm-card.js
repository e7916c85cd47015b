/** One request that waits for a person, or did: words of the rule, facts of the gate, the exact request, and apart from them what the bot says. */
import { shortCode } from '../device.js';
import { h } from '../dom.js';
import { clock, lately, t } from '../words.js';

class ConfirmCard extends HTMLElement {
  connectedCallback() {
    const { words, upstream, rule, facts, reason, request, digest, state, created_at: created } = this.card;
    this.problem = h('p', { class: 'alert', role: 'alert', hidden: true });
    this.replaceChildren(h('article', {},
      h('h2', {}, words),
      h('p', { class: 'quiet' }, `${upstream} · ${rule} · ${lately(created)}`),
      facts.length > 0 && h('dl', {}, facts.map(([label, value]) => h('div', {}, h('dt', {}, label), h('dd', {}, value)))),
      // What is decided about is open as long as somebody can decide; the rule may leave a part of it out of its words.
      h('details', { open: state.is === 'pending' }, h('summary', {}, t('confirm.request')), h('pre', { tabindex: '0' }, request),
        h('p', { class: 'quiet' }, t('confirm.digest', { digest: shortCode(digest) }))),
      reason && h('blockquote', {}, h('p', { class: 'quiet' }, t('confirm.reason')), h('p', {}, reason)),
      this.foot(), this.problem));
  }

  foot() {
    const { state, expires_at: expires } = this.card;
    if (state.is !== 'pending') return h('p', { class: 'quiet' }, this.end(state));
    const until = h('span', { class: 'quiet' }, t('confirm.until', { time: clock(expires) }));
    if (!this.decide) return h('p', {}, until);
    this.buttons = ['allow', 'deny'].map((verdict) => h('button', { type: 'button', class: 'secondary', onclick: () => this.act(verdict) }, t(`confirm.${verdict}`)));
    return h('div', { class: 'actions' }, until, ...this.buttons);
  }

  end({ is, decision, by, at }) {
    if (is !== 'decided') return t(`confirm.${is}`);
    return t(`confirm.decided.${decision}`, { who: by.kind === 'device' ? by.name : by.user, time: lately(at) });
  }

  async act(verdict) {
    for (const button of this.buttons) button.disabled = true;
    const problem = await this.decide(verdict);
    if (!problem) return; // the gate tells how it stands
    this.problem.textContent = t(problem);
    this.problem.hidden = false;
    for (const button of this.buttons) button.disabled = false;
  }
}
customElements.define('confirm-card', ConfirmCard);
