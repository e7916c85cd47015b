// Running programs and waiting for conditions.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import path from 'node:path';

export const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
export const cache = process.env.BOT_TEST_CACHE ?? path.join(process.env.HOME, '.cache/bot-platform-tests');

/** Full counts for `tests/run soak`. */
export const soak = process.env.BOT_TEST_SOAK === '1';

/** Runs a program to its end. Rejects when it fails, unless `options.mayFail`. */
export function run(program, args, options = {}) {
  const { input, mayFail = false, seconds = 300, ...rest } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: repository, stdio: ['pipe', 'pipe', 'pipe'], ...rest });
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (data) => (output.stdout += data));
    child.stderr.on('data', (data) => (output.stderr += data));
    child.stdin.on('error', () => {}); // It may exit without reading.
    child.stdin.end(input ?? '');
    const timer = setTimeout(() => child.kill('SIGKILL'), seconds * 1000);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const result = { ...output, code, signal };
      if (code === 0 || mayFail) return resolve(result);
      reject(new Error(`${program} ${args.join(' ')} ended with ${code ?? signal}\n${output.stdout}\n${output.stderr}`));
    });
  });
}

/** Waits until `condition` gives something true; its last error or value is in the message. */
export async function until(what, condition, seconds = 30) {
  const deadline = Date.now() + seconds * 1000;
  let last;
  for (;;) {
    try {
      last = await condition();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`not within ${seconds} s: ${what}; last: ${last?.stack ?? JSON.stringify(last)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export async function docker(...args) {
  return (await run('docker', args)).stdout.trim();
}

/** One container as Docker sees it. */
export async function inspect(name) {
  return JSON.parse(await docker('inspect', name))[0];
}

/** A TCP port of 127.0.0.1 that nobody uses now. */
export async function freePort() {
  const net = await import('node:net');
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
