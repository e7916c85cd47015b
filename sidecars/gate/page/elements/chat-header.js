/** Which session this is, who answers, and what can be done with it. */
import { h, icon, iconButton } from '../dom.js';
import { t } from '../words.js';
import { ask } from './ask-dialog.js';
import './confirm-badge.js';
import { showMemory } from './memory-dialog.js';

class ChatHeader extends HTMLElement {
  connectedCallback() {
    this.heading = h('h1', {});
    this.bot = h('p', { class: 'quiet' });
    this.badge = h('details', { class: 'badge' }, h('summary', {}, t('demo.badge')), h('p', { class: 'popup' }, t('demo.text')));
    this.menu = h('details', { class: 'menu' }, h('summary', { class: 'icon-button', 'aria-label': t('menu.label'), title: t('menu.label') }, icon('more')),
      h('div', { class: 'popup' }, ...['rename', 'export', 'memory', 'delete'].map((act) =>
        h('button', { type: 'button', class: act, onclick: () => this.act(act) }, t(`menu.${act}`)))));
    this.append(iconButton('menu', t('drawer.open'), () => this.dispatchEvent(new Event('drawer', { bubbles: true })), { class: 'icon-button drawer-button' }),
      h('div', { class: 'what' }, this.heading, this.bot), h('confirm-badge', { chat: this.chat }), this.badge, this.menu);
    for (const popup of [this.badge, this.menu]) {
      popup.addEventListener('focusout', ({ relatedTarget }) => { if (relatedTarget && !popup.contains(relatedTarget)) popup.open = false; });
      popup.addEventListener('keydown', ({ key }) => { if (key === 'Escape') this.shut(popup); });
    }
    document.addEventListener('pointerdown', ({ target }) => {
      for (const popup of [this.badge, this.menu]) if (!popup.contains(target)) popup.open = false;
    });
    for (const change of ['session', 'sessions']) this.chat.addEventListener(change, () => this.draw());
    this.draw();
  }

  draw() {
    const { chat } = this;
    const summary = chat.store.summary();
    const title = summary?.title || t(summary ? 'session.untitled' : 'session.new');
    this.heading.textContent = chat.welcomed ? title : '';
    this.bot.textContent = chat.bot ? `${chat.bot.title} · ${chat.bot.model}` : '';
    this.badge.hidden = !chat.bot?.demo;
    this.menu.hidden = !summary;
    this.menu.querySelector('.memory').hidden = !chat.bot?.memory;
    document.title = chat.welcomed ? `${title} · ${chat.store.profile}` : t('page.name');
  }

  shut(popup) {
    popup.open = false;
    popup.querySelector('summary').focus();
  }

  async act(act) {
    this.shut(this.menu);
    const { chat } = this;
    const title = chat.store.summary()?.title ?? '';
    if (act === 'export') return this.save();
    if (act === 'memory') return showMemory(chat);
    const answer = await ask(act === 'rename'
      ? { title: t('rename.title'), value: title, label: t('rename.label'), confirm: t('rename.button') }
      : { title: t('delete.title'), text: t('delete.text', { title: title || t('session.untitled') }), confirm: t('delete.button'), danger: true });
    if (answer === null) return;
    if (act === 'delete') chat.remove();
    else if (answer.trim() !== '') chat.rename(answer.trim());
  }

  async save() {
    try {
      const { name, blob } = await this.chat.export();
      const link = h('a', { href: URL.createObjectURL(blob), download: name });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the download has begun by then
    } catch {
      this.chat.notice({ code: 'notice.export' });
    }
  }
}
customElements.define('chat-header', ChatHeader);
