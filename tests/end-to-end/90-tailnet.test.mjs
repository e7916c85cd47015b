// The profile's address drives Host, Origin and links; what tailscale's Serve and Funnel say is read by the doctor.

import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Installation } from './lib/installation.mjs';
import { run, until } from './lib/shell.mjs';

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

/** A request as tailscale serve forwards it: the tailnet's Host, from loopback, or to the gate's socket. */
function forwarded(headers, { method = 'GET', path: target = '/', body, socketPath } = {}) {
  return new Promise((resolve, reject) => {
    const to = socketPath ? { socketPath } : { host: '127.0.0.1', port: bot.ports.personal };
    const request = http.request({ ...to, path: target, method, headers, setHost: false }, (response) => {
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

const identity = (login) => ({ host: 'vm102.example.ts.net', 'x-forwarded-for': '100.64.0.10', ...(login && { 'tailscale-user-login': login }) });

test('who tailscale says is there counts on a socket that only root reaches, and only where users are named', async () => {
  const socketPath = path.join(bot.root, 'run/run/personal/tailnet/gate.sock');
  const by = async (login, to = { socketPath }) => (await forwarded(identity(login), to)).statusCode;
  assert.deepEqual([await by(), await by('bob@example.com')], [200, 200], 'nobody is named');
  const named = (text) => text.replace(`address = "${ADDRESS}"`, `address = "${ADDRESS}"\ntailscale_users = ["alice@example.com"]`);
  await bot.configure(named);
  await until('the gate knows', async () => (await by('bob@example.com')) === 403);
  assert.deepEqual([await by('alice@example.com'), await by()], [200, 403]);
  assert.equal(await by('alice@example.com', {}), 403, 'the port believes nobody');
  assert.equal((await forwarded({ host: `127.0.0.1:${bot.ports.personal}` })).statusCode, 200, 'on the machine itself nothing changes');
  const stranger = await run('setpriv', ['--reuid', '65534', '--clear-groups', 'node', '-e',
    `require('node:net').connect(${JSON.stringify(socketPath)}).on('connect', () => process.exit(0)).on('error', (error) => { console.log(error.code); process.exit(3); })`], { mayFail: true });
  assert.deepEqual([stranger.code, stranger.stdout.trim()], [3, 'EACCES']);
  assert.match(await doctorWith({ TCP: { 443: { HTTPS: true } }, Web: { 'vm102.example.ts.net:443': { Handlers: { '/': { Proxy: `http://127.0.0.1:${bot.ports.personal}` } } } } }), /tailscale serve --bg --https=443 unix:.*personal\/tailnet\/gate\.sock/);
  assert.doesNotMatch(await doctorWith({ TCP: { 443: { HTTPS: true } }, Web: { 'vm102.example.ts.net:443': { Handlers: { '/': { Proxy: `unix:${socketPath}` } } } } }), /tailscale serve --bg/);
  await bot.configure((text) => text.replace(/\ntailscale_users = .*/, ''));
  await until('the gate knows', async () => (await by()) === 200);
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
