// Brings an installation up, runs the parts, removes it.

import { Installation } from '../end-to-end/lib/installation.mjs';
import { measureIdle } from './idle.mjs';
import { measureStart } from './start.mjs';
import { measureTurn } from './turn.mjs';
import { measureUp } from './up.mjs';

const parts = { turn: measureTurn, idle: measureIdle, start: measureStart, up: measureUp };
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !parts[name]);
if (unknown.length) {
  console.error(`unknown part: ${unknown.join(', ')}; parts are ${Object.keys(parts).join(', ')}`);
  process.exit(2);
}

const installation = await Installation.create('bench');
try {
  await installation.up();
  for (const [name, measure] of Object.entries(parts)) {
    if (wanted.length === 0 || wanted.includes(name)) await measure(installation);
  }
} finally {
  await installation.remove();
}
