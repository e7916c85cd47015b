/** One call of a tool: its name and state, and on demand what went in and what came out; what a person is asked before it runs. */
import { h, icon, visible } from '../dom.js';
import { layout } from '../layout.js';
import { reason } from '../reasons.js';
import { clock, t } from '../words.js';

/** How the agent begins what came of a call that a rule of the gate, or a person, did not allow. */
const NOT_ALLOWED = /^error: (?:egress_denied|a person denied it): /;
const opened = new Set(); // a card that a person opened stays open when its answer is finished and drawn anew

class ToolCard extends HTMLElement {
  connectedCallback() {
    const { id, name, arguments: input, state, result, asking } = this.call;
    const open = state === 'asking' || opened.has(id);
    const shown = state === 'failed' && NOT_ALLOWED.test(result ?? '') ? 'denied' : state;
    this.replaceChildren(h('details', { class: `tool ${shown}`, open, ontoggle: (event) => remember(id, event.target.open) },
      h('summary', {}, icon('tool'), h('span', { class: 'tool-name' }, visible(name)), h('span', { class: 'tool-state' }, t(`tool.${shown}`))),
      this.part(asking ? 'tool.asked' : 'tool.arguments', visible(layout(input))),
      asking && this.question(asking),
      state === 'confirming' && h('p', { class: 'ask' }, t('confirm.text'), ' ', h('a', { href: '/confirmations', target: '_blank', rel: 'noopener' }, t('confirm.link'))),
      result === null || result === undefined ? '' : this.part('tool.result', visible(layout(result)))));
  }

  part(label, text) {
    return h('div', {}, h('p', { class: 'quiet' }, t(label)), h('pre', { tabindex: '0' }, text));
  }

  /** The whole call is above: nothing is allowed that is not shown. */
  question(asking) {
    const { chat } = this;
    const disabled = chat.isAnswered(asking);
    const button = (key, allow) => h('button', { type: 'button', class: 'secondary', disabled, onclick: () => chat.decide(asking, allow) }, t(key));
    return h('div', { class: 'ask', role: 'group', 'aria-label': t('approval.title') },
      h('p', { role: 'alert' }, h('strong', {}, t('approval.title')), ' ', t('approval.why', { why: visible(reason(asking.why)) })),
      h('p', { class: 'quiet' }, t('approval.until', { time: clock(asking.expires_at) })),
      chat.may('approve') ? h('p', { class: 'actions' }, button('approval.allow', true), button('approval.deny', false))
        : h('p', { class: 'quiet' }, t('approval.scope')));
  }
}
customElements.define('tool-card', ToolCard);

function remember(id, open) {
  if (open) opened.add(id);
  else opened.delete(id);
}
