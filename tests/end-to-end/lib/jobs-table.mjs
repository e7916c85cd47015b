// A real PostgREST with a table of jobs, reachable for the containers of a network through a relay on the bridge's own address.

import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { relay } from './model-server.mjs';
import { cache, docker, freePort, repository, run, until } from './shell.mjs';

const serve = path.join(repository, 'compose/peers/postgrest/serve');

export class JobsTable {
  static async start(network) {
    const table = new JobsTable();
    table.root = await mkdtemp(path.join(tmpdir(), 'bot-jobs-'));
    table.port = await freePort();
    await table.open();
    table.address = await docker('network', 'inspect', network, '--format', '{{(index .IPAM.Config 0).Gateway}}');
    table.relay = await relay(table.address, table.port);
    table.url = `http://${table.address}:${table.relay.port}`;
    return table;
  }

  async open() {
    this.child = spawn(serve, [this.root, String(this.port)], { stdio: 'ignore', env: { ...process.env, BOT_TEST_CACHE: cache } });
    await until('the gateway answers', async () => {
      const response = await fetch(`http://127.0.0.1:${this.port}/rest/v1/`);
      this.keys = JSON.parse(await readFile(path.join(this.root, 'keys.json'), 'utf8'));
      return response.status === 401;
    }, 60);
  }

  async close() {
    const ended = new Promise((resolve) => { this.child.once('exit', resolve); });
    this.child.kill();
    await ended;
  }

  /** As the owner of the database; gives what it prints. */
  async sql(text) {
    const { stdout } = await run('psql', ['-qAt', '-v', 'ON_ERROR_STOP=1', '-h', '127.0.0.1', '-p', String(this.port + 1), '-U', 'postgres', '-c', text]);
    return stdout.trim();
  }

  /** A call past the platform; gives status and body. */
  async ask(method, target, headers, body) {
    const response = await fetch(`http://127.0.0.1:${this.port}/rest/v1${target}`, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      body: body && JSON.stringify(body),
    });
    return { status: response.status, body: await response.json().catch(() => null) };
  }

  async stop() {
    this.relay?.close();
    if (this.child.exitCode === null && this.child.signalCode === null) await this.close();
    await rm(this.root, { recursive: true, force: true });
  }
}
