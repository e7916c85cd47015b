/**
 * A message's tree (`platform_types::markdown`) as DOM nodes. The set of nodes is closed: what is not known is shown as its text.
 * Addresses were checked by the agent and are checked again here.
 */
import { h } from './dom.js';

const SCHEMES = new Set(['http:', 'https:', 'mailto:']);
const ALIGNS = new Set(['left', 'center', 'right']);
const MAX_DEPTH = 48; // deeper nesting is nobody's writing

/** `codeBlock(text, lang)` draws a block of code, so that this module needs no buttons. */
export function build(tree, codeBlock) {
  return blocks(tree, codeBlock, 0);
}

export function safeHref(href) {
  try {
    return SCHEMES.has(new URL(href).protocol) ? href : null;
  } catch {
    return null;
  }
}

function blocks(list, code, depth) {
  return depth > MAX_DEPTH ? [] : (list ?? []).map((node) => block(node, code, depth + 1));
}

function block(node, code, depth) {
  switch (node.t) {
    case 'paragraph': return h('p', {}, inlines(node.c, depth));
    // The page's own headings end at the third level.
    case 'heading': return h(`h${Math.min(6, node.level + 3)}`, { class: `title title-${node.level}` }, inlines(node.c, depth));
    case 'code': return code(node.text, node.lang);
    case 'quote': return h('blockquote', {}, blocks(node.c, code, depth));
    case 'list': return list(node, code, depth);
    case 'table': return table(node, depth);
    case 'rule': return h('hr');
    default: return h('p', {}, String(node.text ?? ''));
  }
}

function list({ start, items }, code, depth) {
  const ordered = Number.isInteger(start);
  return h(ordered ? 'ol' : 'ul', ordered && start !== 1 ? { start } : {}, items.map(({ checked, c }) => {
    if (typeof checked !== 'boolean') return h('li', {}, blocks(c, code, depth));
    return h('li', { class: 'task' }, h('input', { type: 'checkbox', disabled: true, checked }), h('div', {}, blocks(c, code, depth)));
  }));
}

function table({ align, head, rows }, depth) {
  const cells = (tag, row) => row.map((cell, column) =>
    h(tag, { class: ALIGNS.has(align[column]) && `align-${align[column]}`, scope: tag === 'th' && 'col' }, inlines(cell, depth)));
  return h('div', { class: 'wide', tabindex: '0' }, h('table', {},
    h('thead', {}, h('tr', {}, cells('th', head))),
    h('tbody', {}, rows.map((row) => h('tr', {}, cells('td', row))))));
}

function inlines(list, depth) {
  return depth > MAX_DEPTH ? [] : (list ?? []).map((node) => inline(node, depth + 1));
}

function inline(node, depth) {
  switch (node.t) {
    case 'code': return h('code', {}, node.text);
    case 'emph': return h('em', {}, inlines(node.c, depth));
    case 'strong': return h('strong', {}, inlines(node.c, depth));
    case 'strike': return h('s', {}, inlines(node.c, depth));
    case 'link': return link(node, depth);
    case 'break': return h('br');
    default: return String(node.text ?? '');
  }
}

function link({ href, c }, depth) {
  const safe = safeHref(href);
  if (safe === null) return h('span', {}, inlines(c, depth));
  return h('a', { href: safe, rel: 'noopener noreferrer', target: '_blank' }, inlines(c, depth));
}
