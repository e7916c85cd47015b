// A machine of its own under a real systemd, see machine.sh. Nothing that is done in it touches the host.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { repository, run, until } from './shell.mjs';

const script = path.join(repository, 'tests/end-to-end/lib/machine.sh');
const environment = { HOME: '/root', LANG: 'C.UTF-8', PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' };

/** The only child of a process. */
async function child(pid) {
  return Number((await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ')[0]);
}

export class Machine {
  #holder;
  #said = '';

  /** Boots it; `folders` of the host are seen inside, read-only. */
  static async boot(label, folders) {
    const machine = new Machine();
    machine.name = `t${process.pid}-${label}`;
    machine.disk = await mkdtemp(path.join(tmpdir(), `bot-${label}-`));
    machine.#holder = spawn('bash', [script, machine.name, machine.disk, ...folders], { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [machine.#holder.stdout, machine.#holder.stderr]) stream.on('data', (data) => (machine.#said += data));
    try {
      await machine.up();
    } catch (error) {
      await machine.remove();
      throw error;
    }
    return machine;
  }

  /** systemd, as the host sees it; none while the machine boots. */
  async pid() {
    if (this.#holder.exitCode !== null) throw new Error(`the machine ended with ${this.#holder.exitCode}:\n${this.#said}`);
    const pid = await child(await child(this.#holder.pid));
    return (await readFile(`/proc/${pid}/comm`, 'utf8')).trim() === 'systemd' ? pid : undefined;
  }

  /** Waits until it has booted. */
  up() {
    return until('the machine runs', async () => /^(running|degraded)/.test((await this.run('systemctl', ['is-system-running'], { mayFail: true })).stdout), 60);
  }

  async #inside(program, args) {
    const pid = await until('systemd is the first process', () => this.pid(), 30);
    return ['-t', String(pid), '-m', '-u', '-i', '-n', '-p', '-C', '--root', '--wd', '--', program, ...args];
  }

  /** Runs a program inside. */
  async run(program, args, options = {}) {
    return run('nsenter', await this.#inside(program, args), { env: environment, ...options });
  }

  /** What a program inside prints. */
  async read(program, ...args) {
    return (await this.run(program, args)).stdout.trim();
  }

  /** Starts a program inside, to be read while it runs. */
  async spawn(program, ...args) {
    return spawn('nsenter', await this.#inside(program, args), { env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
  }

  /** `systemctl show`: the asked properties of a unit. */
  async show(unit, ...properties) {
    const text = await this.read('systemctl', 'show', '-p', properties.join(), unit);
    return Object.fromEntries(text.split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
  }

  async exists(file) {
    return (await this.run('test', ['-e', file, '-o', '-L', file], { mayFail: true })).code === 0;
  }

  async write(file, text) {
    await this.run('mkdir', ['-p', path.dirname(file)]);
    await this.run('tee', [file], { input: text });
  }

  /** Orders a reboot, and waits until the machine is there again. */
  async reboot() {
    const pid = await this.pid();
    await this.run('systemctl', ['reboot'], { mayFail: true }); // It may lose its connection.
    await until('the machine boots', async () => ![undefined, pid].includes(await this.pid()), 90);
    await this.up();
  }

  /** Ends it and everything in it; its disk goes with it. */
  async remove() {
    const ended = this.#holder.exitCode === null && this.#holder.signalCode === null ? once(this.#holder, 'exit') : undefined;
    this.#holder.kill('SIGKILL');
    await ended;
    const cgroups = (await run('bash', [script, '--cgroups', this.name])).stdout.trim().split('\n');
    for (const group of cgroups) {
      await until(`${group} is removed`, async () => (await run('bash', ['-c', '[ ! -d "$1" ] || find "$1" -depth -type d -exec rmdir {} +', '-', group])).code === 0);
    }
    await rmdir(this.disk);
  }
}
