// The profile's address drives Host, Origin and links; what tailscale's Serve and Funnel say is read by the doctor.

import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Installation } from './lib/installation.mjs';

const ADDRESS = 'https://vm102.example.ts.net';
let bot;
let folder;

before(async () => {
  bot = await Installation.create('tailnet');
  folder = path.join(bot.root, 'fake-bin');
  await mkdir(folder);
  // Prints recorded answers; no tailscale can be had where tests run.
  await writeFile(path.join(folder, 'tailscale'), `#!/bin/sh\nexec cat ${folder}/answer.json\n`, { mode: 0o755 });
  await bot.up({ env: { ...process.env, PATH: `${folder}:${process.env.PATH}` } });
  await bot.configure((text) => text.replace(`port = ${bot.ports.personal}`, `port = ${bot.ports.personal}\naddress = "${ADDRESS}"`));
  await bot.well();
});
after(() => bot?.remove());

/** A request as tailscale serve forwards it: the tailnet's Host, from loopback. */
function forwarded(headers, { method = 'GET', path: target = '/', body } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port: bot.ports.personal, path: target, method, headers, setHost: false }, (response) => {
      response.resume();
      response.on('end', () => resolve(response));
    });
    request.on('error', reject);
    request.end(body);
  });
}

test('the address is a Host, others are not', async () => {
  const proxied = { 'x-forwarded-for': '100.64.0.10', 'x-forwarded-host': 'vm102.example.ts.net', 'tailscale-user-login': 'owner@example.com' };
  assert.equal((await forwarded({ host: 'vm102.example.ts.net', ...proxied })).statusCode, 200);
  for (const host of ['evil.example', 'vm102.example.ts.net.evil.example', `127.0.0.1:${bot.ports.ops}`, '127.0.0.1']) {
    assert.equal((await forwarded({ host, ...proxied })).statusCode, 403, host);
  }
});

test('the address is an Origin for pairing, others are not, whatever a proxy says about who it is', async () => {
  const ask = (origin) => forwarded({ host: 'vm102.example.ts.net', origin, 'content-type': 'application/json', 'content-length': 2, 'tailscale-user-login': 'owner@example.com' }, { method: 'POST', path: '/pair/nonce', body: '{}' });
  assert.notEqual((await ask(ADDRESS)).statusCode, 403);
  assert.equal((await ask('https://evil.example')).statusCode, 403);
  assert.equal((await ask('null')).statusCode, 403);
});

test('links and QR codes carry the address', async () => {
  const { stdout } = await bot.botctl('open', 'personal');
  assert.match(stdout, /https:\/\/vm102\.example\.ts\.net\/#setup=/);
  assert.match((await bot.botctl('open', 'ops')).stdout, new RegExp(`http://127\\.0\\.0\\.1:${bot.ports.ops}/#setup=`));
});

/** Runs the doctor while tailscale answers this. */
async function doctorWith(serve) {
  await writeFile(path.join(folder, 'answer.json'), JSON.stringify(serve));
  return (await bot.botctl('doctor', { mayFail: true })).stdout;
}

test('the doctor finds a missing Serve and an open Funnel', async () => {
  const host = 'vm102.example.ts.net:443';
  const handler = { Handlers: { '/': { Proxy: `http://127.0.0.1:${bot.ports.personal}` } } };
  assert.match(await doctorWith({}), /tailscale serve --bg/);
  assert.doesNotMatch(await doctorWith({ TCP: { 443: { HTTPS: true } }, Web: { [host]: handler } }), /tailscale serve --bg --https=443/);
  assert.match(await doctorWith({ TCP: { 443: { HTTPS: true } }, Web: { [host]: handler }, AllowFunnel: { [host]: true } }), /[Ff]unnel/);
});
