// A real Home Assistant, reachable for the containers of a network through a relay on the bridge's own address.

import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { relay } from './model-server.mjs';
import { cache, docker, freePort, repository, run, until } from './shell.mjs';

const peer = path.join(repository, 'compose/peers/home-assistant');

export class House {
  static async start(network) {
    const house = new House();
    house.root = await mkdtemp(path.join(tmpdir(), 'bot-house-'));
    house.port = await freePort();
    house.base = `http://127.0.0.1:${house.port}`;
    await house.open();
    house.address = await docker('network', 'inspect', network, '--format', '{{(index .IPAM.Config 0).Gateway}}');
    house.relay = await relay(house.address, house.port);
    house.url = `http://${house.address}:${house.relay.port}`;
    return house;
  }

  /** Starts it; the first time it makes its users. `loaded: false` does not wait for its devices. */
  async open({ loaded = true } = {}) {
    this.child = spawn(path.join(peer, 'serve'), [this.root, String(this.port)], { stdio: 'ignore', env: { ...process.env, BOT_TEST_CACHE: cache } });
    if (loaded) await this.loaded();
  }

  async loaded() {
    await until('its users are made', async () => {
      this.tokens = JSON.parse(await readFile(path.join(this.root, 'tokens.json'), 'utf8'));
      return true;
    }, 120);
    await until('Home Assistant runs', async () => (await this.ask('GET', '/api/config')).state === 'RUNNING', 60);
  }

  /** Stops it, as a restart begins. */
  async close() {
    const ended = new Promise((resolve) => { this.child.once('exit', resolve); });
    this.child.kill();
    await ended;
  }

  /** As the owner, past the platform. */
  async ask(method, target, body) {
    const response = await fetch(`${this.base}${target}`, {
      method,
      headers: { authorization: `Bearer ${this.tokens.owner}`, 'content-type': 'application/json' },
      body: body && JSON.stringify(body),
    });
    return response.json();
  }

  async state(id) {
    return (await this.ask('GET', `/api/states/${id}`)).state;
  }

  call(service, entity_id) {
    return this.ask('POST', `/api/services/${service.replace('.', '/')}`, { entity_id });
  }

  /** The user of this token takes it back. */
  revoke(token) {
    return run(path.join(cache, 'home-assistant/venv/bin/python'), [path.join(peer, 'people.py'), this.base, 'revoke', token]);
  }

  async stop() {
    this.relay?.close();
    if (this.child.exitCode === null && this.child.signalCode === null) await this.close();
    await rm(this.root, { recursive: true, force: true });
  }
}
