// Debian's Chromium, driven by Playwright's library.

import { createRequire } from 'node:module';
import path from 'node:path';

import { cache } from './shell.mjs';

const flags = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run', '--disable-quic'];

export async function launch() {
  const { chromium } = createRequire(path.join(cache, 'browser/package.json'))('playwright-core');
  return chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: flags });
}

/** A fresh device: nothing stored, errors of the page collected. */
export async function device(browser, options = {}) {
  const context = await browser.newContext({ locale: 'en-GB', ...options });
  const page = await context.newPage();
  page.problems = [];
  page.on('pageerror', (error) => page.problems.push(String(error)));
  page.on('console', (message) => {
    // A refused connection while the agent restarts is shown by the browser itself; everything else is ours.
    if (message.type() === 'error' && !/WebSocket|net::ERR|Failed to load resource/.test(message.text())) page.problems.push(message.text());
  });
  return page;
}
