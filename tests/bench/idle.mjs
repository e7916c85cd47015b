// What the platform costs while nobody talks to it.

import { readFileSync } from 'node:fs';

import { docker } from '../end-to-end/lib/shell.mjs';
import { table } from './lib/figures.mjs';

const IDLE_SECONDS = 60;
const TICKS_A_SECOND = 100;

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
  const metrics = await installation.metrics();
  const value = (name) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics)?.[1]);
  const [sum, count] = [value('bot_reconcile_duration_seconds_sum'), value('bot_reconcile_duration_seconds_count')];
  table('Reconcile pass', ['passes', 'mean ms'], [[count, ((sum / count) * 1000).toFixed(3)]]);
}
