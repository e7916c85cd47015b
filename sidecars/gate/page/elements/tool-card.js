/** One call of a tool: its name and state, and on demand what went in and what came out. */
import { h, icon } from '../dom.js';
import { t } from '../words.js';

const opened = new Set(); // a card that a person opened stays open when its answer is finished and drawn anew

class ToolCard extends HTMLElement {
  connectedCallback() {
    const { id, name, arguments: input, state, result } = this.call;
    this.replaceChildren(h('details', { class: `tool ${state}`, open: opened.has(id), ontoggle: (event) => remember(id, event.target.open) },
      h('summary', {}, icon('tool'), h('span', { class: 'tool-name' }, name), h('span', { class: 'tool-state' }, t(`tool.${state}`))),
      this.part('tool.arguments', pretty(input)),
      result === null || result === undefined ? '' : this.part('tool.result', pretty(result))));
  }

  part(label, text) {
    return h('div', {}, h('p', { class: 'quiet' }, t(label)), h('pre', { tabindex: '0' }, text));
  }
}
customElements.define('tool-card', ToolCard);

function remember(id, open) {
  if (open) opened.add(id);
  else opened.delete(id);
}

/** JSON with line breaks; a text that was cut is no JSON and stays as it is. */
function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
