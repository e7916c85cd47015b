import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TREE } from './fixture/agent.mjs';

/** As much of a document as building needs; there is no way to set HTML in it. */
class Node {
  constructor(tag) {
    this.tag = tag;
    this.attributes = {};
    this.children = [];
  }

  setAttribute(name, value) {
    this.attributes[name] = value;
  }

  append(...children) {
    this.children.push(...children);
  }

  toString() {
    const attributes = Object.entries(this.attributes).map(([name, value]) => ` ${name}=${value}`).join('');
    return `<${this.tag}${attributes}>${this.children.join('')}</${this.tag}>`;
  }
}
globalThis.document = { createElement: (tag) => new Node(tag) };
const { build, safeHref } = await import('../../sidecars/gate/page/markdown.js');

const text = (value) => ({ t: 'text', text: value });
const draw = (...tree) => build(tree, (value, lang) => `[${lang}|${value}]`).join('');
const line = (...c) => draw({ t: 'paragraph', c }).replace(/^<p>|<\/p>$/g, '');

test('blocks', () => {
  const check = (node, expected) => assert.equal(draw(node), expected);
  check({ t: 'paragraph', c: [text('a')] }, '<p>a</p>');
  check({ t: 'heading', level: 1, c: [text('a')] }, '<h4 class=title title-1>a</h4>');
  check({ t: 'heading', level: 6, c: [] }, '<h6 class=title title-6></h6>');
  check({ t: 'code', lang: 'rs', text: 'a' }, '[rs|a]');
  check({ t: 'quote', c: [{ t: 'rule' }] }, '<blockquote><hr></hr></blockquote>');
  check({ t: 'list', start: null, items: [{ checked: null, c: [] }] }, '<ul><li></li></ul>');
  check({ t: 'list', start: 1, items: [] }, '<ol></ol>');
  check({ t: 'list', start: 0, items: [] }, '<ol start=0></ol>');
  check({ t: 'list', start: null, items: [{ checked: true, c: [] }] }, '<ul><li class=task><input type=checkbox disabled= checked=></input><div></div></li></ul>');
  check({ t: 'table', align: ['right', 'none'], head: [[text('a')], [text('b')]], rows: [[[text('1')], [text('2')]]] },
    '<div class=wide tabindex=0><table><thead><tr><th class=align-right scope=col>a</th><th scope=col>b</th></tr></thead>'
    + '<tbody><tr><td class=align-right>1</td><td>2</td></tr></tbody></table></div>');
});

test('lines', () => {
  const check = (node, expected) => assert.equal(line(node), expected);
  check({ t: 'code', text: 'x' }, '<code>x</code>');
  check({ t: 'emph', c: [{ t: 'strong', c: [{ t: 'strike', c: [text('x')] }] }] }, '<em><strong><s>x</s></strong></em>');
  check({ t: 'break' }, '<br></br>');
  check({ t: 'link', href: 'https://a.example/', c: [text('x')] }, '<a href=https://a.example/ rel=noopener noreferrer target=_blank>x</a>');
});

test('only http, https and mailto are links', () => {
  const check = (href, expected) => assert.equal(safeHref(href), expected ? href : null, href);
  check('http://a', true);
  check('https://a', true);
  check('mailto:a@b', true);
  check('javascript:alert(1)', false);
  check(' JaVa\tScript:alert(1)', false);
  check('data:text/html,x', false);
  check('blob:x', false);
  check('file:///etc/passwd', false);
  check('//elsewhere', false);
  check('/relative', false);
  check('', false);
  assert.equal(line({ t: 'link', href: 'javascript:alert(1)', c: [text('x')] }), '<span>x</span>');
});

test('what is not known is text, never an element or an attribute', () => {
  assert.equal(draw({ t: 'script', text: '<b>x</b>' }), '<p><b>x</b></p>');
  const [paragraph] = build([{ t: 'script', text: '<b>x</b>' }]);
  assert.deepEqual(paragraph.children, ['<b>x</b>']);
  assert.equal(line({ t: 'iframe', src: 'x' }), '');
  assert.equal(draw({ t: 'table', align: ['" onclick="x'], head: [[text('a')]], rows: [] }).includes('onclick'), false);
});

test('nesting without end does not end the page', () => {
  let deep = { t: 'rule' };
  for (let n = 0; n < 20_000; n += 1) deep = { t: 'quote', c: [deep] };
  assert.equal(draw(deep).split('<blockquote>').length, 50);
});

test('the fixture has every kind of node', () => {
  assert.match(draw(...TREE), /<table>.*<ol>.*<blockquote>.*\[python\|/s);
});
