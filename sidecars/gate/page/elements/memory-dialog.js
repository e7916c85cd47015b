/** What the bot remembers from chat to chat: seen, searched, changed, deleted. */
import { h } from '../dom.js';
import { t } from '../words.js';
import { ask } from './ask-dialog.js';

const MAX_FACT_CHARS = 300; // as in agent_workspace::memory

/** Opens the dialog; what it shows follows the agent's answers. */
export function showMemory(chat) {
  const heading = h('h2', { id: 'memory-title' }, t('memory.title', { bot: chat.bot.title }));
  const find = h('input', { type: 'search', 'aria-label': t('memory.find'), placeholder: t('memory.find'), oninput: () => draw() });
  const about = h('p', { class: 'quiet', role: 'status' });
  const list = h('ul', {});
  const dialog = h('dialog', { class: 'memory', 'aria-labelledby': 'memory-title', onclick: (event) => event.target === dialog && dialog.close() },
    h('form', { method: 'dialog' }, heading, about, find, list, h('p', { class: 'actions' }, h('button', { class: 'primary' }, t('memory.close')))));
  const bot = chat.bot.name;
  const draw = () => {
    const memory = chat.memory?.bot === bot ? chat.memory : null;
    const facts = memory?.facts ?? [];
    const wanted = find.value.trim().toLowerCase();
    const shown = facts.filter(({ text }) => text.toLowerCase().includes(wanted));
    find.hidden = facts.length < 2;
    about.textContent = !memory ? t('memory.loading') : facts.length === 0 ? t('memory.none')
      : t('memory.about', { count: facts.length, used: facts.filter((fact) => fact.in_prompt).length });
    list.replaceChildren(...shown.map((fact) => row(chat, fact)));
  };
  const close = () => {
    chat.removeEventListener('memory', draw);
    dialog.remove();
  };
  chat.addEventListener('memory', draw);
  dialog.addEventListener('close', close);
  document.body.append(dialog);
  draw();
  dialog.showModal();
  chat.seeMemory(bot);
}

function row(chat, { id, text, date, shared, in_prompt: used }) {
  const facts = [date, shared && t('memory.shared'), t(used ? 'memory.used' : 'memory.unused')].filter(Boolean).join(' · ');
  const change = async () => {
    const now = await ask({ title: t('memory.edit.title'), value: text, label: t('memory.edit.label'), confirm: t('memory.edit.button'), longest: MAX_FACT_CHARS });
    if (now !== null && now.trim() !== '' && now.trim() !== text) chat.editFact(id, now.trim());
  };
  const forget = async () => {
    const yes = await ask({ title: t('memory.forget.title'), text, confirm: t('memory.forget.button'), danger: true });
    if (yes !== null) chat.forgetFact(id);
  };
  return h('li', {}, h('p', { dir: 'auto' }, text), h('p', { class: 'quiet' }, facts),
    h('p', {}, h('button', { type: 'button', class: 'link', onclick: change }, t('memory.edit')), ' ',
      h('button', { type: 'button', class: 'link', onclick: forget }, t('memory.forget'))));
}
