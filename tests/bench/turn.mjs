// The platform's own time in a turn: from the published port to the turn's end, both messages durably stored.

import { closeSync, fdatasyncSync, fsyncSync, openSync, unlinkSync, writeSync } from 'node:fs';
import path from 'node:path';

import { docker } from '../end-to-end/lib/shell.mjs';
import { Device } from './lib/chat.mjs';
import { percentile, table } from './lib/figures.mjs';

const TURNS = 500;
const WARM_UP = 50;
/** A new chat after this: the history goes to the model with every turn. */
const TURNS_PER_SESSION = 25;

export async function measureTurn(installation) {
  const device = new Device(installation.url('personal'));
  await device.pair(await installation.link('personal'));
  const { bots } = await device.connect();
  const volume = await docker('volume', 'inspect', `${installation.name}-personal-state`, '--format', '{{.Mountpoint}}');
  let session;
  const turns = [];
  const flushes = [];
  const bare = new BareFlush(volume);
  for (let index = 0; index < TURNS + WARM_UP; index += 1) {
    if (index % TURNS_PER_SESSION === 0) session = await device.session(bots[0].name);
    const took = await device.turn(session, `turn ${index}`);
    const flush = bare.measure();
    if (index < WARM_UP) continue;
    turns.push(took);
    flushes.push(flush);
  }
  bare.close();
  device.socket.onclose = null;
  device.socket.close();
  const row = (name, values) => [name, ...[0.5, 0.9, 0.99].map((share) => percentile(values, share).toFixed(2))];
  table(`Turn, instant model (demo/echo), ${TURNS} turns, ${TURNS_PER_SESSION} a chat, milliseconds`, ['what', 'p50', 'p90', 'p99'], [
    row('port to turn ended, both messages stored', turns),
    row('bare write and fdatasync of 4 KiB on the same volume, in between', flushes),
  ]);
}

/** What one durable write costs on the disk of a volume: 4 KiB in place, as in a log that has its size already. */
class BareFlush {
  constructor(folder) {
    this.file = path.join(folder, '.bench-flush');
    this.handle = openSync(this.file, 'w');
    this.block = Buffer.alloc(4096, 1);
    writeSync(this.handle, this.block, 0, this.block.length, 0);
    fsyncSync(this.handle);
  }

  /** Milliseconds. */
  measure() {
    const start = performance.now();
    writeSync(this.handle, this.block, 0, this.block.length, 0);
    fdatasyncSync(this.handle);
    return performance.now() - start;
  }

  close() {
    closeSync(this.handle);
    unlinkSync(this.file);
  }
}
