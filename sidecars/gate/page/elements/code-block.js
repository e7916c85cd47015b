/** A block of code with its language and a button that copies it. `text` is `{value, lang}`. */
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

class CodeBlock extends HTMLElement {
  connectedCallback() {
    const { value, lang } = this.text;
    this.replaceChildren(
      lang ? h('span', { class: 'lang' }, lang) : '',
      copyButton(() => value),
      h('pre', { tabindex: '0' }, h('code', {}, value.replace(/\n$/, ''))));
  }
}
customElements.define('code-block', CodeBlock);
