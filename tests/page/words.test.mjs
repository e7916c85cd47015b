import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { LANGUAGES, choose, day, lately, speak, t } from '../../sidecars/gate/page/words.js';
import { read, sources } from './files.mjs';

const languages = Object.fromEntries(Object.keys(LANGUAGES).map((tag) => [tag, JSON.parse(read(`words/${tag}.json`))]));
const gaps = (text) => [...text.matchAll(/\{(\w+)\}/g)].map(([, gap]) => gap).sort();

test('every language has the same keys, the same gaps and no empty text', () => {
  for (const [tag, words] of Object.entries(languages)) {
    assert.deepEqual(Object.keys(words), Object.keys(languages.en), tag);
    for (const [key, text] of Object.entries(words)) {
      assert.deepEqual(gaps(text), gaps(languages.en[key]), `${tag} ${key}`);
      assert.notEqual(text.trim(), '', `${tag} ${key}`);
    }
  }
});

test('no key is missing and none is left over', () => {
  const all = sources('.js').map(read).join('\n');
  const keys = Object.keys(languages.en);
  const literal = new Set([...all.matchAll(/'([a-z]+(?:\.[a-z_0-9]+)+)'/g)].map(([, key]) => key));
  const called = [...all.matchAll(/\bt\('([^']+)'/g)].map(([, key]) => key);
  for (const key of called) assert.ok(keys.includes(key), `no text for ${key}`);
  // t(`note.${code}`) uses all of note.*; a view of the pairing screen uses its title and text.
  const families = [...all.matchAll(/(?:\bt|word)\(`([a-z.]+\.)\$\{/g), ...all.matchAll(/`(pair\.error\.)\$\{/g)].map(([, family]) => family).filter((family) => family !== 'pair.');
  const views = ['missing', 'unreachable', 'setup', 'ask', 'waiting', 'refused', 'expired'].flatMap((view) => [`pair.${view}.title`, `pair.${view}.text`]);
  const forms = ['pair.setup', 'pair.request'].map((form) => `${form}.button`);
  const used = (key) => literal.has(key) || views.includes(key) || forms.includes(key) || families.some((family) => key.startsWith(family));
  for (const key of [...views, ...forms]) assert.ok(keys.includes(key), `no text for ${key}`);
  assert.deepEqual(keys.filter((key) => !called.includes(key) && !used(key)), []);
  assert.deepEqual([...all.matchAll(/code: '(notice\.\w+)'/g)].map(([, key]) => key).filter((key) => !keys.includes(key)), []);
});

test('the codes of the wire have words', () => {
  const families = {
    note: ['stopped', 'interrupted', 'failed', 'length', 'tool_limit', 'shortened'],
    tool: ['asking', 'running', 'confirming', 'done', 'failed', 'denied', 'unknown'],
    connection: ['first', 'lost', 'offline', 'restarting'],
  };
  for (const [family, codes] of Object.entries(families)) for (const code of codes) assert.ok(languages.en[`${family}.${code}`], `${family}.${code}`);
});

test('what is recorded has words', () => {
  const folder = new URL('../../', import.meta.url);
  const rust = ['sidecars/gate/src', 'agent/agent/src', 'agent/agent-store/src'].flatMap((path) => readdirSync(new URL(path, folder), { recursive: true })
    .filter((name) => name.endsWith('.rs')).map((name) => readFileSync(new URL(`${path}/${name}`, folder), 'utf8')));
  const kinds = new Set(rust.flatMap((text) => [...text.matchAll(/"((?:pairing|device|token|config|egress|confirmation|channel|sender|turn|tool|approval|chat|memory|session|cron)\.[a-z_]+)"/g)].map(([, kind]) => kind)));
  for (const file of ['egress.sock', 'cron.html']) kinds.delete(file);
  assert.ok(kinds.size > 20);
  for (const kind of kinds) assert.ok(languages.en[`timeline.kind.${kind}`], kind);
});

test('the language is the first that there is', () => {
  const check = (wanted, expected) => assert.equal(choose(wanted), expected);
  check([null, 'de-AT', 'en'], 'de');
  check(['fr', 'en-GB'], 'en');
  check(['en', 'de'], 'en');
  check(['fr'], 'en');
  check(['constructor', '__proto__'], 'en');
  check([], 'en');
});

test('gaps are filled, days have names', () => {
  speak('de', languages.de);
  assert.equal(t('pair.profile', { profile: 'ops' }), 'Profil ops');
  assert.equal(t('no.such.key'), 'no.such.key');
  const now = new Date(2026, 10, 22, 14, 0).getTime();
  const check = (at, expected) => assert.equal(day(new Date(...at).getTime(), now), expected);
  check([2026, 10, 22, 0, 1], 'Heute');
  check([2026, 10, 21, 23, 59], 'Gestern');
  check([2026, 10, 20, 12], 'Freitag, 20. November');
  check([2025, 10, 22, 12], 'Samstag, 22. November 2025');
  assert.equal(lately(new Date(2026, 10, 22, 9, 5).getTime(), now), '09:05');
  assert.match(lately(new Date(2026, 9, 3).getTime(), now), /^3\. Okt/);
  speak('en', languages.en, 'en-GB');
  check([2026, 10, 22, 0, 1], 'Today');
});
