// Code of an attacker where an agent runs: what is said here leaves from a process with exactly the agent's confinement.

import { createHash } from 'node:crypto';
import { chmod, rm } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';

import { Confinement, buildProbe, copyVolume, removeContainer } from './probe.mjs';
import { docker, inspect, run, until } from './shell.mjs';

/** Long enough for any answer that comes at all. */
const SILENCE_MS = 2_500;
const sockets = { egress: '/run/bot/egress/egress.sock', llm: '/run/bot/llm/llm.sock' };

export class Attacker {
  static async of(bot, profile) {
    const attacker = Object.assign(new Attacker(), { bot, profile, copy: `${bot.name}-${profile}-attacker`, running: [], servers: [] });
    attacker.image = await buildProbe();
    attacker.folder = await copyVolume(`${bot.name}-${profile}-state`, attacker.copy);
    return attacker;
  }

  /** Starts a process of the attacker that passes bytes on. */
  async relay(label, ...pairs) {
    const agent = this.bot.container('agent', this.profile);
    const confined = await Confinement.of(agent, this.image, this.copy);
    const id = await confined.start(`${this.copy}-${label}`, ['relay', ...pairs]);
    this.running.push(id);
    await until('the relay listens', async () => {
      const { stdout, stderr } = await run('docker', ['logs', id]);
      if (stderr) throw new Error(stderr);
      return /listening/.test(stdout);
    });
    return id;
  }

  /** Opens the ways to the agent's own sockets. */
  open() {
    return this.relay('speak', ...Object.entries(sockets).map(([name, socket]) => `/state/current/${name}.sock=${socket}`));
  }

  /** Says bytes on one of the agent's sockets; gives everything that comes back. */
  say(socket, bytes) {
    return new Promise((resolve, reject) => {
      let answer = '';
      const connection = net.connect(path.join(this.folder, 'current', `${socket}.sock`), () => connection.write(bytes));
      connection.setTimeout(SILENCE_MS, () => connection.destroy());
      connection.on('data', (data) => (answer += data.toString('latin1')));
      connection.on('error', (error) => (error.code === 'EPIPE' || error.code === 'ECONNRESET' ? undefined : reject(error)));
      connection.on('close', () => resolve(answer));
    });
  }

  /** One well-formed request. */
  async ask(socket, host, method, target, body, headers = {}) {
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    const fields = { host, connection: 'close', ...(text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }), ...headers };
    const head = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`).join('');
    const answer = await this.say(socket, `${method} ${target} HTTP/1.1\r\n${head}\r\n${text ?? ''}`);
    const [first, ...rest] = answer.split('\r\n\r\n');
    return { status: Number(first.match(/^HTTP\/1\.1 (\d{3})/)?.[1] ?? 0), head: first, body: rest.join('\r\n\r\n') };
  }

  async generation() {
    return (await inspect(this.bot.container('agent', this.profile))).Config.Labels['io.bot-platform.generation'];
  }

  /** Takes the place of the agent's `http` or `admin` socket: `server` answers there. Gives what ends it. */
  async impersonate(folder, server) {
    const file = path.join(this.folder, 'current', `fake-${folder}.sock`);
    await rm(file, { force: true });
    await new Promise((resolve, reject) => server.on('error', reject).listen(file, resolve));
    await chmod(file, 0o666);
    this.servers.push(server);
    const id = await this.relay(`fake-${folder}`, `/run/bot/${folder}/${await this.generation()}.sock=/state/current/fake-${folder}.sock`);
    return async () => {
      await removeContainer(id);
      server.closeAllConnections?.();
      server.close();
    };
  }

  async remove() {
    for (const server of this.servers) server.close();
    for (const id of this.running) await removeContainer(id);
    await run('docker', ['volume', 'rm', '-f', this.copy], { mayFail: true });
  }
}

/** A server on the address of a bridge, as an upstream. `answer` gets each request with its body. */
export async function startUpstream(network, answer) {
  const address = await docker('network', 'inspect', network, '--format', '{{(index .IPAM.Config 0).Gateway}}');
  const seen = [];
  const server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (data) => (body += data));
    request.on('end', () => {
      seen.push({ method: request.method, url: request.url, headers: request.headers, body });
      answer(request, response, body);
    });
  });
  await new Promise((resolve, reject) => server.on('error', reject).listen(0, address, resolve));
  return { address, url: `http://${address}:${server.address().port}`, seen, server };
}

/** What a WebSocket's server says to `upgrade`. */
export function acceptSocket(request, socket) {
  const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`);
}

/** One frame of a server. */
export function frame(opcode, payload) {
  const data = Buffer.from(payload);
  const length = data.length < 126 ? Buffer.from([data.length]) : Buffer.from([126, data.length >> 8, data.length & 255]);
  return Buffer.concat([Buffer.from([0x80 | opcode]), length, data]);
}

/** The texts of a client's frames; they are masked. */
export function unmasked(data) {
  const texts = [];
  for (let at = 0; at + 6 <= data.length;) {
    let length = data[at + 1] & 127;
    let start = at + 2;
    if (length === 126) { length = data.readUInt16BE(start); start += 2; }
    const mask = data.subarray(start, start + 4);
    const payload = Buffer.from(data.subarray(start + 4, start + 4 + length).map((byte, index) => byte ^ mask[index % 4]));
    texts.push(payload.toString());
    at = start + 4 + length;
  }
  return texts;
}
