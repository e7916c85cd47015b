// The probe of tests/probe, and containers that run it.

import { chmod, copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { docker, inspect, repository, run } from './shell.mjs';

/** Builds the probe's image; gives its id. */
export async function buildProbe() {
  const host = (await run('rustc', ['-vV'])).stdout.match(/^host: (.*)$/m)[1];
  const target = process.env.CARGO_TARGET_DIR ?? path.join(repository, 'target');
  const flags = `target.${host}.rustflags=['-Ctarget-feature=+crt-static']`;
  await run('cargo', ['build', '--locked', '-p', 'probe', '--target', host, '--config', flags], { seconds: 1200 });
  const context = await mkdtemp(path.join(tmpdir(), 'bot-probe-'));
  try {
    const binary = path.join(target, host, 'debug/probe');
    for (const name of ['probe', 'setuid-probe']) await copyFile(binary, path.join(context, name));
    await chmod(path.join(context, 'setuid-probe'), 0o4755);
    await copyFile(path.join(repository, 'tests/probe/Dockerfile'), path.join(context, 'Dockerfile'));
    await run('docker', ['build', '--quiet', '--tag', 'bot-platform-tests/probe', context], { env: { ...process.env, DOCKER_BUILDKIT: '0' } });
    return await docker('image', 'inspect', '--format', '{{.Id}}', 'bot-platform-tests/probe');
  } finally {
    await rm(context, { recursive: true });
  }
}

/** One call of Docker's API. */
function engine(method, target, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({ socketPath: '/var/run/docker.sock', method, path: target, headers: { 'content-type': 'application/json' } }, (response) => {
      let text = '';
      response.on('data', (data) => (text += data));
      response.on('end', () => (response.statusCode < 300 ? resolve(text ? JSON.parse(text) : {}) : reject(new Error(`${target}: ${response.statusCode} ${text}`))));
    });
    request.on('error', reject);
    request.end(body ? JSON.stringify(body) : undefined);
  });
}

/** Containers of the probe with exactly the confinement of an agent that runs. */
export class Confinement {
  /** `volume`: a copy that stands for the state volume; without it the real one is mounted. */
  static async of(agent, image, volume) {
    const confinement = new Confinement();
    const { Config, HostConfig } = await inspect(agent);
    const mounts = HostConfig.Mounts.map((mount) => (volume && mount.Type === 'volume' ? { ...mount, Source: volume } : mount));
    Object.assign(confinement, { agent, image, body: { Image: image, User: Config.User, Env: Config.Env, HostConfig: { ...HostConfig, Mounts: mounts } } });
    return confinement;
  }

  /** The same without one thing: shows that it is this thing that holds. */
  without(change) {
    const other = Object.assign(new Confinement(), this, { body: structuredClone(this.body) });
    change(other.body);
    return other;
  }

  /** Makes and starts a container; gives its name. */
  async start(name, command) {
    const { Id } = await engine('POST', `/containers/create?name=${name}`, { ...this.body, Cmd: command });
    await engine('POST', `/containers/${Id}/start`);
    return Id;
  }

  /** Runs the probe to its end; gives exit code and output. */
  async run(name, command) {
    const id = await this.start(name, command);
    try {
      const { StatusCode } = await engine('POST', `/containers/${id}/wait`);
      const { stdout, stderr } = await run('docker', ['logs', id]);
      return { code: StatusCode, stdout, stderr, inspected: await inspect(id) };
    } finally {
      await engine('DELETE', `/containers/${id}?force=true`);
    }
  }

  /** Makes attempts; gives their reports. */
  async attempt(name, surroundings) {
    const { code, stdout, stderr, inspected } = await this.run(name, ['run', JSON.stringify(surroundings)]);
    if (code !== 0) throw new Error(`the probe ended with ${code}: ${stderr}`);
    return { reports: stdout.trim().split('\n').map((line) => JSON.parse(line)), inspected };
  }
}

/** Removes a container, whatever it does. */
export async function removeContainer(id) {
  await run('docker', ['rm', '-f', id], { mayFail: true });
}

/** A copy of a volume, with owners and modes. */
export async function copyVolume(from, to) {
  await docker('volume', 'create', to);
  const place = async (name) => docker('volume', 'inspect', '--format', '{{.Mountpoint}}', name);
  const target = await place(to);
  await mkdir(target, { recursive: true });
  await run('cp', ['-a', `${await place(from)}/.`, target]);
  return target;
}
