/** One device that asks to be let in: the code that it shows, its name, and what it would be allowed to do. */
import { shortCode } from '../device.js';
import { h, visible } from '../dom.js';
import { clock, lately, t } from '../words.js';

class PairingCard extends HTMLElement {
  connectedCallback() {
    const { device, name, login, at, expires_at: expires } = this.request;
    this.problem = h('p', { class: 'alert', role: 'alert', hidden: true });
    this.boxes = this.scopes.map((scope) => h('input', { type: 'checkbox', name: scope }));
    const choices = this.boxes.map((box) => h('label', {}, box, t(`devices.may.${box.name}`)));
    this.buttons = ['allow', 'deny'].map((verdict) => h('button', { type: 'button', class: 'secondary', onclick: () => this.act(verdict) }, t(`devices.${verdict}`)));
    this.replaceChildren(h('article', {},
      h('p', { class: 'code' }, shortCode(device)),
      h('h3', {}, visible(name)),
      h('p', { class: 'quiet' }, t('devices.asked', { when: lately(at) }), login && ` · ${t('devices.login', { login: visible(login) })}`),
      h('fieldset', {}, h('legend', { class: 'quiet' }, t('devices.give')), h('label', {}, h('input', { type: 'checkbox', checked: true, disabled: true }), t('devices.may.chat')), ...choices),
      h('div', { class: 'actions' }, h('span', { class: 'quiet' }, t('confirm.until', { time: clock(expires) })), ...this.buttons), this.problem));
  }

  async act(verdict) {
    for (const button of this.buttons) button.disabled = true;
    const more = this.boxes.filter((box) => box.checked).map((box) => box.name);
    const problem = await this.decide(verdict, verdict === 'allow' ? ['chat', ...more] : []);
    if (!problem) return; // the gate tells how it stands
    this.problem.textContent = t(problem);
    this.problem.hidden = false;
    for (const button of this.buttons) button.disabled = false;
  }
}
customElements.define('pairing-card', PairingCard);
