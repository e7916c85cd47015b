// The real llama.cpp server with a tiny model, as "Spark".
//
// A bridged container cannot reach the host's loopback, so a small relay listens on the bridge's own address.

import { spawn } from 'node:child_process';
import net from 'node:net';

import { cache, docker, freePort, repository, until } from './shell.mjs';

export const MODEL = 'tiny-lab/Bigram-1.4M.alpha-v1.0';
export const SENTENCE = /this is model alpha answering over the local router/;

/** Starts the server on the host's loopback; `settings` are variables of `serve`. */
export async function serveModel(which = 'alpha', settings = {}) {
  const port = await freePort();
  const child = spawn('compose/peers/llm/serve', [which, String(port)], { cwd: repository, stdio: 'ignore', env: { ...process.env, BOT_TEST_CACHE: cache, ...settings } });
  const base = `http://127.0.0.1:${port}`;
  await until('the model server answers', async () => (await fetch(`${base}/v1/models`)).ok, 60);
  return { base, port, stop: () => child.kill() };
}

/** Starts the server and a relay that the containers of `network` can reach. */
export async function startModelServer(network, which = 'alpha') {
  const { base, port, stop } = await serveModel(which);
  const address = await docker('network', 'inspect', network, '--format', '{{(index .IPAM.Config 0).Gateway}}');
  const way = await relay(address, port);
  return {
    base,
    url: `http://${address}:${way.port}/v1`,
    stop() {
      stop();
      way.close();
    },
  };
}

/** Passes what comes to `address` on to a port of the host's loopback. */
export async function relay(address, port) {
  const sockets = new Set();
  const server = net.createServer((inbound) => {
    const outbound = net.connect(port, '127.0.0.1');
    for (const socket of [inbound, outbound]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => { sockets.delete(socket); inbound.destroy(); outbound.destroy(); });
    }
    inbound.pipe(outbound).pipe(inbound);
  });
  const own = await new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(0, address, () => resolve(server.address().port));
  });
  return {
    port: own,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
