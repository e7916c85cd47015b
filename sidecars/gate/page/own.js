/**
 * What the gate's own pages have in common: who this browser is, the gate's socket, one card of content. They talk to the gate alone, so an
 * agent that is down or hostile has no part in them.
 */
import { Device, missing, shortCode } from './device.js';
import { h } from './dom.js';
import { Socket } from './socket.js';
import { choose, learn, t } from './words.js';
import { command } from './elements/code-block.js';

export const SETTLE_MS = 500; // a click that was meant for what stood here before does not count

const page = document.getElementById('page');

export class Own {
  profile = '';
  botctl = 'botctl';
  #words; #content; #begin;

  /** `words` is the family of the page's texts; `begin(own)` builds the content and answers `{content, onframe}`. */
  constructor(words, begin) {
    this.#words = words;
    this.#begin = begin;
  }

  async open() {
    const language = choose([localStorage.getItem('language'), ...navigator.languages]);
    document.documentElement.lang = language;
    await learn(language);
    document.title = t(`${this.#words}.title`);
    const problem = await missing();
    const device = problem ? undefined : await Device.load();
    if (problem) return this.#view(h('p', { class: 'alert', role: 'alert' }, t(problem)));
    if (!device) return this.#unpaired();
    const { content, onframe } = this.#begin(this);
    this.#content = content;
    this.onframe = onframe;
    for (const change of ['online', 'pageshow', 'visibilitychange']) addEventListener(change, () => document.visibilityState === 'visible' && this.socket.wake());
    return this.#connect(device);
  }

  /** Asks the gate for something in this device's name. The error has the gate's `code` and `status`. */
  post(path, body) {
    return this.#ask(path, { method: 'POST', body: JSON.stringify(body) });
  }

  get(path, signal) {
    return this.#ask(path, { method: 'GET', signal });
  }

  /** What this browser may not do, and the command for the host that changes it. */
  needs(key, scopes) {
    return [h('p', {}, t(key)), command(`${this.botctl} device scope ${this.profile} ${shortCode(this.device.id)} --set ${scopes}`)];
  }

  async #ask(path, request) {
    const headers = { authorization: `Bearer ${this.ticket}`, 'content-type': 'application/json' };
    const response = await fetch(path, { headers, cache: 'no-store', redirect: 'error', ...request });
    const answer = await response.json();
    if (!response.ok) throw Object.assign(new Error(answer.error?.message), { status: response.status });
    return answer;
  }

  #connect(device) {
    this.device = device;
    const status = h('div', { class: 'quiet', role: 'status' }, t('connection.first'));
    this.socket = new Socket({
      url: `${location.protocol.replace('http', 'ws')}//${location.host}/gate/ws`,
      sign: async (challenge) => {
        this.profile = challenge.profile;
        return { device: device.id, signature: await device.sign('connect', challenge) };
      },
    });
    this.socket.onstate = async (state, detail) => {
      if (state === 'refused') return this.#refused(device);
      this.ticket = state === 'online' ? detail.ticket : undefined;
      this.botctl = detail?.botctl ?? this.botctl;
      status.textContent = state === 'online' ? '' : t('confirm.connecting');
      this.#view(status, ...this.#content);
      if (state === 'online') await device.keep();
      if (state === 'online') this.onopen?.();
    };
    this.socket.onframe = (frame) => this.onframe(frame, status);
    this.socket.start();
  }

  /** The key that this browser has may be another by now. */
  async #refused(device) {
    const other = await Device.successor(device.id);
    if (other) this.#connect(other);
    else this.#unpaired();
  }

  #unpaired() {
    this.#view(h('p', {}, t('confirm.unpaired')));
  }

  #view(...content) {
    const links = [['/', 'confirm.chat'], ['/confirmations', 'confirm.title'], ['/cron', 'cron.title'], ['/devices', 'devices.title'], ['/timeline', 'timeline.title']].filter(([path]) => path !== location.pathname);
    page.replaceChildren(h('main', { class: 'card own' },
      h('p', { class: 'eyebrow' }, this.profile ? t('pair.profile', { profile: this.profile }) : t('page.name')), h('h1', {}, t(`${this.#words}.title`)), ...content,
      h('nav', {}, ...links.map(([path, key]) => h('a', { href: path }, t(key))))));
  }
}
