/** What belongs to this browser: its name, light or dark, the language. */
import { h } from '../dom.js';
import { LANGUAGES, t } from '../words.js';

class PageSettings extends HTMLElement {
  connectedCallback() {
    this.device = h('p', { class: 'quiet' });
    const themes = ['auto', 'light', 'dark'].map((theme) => [theme, t(`theme.${theme}`)]);
    this.links = h('nav', { class: 'quiet' });
    this.append(this.device, this.links, h('div', {},
      this.select(t('settings.theme'), themes, document.documentElement.dataset.theme, (theme) => this.paint(theme)),
      this.select(t('settings.language'), Object.entries(LANGUAGES), document.documentElement.lang, (language) => {
        localStorage.setItem('language', language);
        location.reload(); // drafts, outbox and the running answer survive it
      })));
    this.chat.addEventListener('connection', () => this.own());
    this.own();
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.tint());
    this.tint();
  }

  /** What this browser is called, and the gate's own pages that it may read. */
  own() {
    this.device.textContent = this.chat.device.name ?? '';
    const pages = [['/devices', 'devices.title'], ['/confirmations', 'confirm.title'], ['/cron', 'cron.title'], this.chat.may('admin') && ['/timeline', 'timeline.title']];
    this.links.replaceChildren(...pages.filter(Boolean).map(([path, key]) => h('a', { href: path }, t(key))));
  }

  select(label, options, value, change) {
    return h('label', {}, h('span', { class: 'quiet' }, label), h('select', { onchange: (event) => change(event.target.value) },
      options.map(([key, text]) => h('option', { value: key, selected: key === value }, text))));
  }

  paint(theme) {
    localStorage.setItem('theme', theme);
    document.documentElement.dataset.theme = theme;
    this.tint();
  }

  /** The phone's own bars take the colour of the paper. */
  tint() {
    document.querySelector('meta[name=theme-color]').content = getComputedStyle(document.body).backgroundColor;
  }
}
customElements.define('page-settings', PageSettings);
