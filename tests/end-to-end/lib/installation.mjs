// One installation of its own: own root, own name, own ports. Brought up and down by the very scripts that people run.

import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { docker, freePort, inspect, run, until } from './shell.mjs';

export class Installation {
  static async create(label) {
    const installation = new Installation();
    installation.root = await mkdtemp(path.join(tmpdir(), `bot-${label}-`));
    installation.name = `t${process.pid}-${label}`.slice(0, 20);
    installation.ports = { personal: await freePort(), ops: await freePort() };
    return installation;
  }

  get configuration() {
    return path.join(this.root, 'etc/platform.toml');
  }

  up(options = {}) {
    const ports = `${this.ports.personal},${this.ports.ops}`;
    const binaries = process.env.BOT_TEST_BINARIES ? ['--binaries', process.env.BOT_TEST_BINARIES] : [];
    return run('deploy/up', ['--root', this.root, '--name', this.name, '--ports', ports, ...binaries], { seconds: 1200, ...options });
  }

  down(...args) {
    return run('deploy/down', ['--root', this.root, ...args], { seconds: 120 });
  }

  /** Runs botctl; gives its result. */
  botctl(...args) {
    const options = typeof args.at(-1) === 'object' ? args.pop() : {};
    return run(path.join(this.root, 'lib/bin/botctl'), ['--root', this.root, ...args], options);
  }

  async json(...args) {
    return JSON.parse((await this.botctl(...args, '--json')).stdout);
  }

  /** Waits until every probe is well. */
  well(seconds = 60) {
    return this.botctl('health', '--wait', String(seconds), { seconds: seconds + 10 });
  }

  /** Edits platform.toml and applies it. */
  async configure(edit) {
    await writeFile(this.configuration, edit(await readFile(this.configuration, 'utf8')));
    return this.botctl('apply');
  }

  /** A fresh setup link of a profile. */
  async link(profile) {
    return (await this.json('open', profile)).url;
  }

  /** Switches metrics on, once, and reads them. */
  async metrics() {
    if (!this.metricsPort) {
      this.metricsPort = await freePort();
      await this.configure((text) => text.replace(/^#? ?metrics = .*/m, `metrics = "127.0.0.1:${this.metricsPort}"`));
    }
    return until('metrics are served', async () => (await fetch(`http://127.0.0.1:${this.metricsPort}/metrics`)).text());
  }

  url(profile) {
    return `http://127.0.0.1:${this.ports[profile]}`;
  }

  container(role, profile) {
    return [this.name, profile, role].filter(Boolean).join('-');
  }

  containers() {
    return ['personal', 'ops'].flatMap((profile) => [this.container('agent', profile), this.container('gate', profile)]).concat(
      this.container('spark'), this.container('backup'));
  }

  /** Container name to id: who was replaced shows. */
  async ids() {
    const entries = await Promise.all(this.containers().map(async (name) => [name, (await inspect(name)).Id]));
    return Object.fromEntries(entries);
  }

  async supervisorPid() {
    return Number((await readFile(path.join(this.root, 'run/supervisor.lock'), 'utf8')).trim());
  }

  /** The process that runs inside a container, as the host sees it. */
  async pid(name) {
    return (await inspect(name)).State.Pid;
  }

  /** Starts the supervisor again, as systemd would. */
  async startSupervisor() {
    await this.up();
  }

  /** Deletes everything, whatever state it is in. */
  async remove() {
    await this.down('--purge', '--yes');
    const left = await docker('ps', '-aq', '--filter', `name=^${this.name}-`);
    if (left) throw new Error(`containers are left: ${left}`);
  }

  /** Waits for a field of a container. */
  containerUntil(what, name, condition, seconds) {
    return until(`${name}: ${what}`, async () => condition(await inspect(name)), seconds);
  }
}
