// From the start of an agent's process until its admin socket says that it is ready to be activated.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { repository, run } from '../end-to-end/lib/shell.mjs';
import { spread, table } from './lib/figures.mjs';

const RUNS = 30;

export async function measureStart() {
  const host = (await run('rustc', ['-vV'])).stdout.match(/^host: (.*)$/m)[1];
  const target = process.env.CARGO_TARGET_DIR ?? path.join(repository, 'target');
  const binary = path.join(target, host, 'dist/bot-agent');
  const took = [];
  for (let index = 0; index < RUNS; index += 1) took.push(await once(binary));
  table(`Agent, process start until ready, ${RUNS} starts`, ['min / median / max ms'], [[spread(took)]]);
}

async function once(binary) {
  const folder = mkdtempSync(path.join(tmpdir(), 'bench-start-'));
  const socket = path.join(folder, '1.sock');
  const start = performance.now();
  const child = spawn(binary, [], {
    stdio: 'ignore',
    env: { BOT_PROFILE: 'bench', BOT_GENERATION: '1', BOT_HTTP_SOCKET: path.join(folder, 'http.sock'), BOT_ADMIN_SOCKET: socket },
  });
  while (!existsSync(socket) || !(await answers(socket))) await new Promise((resolve) => setImmediate(resolve));
  const took = performance.now() - start;
  child.kill('SIGKILL');
  await new Promise((resolve) => child.on('exit', resolve));
  rmSync(folder, { recursive: true });
  return took;
}

const answers = (socketPath) => new Promise((resolve) => {
  const request = http.get({ socketPath, path: '/readyz' }, (response) => {
    response.resume();
    resolve(response.statusCode === 200);
  });
  request.on('error', () => resolve(false));
});
