/** One question before something happens: a text to type, or a yes. */
import { h } from '../dom.js';
import { t } from '../words.js';

const MAX_TITLE_CHARS = 120; // as in platform_types::chat

/** Answers the text that was typed (empty when none was asked for), or `null` when the person thought better of it. */
export function ask({ title, text, value, label, confirm, danger, longest = MAX_TITLE_CHARS }) {
  const field = value === undefined ? null : h('input', { value, maxlength: longest, 'aria-label': label, autocomplete: 'off' });
  const dialog = h('dialog', { 'aria-labelledby': 'ask-title', onclick: (event) => event.target === dialog && dialog.close() },
    h('form', { method: 'dialog' }, h('h2', { id: 'ask-title' }, title), text && h('p', {}, text), field,
      h('p', { class: 'actions' }, h('button', { type: 'button', onclick: () => dialog.close() }, t('cancel')),
        h('button', { value: 'yes', class: danger ? 'primary danger' : 'primary' }, confirm))));
  document.body.append(dialog);
  dialog.showModal();
  field?.select();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'yes' ? field?.value ?? '' : null);
    });
  });
}
