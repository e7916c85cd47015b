// What the platform costs while nobody talks to it.

import { readFileSync } from 'node:fs';

import { docker } from '../end-to-end/lib/shell.mjs';
import { table } from './lib/figures.mjs';

const IDLE_SECONDS = 60;
const TICKS_A_SECOND = 100;
const PASS_SAMPLES = 40;
// No divisor of what the supervisor does every few seconds.
const PASS_SAMPLE_MILLIS = 370;

const resident = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

function processorSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}

export async function measureIdle(installation) {
  const supervisor = await installation.supervisorPid();
  const before = processorSeconds(supervisor);
  await new Promise((resolve) => setTimeout(resolve, IDLE_SECONDS * 1000));
  const share = ((processorSeconds(supervisor) - before) / IDLE_SECONDS) * 100;
  const rows = [['supervisor', resident(supervisor).toFixed(1), share.toFixed(2), '-']];
  for (const name of installation.containers()) {
    const [pid, image] = (await docker('inspect', name, '--format', '{{.State.Pid}} {{.Image}}')).split(' ');
    const size = Number(await docker('image', 'inspect', image, '--format', '{{.Size}}')) / 1e6;
    rows.push([name.replace(`${installation.name}-`, ''), resident(pid).toFixed(1), '-', size.toFixed(1)]);
  }
  table(`Idle for ${IDLE_SECONDS} s`, ['process', 'resident MB', 'processor %', 'image MB'], rows);
  await measurePasses(installation);
}

/** The supervisor tells how many passes there were and how long the last one took: asked again and again, it is the mean. */
async function measurePasses(installation) {
  const read = async (name) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(await installation.metrics())[1]);
  await installation.metrics();
  await installation.well();
  const first = await read('bot_reconcile_passes_total');
  const durations = [];
  for (let sample = 0; sample < PASS_SAMPLES; sample += 1) {
    await new Promise((resolve) => setTimeout(resolve, PASS_SAMPLE_MILLIS));
    durations.push(await read('bot_reconcile_duration_seconds') * 1000);
  }
  const passes = (await read('bot_reconcile_passes_total')) - first;
  const mean = durations.reduce((sum, duration) => sum + duration, 0) / durations.length;
  const seconds = (PASS_SAMPLES * PASS_SAMPLE_MILLIS) / 1000;
  table(`Reconcile passes with nothing to do, ${seconds} s`, ['passes', 'samples', 'mean ms', 'longest ms'], [
    [passes, durations.length, mean.toFixed(3), Math.max(...durations).toFixed(3)],
  ]);
}
