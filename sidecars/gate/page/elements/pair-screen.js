/** Everything before this browser is a device. Shows nothing of the profile but its name. */
import { Device, guessName, shortCode } from '../device.js';
import { h } from '../dom.js';
import { clock, t } from '../words.js';
import { command } from './code-block.js';

const KNOWN = new Set(['unreachable', 'unauthorized', 'rate_limited', 'supervisor_unavailable', 'conflict']);

class PairScreen extends HTMLElement {
  profile = '…';
  botctl = 'botctl';

  async connectedCallback() {
    const { problem } = this.setup;
    if (problem) return this.view('missing', h('p', {}, t(problem)), h('p', { class: 'quiet' }, t('missing.newest')));
    this.leaving = new AbortController();
    const device = await Device.load().catch(() => undefined);
    const challenge = await this.pairing.challenge().catch((error) => ({ error }));
    if (!this.isConnected) return;
    if (challenge.error) return this.failed(challenge.error, () => this.connectedCallback());
    this.profile = challenge.profile;
    this.login = challenge.login;
    this.botctl = challenge.botctl ?? this.botctl;
    if (device && this.pairing.pending && !this.setup.code) this.wait(device);
    else this.ask();
  }

  disconnectedCallback() {
    this.leaving?.abort();
  }

  ask(error) {
    const { code, notice } = this.setup;
    const alert = error ?? notice;
    this.view(code ? 'setup' : 'ask',
      alert && h('p', { class: 'alert', role: 'alert' }, t(alert)),
      code ? this.form('pair.setup') : h('ol', { class: 'ways' },
        h('li', {}, h('h2', {}, t('pair.link.title')), h('p', {}, t('pair.link.text')), command(`${this.botctl} open ${this.profile}`)),
        h('li', {}, h('h2', {}, t('pair.request.title')), h('p', {}, t('pair.request.text')), this.form('pair.request'))));
    if (code && matchMedia('(pointer: fine)').matches) this.querySelector('input').select();
  }

  form(words) {
    const { browser, system } = guessName(navigator.userAgent);
    const plain = system ? t('pair.name.guess', { browser, system }) : browser;
    const guess = this.login ? t('pair.name.login', { login: this.login.split('@')[0], browser: plain }) : plain;
    const name = h('input', { name: 'name', required: true, maxlength: 48, autocomplete: 'off', spellcheck: 'false',
      value: guess.slice(0, 48) });
    const button = h('button', { type: 'submit', class: 'primary' }, t(`${words}.button`));
    const send = async (event) => {
      event.preventDefault();
      button.disabled = true;
      await this.request(name.value.trim());
    };
    return h('form', { onsubmit: send }, h('label', {}, h('span', {}, t('pair.name')), name), button);
  }

  async request(name) {
    const { code } = this.setup;
    try {
      const device = await Device.create();
      const state = await this.pairing.request(device, name, code);
      if (state === 'accepted') this.done(device);
      else this.wait(device);
    } catch (error) {
      // A link that was used or is too old does not work again: the other ways are shown.
      if (code && ['unauthorized', 'not_found', 'forbidden', 'conflict'].includes(error.code)) {
        this.setup = {};
        this.ask('pair.error.link');
      } else this.ask(KNOWN.has(error.code) ? `pair.error.${error.code}` : 'pair.error.other');
    }
  }

  async wait(device) {
    const code = shortCode(device.id);
    this.view('waiting',
      h('p', { class: 'code' }, code),
      h('p', {}, t('pair.waiting.how')),
      command(`${this.botctl} device approve ${this.profile} ${code}`),
      h('p', { class: 'quiet', role: 'status' }, t('pair.waiting.until', { time: clock(this.pairing.pending.expires_at) })));
    const outcome = await this.pairing.outcome(this.leaving.signal);
    if (!this.isConnected || outcome === 'left') return;
    if (outcome === 'accepted') this.done(device);
    else this.view(outcome, h('button', { type: 'button', class: 'primary', onclick: () => this.ask() }, t('pair.again')));
  }

  failed(error, again) {
    const key = error.code === 'unreachable' ? 'pair.error.unreachable' : 'pair.error.other';
    this.view('unreachable', h('p', { role: 'alert' }, t(key)),
      h('button', { type: 'button', class: 'primary', onclick: again }, t('pair.again')));
  }

  done(device) {
    this.dispatchEvent(new CustomEvent('paired', { detail: device }));
  }

  view(name, ...content) {
    const title = h('h1', { tabindex: '-1' }, t(`pair.${name}.title`));
    this.replaceChildren(h('main', { class: `card view-${name}` },
      h('p', { class: 'eyebrow' }, this.profile === '…' ? t('page.name') : t('pair.profile', { profile: this.profile })),
      title, h('p', { class: 'lead' }, t(`pair.${name}.text`)), ...content));
    title.focus();
  }
}
customElements.define('pair-screen', PairScreen);
