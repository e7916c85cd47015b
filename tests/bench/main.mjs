// Brings an installation up, runs the parts, removes it.

import { Installation } from '../end-to-end/lib/installation.mjs';
import { measureIdle } from './idle.mjs';
import { measureRouter } from './router.mjs';
import { measureStart } from './start.mjs';
import { measureTurn } from './turn.mjs';
import { measureUp } from './up.mjs';

const parts = { turn: measureTurn, idle: measureIdle, start: measureStart, up: measureUp };
/** Without an installation. */
const others = { router: measureRouter };
const names = [...Object.keys(parts), ...Object.keys(others)];
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !names.includes(name));
if (unknown.length) {
  console.error(`unknown part: ${unknown.join(', ')}; parts are ${names.join(', ')}`);
  process.exit(2);
}

const asked = (measures) => Object.entries(measures).filter(([name]) => wanted.length === 0 || wanted.includes(name));
if (asked(parts).length) {
  const installation = await Installation.create('bench');
  try {
    await installation.up();
    for (const [, measure] of asked(parts)) await measure(installation);
  } finally {
    await installation.remove();
  }
}
for (const [, measure] of asked(others)) await measure();
