import assert from 'node:assert/strict';
import { test } from 'node:test';
import { visible } from '../../sidecars/gate/page/dom.js';

test('nothing hides in what a person is asked about', () => {
  const check = (text, shown) => assert.equal(visible(text), shown);
  check('{\n  "name": "Grüße 😀"\n}', '{\n  "name": "Grüße 😀"\n}');
  check('safe\u202egnp.exe', 'safe\\u{202e}gnp.exe');
  check('a\u200bb\u2028c\u0007d\u{e0041}', 'a\\u{200b}b\\u{2028}c\\u{7}d\\u{e0041}');
});
