// One paired device over the WebSocket that browsers use. Needs node --experimental-websocket (Node 20) or Node 22.

import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

export class Device {
  constructor(base) {
    this.base = base;
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    this.privateKey = privateKey;
    this.publicKey = publicKey.export({ format: 'jwk' }).x;
    this.id = createHash('sha256').update(Buffer.from(this.publicKey, 'base64url')).digest('hex');
    this.listeners = new Set();
  }

  signature(purpose, { profile, host, nonce, time }) {
    const text = `bot-platform ${purpose} v1\n${profile}\n${host}\n${this.id}\n${nonce}\n${time}`;
    return sign(null, Buffer.from(text), this.privateKey).toString('base64url');
  }

  async post(path, body) {
    const headers = { 'content-type': 'application/json', origin: this.base };
    const response = await fetch(this.base + path, { method: 'POST', headers, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  /** Pairs with the code of a setup link. */
  async pair(link) {
    const code = new URL(link).hash.replace('#setup=', '');
    const challenge = await this.post('/pair/nonce', {});
    const signature = this.signature('pair', challenge);
    await this.post('/pair', { public_key: this.publicKey, name: 'bench', nonce: challenge.nonce, time: challenge.time, signature, code });
  }

  connect() {
    return new Promise((resolve, reject) => {
      // Node's client sends no Origin of its own.
      this.socket = new WebSocket(`${this.base.replace('http', 'ws')}/ws`, { headers: { origin: this.base } });
      this.socket.onerror = (event) => reject(new Error(event.message ?? 'the socket failed'));
      this.socket.onclose = (event) => reject(new Error(`closed with ${event.code}`));
      this.socket.onmessage = ({ data }) => {
        const message = JSON.parse(data);
        if (message.type === 'challenge') this.send({ type: 'auth', device: this.id, signature: this.signature('connect', message) });
        if (message.type === 'refused') reject(new Error(message.message));
        if (message.type === 'welcome') resolve(message);
        for (const listener of this.listeners) listener(message);
      };
    });
  }

  send(message) {
    this.socket.send(JSON.stringify(message));
  }

  /** Waits for the first message that `wanted` accepts. */
  next(wanted) {
    return new Promise((resolve) => {
      const listener = (message) => {
        if (!wanted(message)) return;
        this.listeners.delete(listener);
        resolve(message);
      };
      this.listeners.add(listener);
    });
  }

  async session(bot) {
    const id = randomBytes(16).toString('hex');
    this.send({ type: 'create_session', id, bot });
    const opened = this.next((message) => message.type === 'history' && message.session === id);
    this.send({ type: 'open', session: id });
    await opened;
    return id;
  }

  /** Says something; resolves with the milliseconds until the turn's end was told. */
  async turn(session, text) {
    const ended = this.next((message) => message.type === 'ended' && message.session === session);
    const start = performance.now();
    this.send({ type: 'send', session, id: randomBytes(16).toString('hex'), text });
    const { outcome } = await ended;
    const took = performance.now() - start;
    if (outcome !== 'completed') throw new Error(`the turn ended as ${outcome}`);
    return took;
  }
}
