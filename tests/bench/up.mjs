// Bringing the six containers up: the supervisor until all probes are well, the plain Engine API, docker-compose.

import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { inspect, run, until } from '../end-to-end/lib/shell.mjs';
import { engine, like, remove } from './lib/engine.mjs';
import { median, spread, table } from './lib/figures.mjs';

const ROUNDS = 7;

export async function measureUp(installation) {
  const containers = installation.containers();
  const bodies = await Promise.all(containers.map(async (name) => [name, like(await inspect(name))]));
  const compose = path.join(installation.root, 'compose.yaml');
  await writeFile(compose, (await installation.botctl('export', 'compose')).stdout);
  const supervisor = await installation.supervisorPid();
  process.kill(supervisor, 'SIGTERM');
  await until('the supervisor is gone', () => !alive(supervisor));

  const clear = () => Promise.all(containers.map(remove));
  const ways = {
    'bot-supervisor, start until all probes are well': async () => {
      const child = await startSupervisor(installation);
      await installation.well();
      return child;
    },
    'plain Engine API, six created and started in parallel': () => Promise.all(bodies.map(async ([name, body]) => {
      await engine('POST', `/containers/create?name=${name}`, body);
      await engine('POST', `/containers/${name}/start`);
    })),
    'docker-compose up -d': () => run('docker-compose', ['-p', installation.name, '-f', compose, 'up', '-d']),
  };
  const figures = Object.fromEntries(Object.keys(ways).map((name) => [name, []]));
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [name, way] of Object.entries(ways)) {
      await clear();
      const start = performance.now();
      const child = await way();
      const took = performance.now() - start;
      if (round > 0) figures[name].push(took); // The first round warms the caches.
      if (child?.kill) await stop(child);
    }
  }
  await clear();
  const plain = median(figures['plain Engine API, six created and started in parallel']);
  table(`Up, images built, networks warm, ${ROUNDS} rounds in turn`, ['way', 'min / median / max ms', 'of plain'],
    Object.entries(figures).map(([name, values]) => [name, spread(values), (median(values) / plain).toFixed(2)]));
  await installation.startSupervisor();
}

const alive = (pid) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

async function startSupervisor(installation) {
  const { spawn } = await import('node:child_process');
  return spawn(path.join(installation.root, 'lib/bin/bot-supervisor'), ['--root', installation.root], { stdio: 'ignore' });
}

function stop(child) {
  return new Promise((resolve) => {
    child.on('exit', resolve);
    child.kill('SIGTERM');
  });
}
