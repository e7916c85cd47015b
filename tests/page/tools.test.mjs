// How a tool's call is shown: its arguments, why somebody is asked, what became of it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { layout } from '../../sidecars/gate/page/layout.js';
import { reason } from '../../sidecars/gate/page/reasons.js';
import { speak } from '../../sidecars/gate/page/words.js';
import { read } from './files.mjs';

const source = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

test('arguments get line breaks, and nothing of them changes', () => {
  const check = (text, shown) => assert.equal(layout(text), shown);
  check('{"a":1,"b":[true,{}],"c":[]}', '{\n  "a": 1,\n  "b": [\n    true,\n    {}\n  ],\n  "c": []\n}');
  check('{"n":12345678901234567890.50,"a":1e400,"a":2}', '{\n  "n": 12345678901234567890.50,\n  "a": 1e400,\n  "a": 2\n}');
  check('{"s":"a, {b}: \\" \\\\"}', '{\n  "s": "a, {b}: \\" \\\\"\n}');
  check('{"cut": "here', '{"cut": "here');
  check('a text, with: signs', 'a text, with: signs');
  check('"one text"', '"one text"');
  const parts = (text) => text.replaceAll(/("(?:[^"\\]|\\.)*")|\s+/g, '$1');
  for (const text of ['[1,[2,[3]],{"k":{"x":[{}]}}]', ' { "a" : [ 1 , 2 ] } ']) assert.equal(parts(layout(text)), parts(text));
});

test('the reasons of the policy are said in the language of the page', () => {
  speak('de', JSON.parse(read('words/de.json')));
  const check = (why, said) => assert.equal(reason(why), said);
  check('it changes something, and no rule allows it', 'es ändert etwas, und keine Regel erlaubt es');
  check('a rule asks about door.*', 'eine Regel fragt nach door.*');
  check('a rule asks about http.request by path, upstream: not at night; really', 'eine Regel fragt nach http.request wegen path, upstream: not at night; really');
  check('a rule asks about door.*; a rule asks about lamp.set by level', 'eine Regel fragt nach door.*; eine Regel fragt nach lamp.set wegen level');
  check('whatever comes next', 'whatever comes next');
  // An English page says what the policy says.
  speak('en', JSON.parse(read('words/en.json')));
  for (const why of ['it changes something, and no rule allows it', 'it cannot be undone, and no rule allows it', 'a rule asks about a.b by c: d', 'a rule asks about a.b: d', 'a rule asks about a.b by c']) check(why, why);
});

test('the policy and the tools still use these words', () => {
  const policy = source('agent/agent-policy/src/decide.rs');
  for (const words of ['"it changes something, and no rule allows it"', '"it cannot be undone, and no rule allows it"', '"asks about"', '"a rule {effect} {tool}"', '" by {}"', '": {why}"', '.join("; ")']) assert.ok(policy.includes(words), words);
  assert.ok(source('agent/agent-core/src/turn/tools.rs').includes('format!("error: {error}")'));
  assert.ok(source('agent/agent-tools/src/confirmed.rs').includes('"a person denied it: '));
  assert.ok(read('elements/tool-card.js').includes('/^error: (?:egress_denied|a person denied it): /'));
});
