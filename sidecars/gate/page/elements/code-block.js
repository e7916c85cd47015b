/** A block of code with its language and a button that copies it. `text` is `{value, lang}`; a command (`{value, command}`) breaks between words only. */
import { h, icon } from '../dom.js';
import { t } from '../words.js';

const SHOWN_MS = 1_600;

/** A button that copies what `read()` answers, and says that it did. */
export function copyButton(read) {
  const said = h('span', { role: 'status' });
  const button = h('button', { type: 'button', class: 'copy', 'aria-label': t('copy'), title: t('copy') }, icon('copy'), said);
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(read());
      said.textContent = t('copied');
    } catch {
      said.textContent = t('copy.failed');
    }
    setTimeout(() => { said.textContent = ''; }, SHOWN_MS);
  });
  return button;
}

/** What to run on the host. */
export function command(value) {
  return h('code-block', { text: { value, command: true } });
}

class CodeBlock extends HTMLElement {
  connectedCallback() {
    const { value, lang, command } = this.text;
    const code = command ? value.split(' ').flatMap((word, n) => [n > 0 ? ' ' : '', h('span', { class: 'word' }, word)]) : value.replace(/\n$/, '');
    this.replaceChildren(
      lang ? h('span', { class: 'lang' }, lang) : '',
      copyButton(() => value),
      h('pre', { tabindex: '0' }, h('code', {}, code)));
  }
}
customElements.define('code-block', CodeBlock);
