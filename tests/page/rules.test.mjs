// What the page never does: HTML sinks, code from text, inline code, anything from elsewhere.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { read, sources } from './files.mjs';

// 1,500 for the chat and pairing; the gate's own pages of confirmations, devices, jobs and what was done have 800 more, memory and
// summaries 100.
const MAX_LINES = 2_400;
const DOCUMENTS = ['head.html', 'index.html', 'confirmations.html', 'cron.html', 'devices.html', 'timeline.html'];
const MAX_ELEMENT_LINES = 120;
const scripts = sources('.js');
/** Lines with code on them: what explains it does not count. */
const code = (path) => read(path).split('\n').filter((line) => !/^\s*($|\/\/|\/\*|\*)/.test(line));

test('no way from text to HTML or code', () => {
  const forbidden = /innerHTML|outerHTML|insertAdjacentHTML|createContextualFragment|document\.write|DOMParser|srcdoc|setHTML|parseHTML|\beval\b|new Function|import\(|trustedTypes|serviceWorker|setTimeout\(\s*['"`]/;
  for (const path of scripts) assert.doesNotMatch(read(path), forbidden, path);
});

test('nothing inline, nothing from elsewhere', () => {
  for (const path of scripts) {
    assert.doesNotMatch(read(path), /setAttribute\(\s*'(?:on|style)|\.on\w+\s*=\s*['"`]|style:\s*['"`]|cssText/, path);
    assert.doesNotMatch(read(path).replaceAll('http://www.w3.org/2000/svg', '').replaceAll(/^\s*(?:\/\/|\*|\/\*).*$/gm, ''), /https?:\/\/\w/, path);
  }
  for (const path of sources('.css')) assert.doesNotMatch(read(path), /url\(|@import|https?:/, path);
  for (const document of DOCUMENTS.map(read)) {
    assert.doesNotMatch(document, /<style|\sstyle=|\son\w+=|https?:|<script(?![^>]*\ssrc=)/);
    for (const [, address] of document.matchAll(/(?:src|href)="([^"]+)"/g)) assert.match(address, /^(\{assets\}\/|\/manifest\.webmanifest$)/);
  }
});

test('every file that is named is there, every module is preloaded', () => {
  const index = DOCUMENTS.map(read).join('\n');
  const here = (path) => assert.ok(existsSync(new URL(`../../sidecars/gate/page/${path}`, import.meta.url)), path);
  for (const [, path] of index.matchAll(/"\{assets\}\/([^"]+)"/g)) here(path);
  for (const [, path] of read('manifest.webmanifest').matchAll(/"\{assets\}\/([^"]+)"/g)) here(path);
  for (const path of scripts) {
    assert.ok(index.includes(`{assets}/${path}"`), `${path} is in no document`);
    for (const [, target] of read(path).matchAll(/(?:from|import) '(\.[^']+)'/g)) here(join(dirname(path), target));
  }
});

test('the budget', () => {
  const total = scripts.reduce((sum, path) => sum + code(path).length, 0);
  assert.ok(total < MAX_LINES, `${total} lines of JavaScript`);
  for (const path of scripts.filter((name) => name.startsWith('elements/'))) assert.ok(code(path).length < MAX_ELEMENT_LINES, path);
});

test('styles: layers, colours only in the tokens, logical properties', () => {
  for (const path of sources('.css')) {
    const text = read(path);
    assert.match(text, /@layer (tokens|base|room|talk|pair|confirm) \{/, path);
    assert.doesNotMatch(text, /(?:^|[\s{;])(?:margin|padding|border)-(?:left|right|top|bottom)|(?:^|[\s{;])(?:left|right|top|bottom):|text-align: (?:left|right)/m, path);
    if (path.endsWith('tokens.css')) continue;
    const colours = text.match(/#[0-9a-f]{3,8}\b/g) ?? [];
    assert.deepEqual(colours.filter((colour) => colour !== '#000'), [], path); // #000 is a mask, not a colour
    for (const [, token] of text.matchAll(/var\((--[\w-]+)/g)) assert.ok(read('style/tokens.css').includes(`${token}:`), `${path}: ${token}`);
  }
});

test('the manifest can be installed', () => {
  const manifest = JSON.parse(read('manifest.webmanifest'));
  assert.equal(manifest.name, 'Bot Platform');
  assert.equal(manifest.display, 'standalone');
  const sizes = manifest.icons.map(({ sizes: size, purpose }) => `${size} ${purpose ?? 'any'}`);
  for (const size of ['192x192 any', '512x512 any', '512x512 maskable']) assert.ok(sizes.includes(size), size);
});
