// Watches a page of Chromium for anything that runs, is fetched, or is drawn that nobody asked for.

import http from 'node:http';

/** A server that must never be asked; what it serves tells on itself. */
export async function trap() {
  const hits = [];
  const server = http.createServer((request, response) => {
    hits.push(request.url);
    response.setHeader('content-type', request.url.endsWith('.html') ? 'text/html' : 'image/svg+xml');
    response.end(request.url.endsWith('.html') ? server.page : '<svg xmlns="http://www.w3.org/2000/svg"/>');
  });
  await new Promise((resolve, reject) => server.on('error', reject).listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${server.address().port}`;
  return { url, hits, serve: (page) => { server.page = page; }, stop: () => { server.close(); server.closeAllConnections(); } };
}

/** Records everything from now on; call it before the page is loaded. */
export async function watch(page, own) {
  const seen = { requests: [], dialogs: [], popups: [], violations: [], downloads: [] };
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  session.on('Network.requestWillBeSent', ({ request }) => { if (!request.url.startsWith(`${own}/`)) seen.requests.push(request.url); });
  session.on('Network.webSocketCreated', ({ url }) => { if (!url.startsWith(`${own.replace('http', 'ws')}/`)) seen.requests.push(url); });
  page.on('dialog', (dialog) => { seen.dialogs.push(dialog.message()); dialog.dismiss(); });
  page.on('popup', (popup) => seen.popups.push(popup.url()));
  page.on('download', (download) => seen.downloads.push(download.url()));
  await page.addInitScript(() => {
    globalThis.seenViolations = [];
    document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => globalThis.seenViolations.push(`${violatedDirective} ${blockedURI}`));
  });
  return seen;
}

/** What was found: everything that happened, and everything in the page that does not belong there. Quiet is `[]`. */
export async function findings(page, seen, own) {
  const found = await page.evaluate((origin) => {
    const odd = [];
    if (globalThis.owned !== undefined) odd.push(`a script ran: ${globalThis.owned}`);
    odd.push(...globalThis.seenViolations.map((text) => `policy: ${text}`));
    for (const { name } of performance.getEntriesByType('resource')) if (new URL(name).origin !== origin) odd.push(`fetched: ${name}`);
    const mine = new Set([...document.head.querySelectorAll('script, link, style')]);
    for (const element of document.querySelectorAll('*')) {
      const tag = element.localName;
      if (['script', 'link', 'style', 'base'].includes(tag) && !(mine.has(element) && (element.src ?? element.href ?? '').startsWith(origin))) odd.push(`element: ${element.outerHTML.slice(0, 200)}`);
      if (['iframe', 'object', 'embed', 'img', 'video', 'audio', 'math', 'portal', 'frame', 'applet', 'source', 'image', 'use', 'foreignObject', 'template'].includes(tag)) odd.push(`element: ${tag}`);
      if (tag === 'meta' && element.httpEquiv) odd.push(`meta: ${element.httpEquiv}`);
      for (const { name, value } of element.attributes) {
        if (/^on|^style$|^srcdoc$|^formaction$|^background$|^ping$/.test(name) && tag !== 'textarea') odd.push(`attribute: ${tag} ${name}=${value}`);
        if (/^(href|src|action|xlink:href)$/.test(name) && !/^(https?:|mailto:|\/|#|blob:)/.test(value)) odd.push(`address: ${tag} ${name}=${value}`);
      }
      if (tag === 'a' && element.closest('chat-message') && !(element.rel.includes('noopener') && element.target === '_blank')) odd.push(`link: ${element.outerHTML}`);
    }
    return odd;
  }, own);
  const happened = Object.entries(seen).flatMap(([kind, list]) => list.map((text) => `${kind}: ${String(text).slice(0, 200)}`));
  return [...found, ...happened, ...page.problems.map((text) => `problem: ${text}`)];
}
