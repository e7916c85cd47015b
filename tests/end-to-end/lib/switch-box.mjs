// A model box that can be switched: OpenSSH with the forced command of deploy/spark on the bridge's own address, and hooks that
// stop and start the real llama.cpp server, which a relay makes reachable from there.

import { spawn } from 'node:child_process';
import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';

import { relay } from './model-server.mjs';
import { cache, docker, freePort, repository, run, until } from './shell.mjs';

export const ALPHA = 'tiny-lab/Bigram-1.4M.alpha-v1.0';
export const BETA = 'tiny-lab/Bigram-1.4M.beta-v1.0';

const stop = `#!/bin/sh
here=$(dirname "$0")/state
read -r pid <"$here/pid" || exit 0
kill -KILL "$pid" 2>/dev/null
while kill -0 "$pid" 2>/dev/null; do :; done
rm -f "$here/pid"
`;

/** `behaviour`: "slow" waits until the file is gone, "fail" starts nothing. */
const start = (port) => `#!/bin/sh
here=$(dirname "$0")
how=well
[ ! -s "$here/behaviour" ] || read -r how <"$here/behaviour"
case $how in fail) exit 3 ;; slow) while [ -e "$here/behaviour" ]; do :; done ;; esac
case $1 in *alpha*) which=alpha ;; *) which=beta ;; esac
BOT_TEST_CACHE=${cache} setsid ${repository}/compose/peers/llm/serve "$which" ${port} </dev/null >"$here/state/server.log" 2>&1 &
echo $! >"$here/state/pid"
`;

export class SwitchBox {
  /** A box with the model alpha, reachable for the containers of `network`. */
  static async start(network) {
    const box = new SwitchBox();
    box.root = await mkdtemp(path.join(tmpdir(), 'bot-box-'));
    box.folder = path.join(box.root, 'box');
    box.address = await docker('network', 'inspect', network, '--format', '{{(index .IPAM.Config 0).Gateway}}');
    const port = await freePort();
    await mkdir(path.join(box.folder, 'state'), { recursive: true });
    await writeFile(path.join(box.folder, 'models'), `${ALPHA}\n${BETA}\n`);
    for (const [name, text] of [['stop-model', stop], ['start-model', start(port)]]) await writeFile(path.join(box.folder, name), text, { mode: 0o755 });
    await run(path.join(box.folder, 'start-model'), [ALPHA]);
    const base = `http://127.0.0.1:${port}`;
    await until('the model server answers', async () => (await fetch(`${base}/v1/models`)).ok, 60);
    box.relay = await relay(box.address, port);
    box.base = base;
    box.url = `http://${box.address}:${box.relay.port}/v1`;
    box.port = await freePort();
    box.sshd = spawn('compose/peers/sshd/serve', [box.root, box.address, String(box.port)], { cwd: repository, stdio: 'ignore' });
    await until('sshd listens', () => listens(box.address, box.port));
    return box;
  }

  get login() {
    return `${userInfo().username}@${this.address}:${this.port}`;
  }

  async hostKey(name = 'host_ed25519') {
    return (await readFile(path.join(this.root, `${name}.pub`), 'utf8')).split(' ').slice(0, 2).join(' ');
  }

  key(name = 'client_ed25519') {
    return readFile(path.join(this.root, name), 'utf8');
  }

  behave(how) {
    const file = path.join(this.folder, 'behaviour');
    return how === 'well' ? rm(file, { force: true }) : writeFile(file, `${how}\n`);
  }

  /** What the model server calls itself. */
  async model() {
    return (await (await fetch(`${this.base}/v1/models`)).json()).data[0].id;
  }

  async stop() {
    this.sshd.kill();
    this.relay.close();
    await run(path.join(this.folder, 'stop-model'), [], { mayFail: true });
    await rm(this.root, { recursive: true, force: true });
  }
}

function listens(host, port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, host, () => { socket.destroy(); resolve(true); });
    socket.on('error', () => resolve(false));
  });
}
