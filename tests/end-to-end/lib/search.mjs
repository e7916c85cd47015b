// Looks for texts where they must not be: memory, files, images, output. In each spelling that a careless copy would have.

import { spawn } from 'node:child_process';
import { open, readFile, readdir } from 'node:fs/promises';
import path from 'node:path';

const CHUNK = 4 << 20;

/** The ways in which a value may stand somewhere: plain, hexadecimal, base64 at each of three positions. */
export function spellings(value) {
  const base64 = [0, 1, 2].flatMap((shift) => {
    const bytes = Buffer.concat([Buffer.alloc(shift), Buffer.from(value)]);
    // What stands before and after decides the characters at the ends: they are left out.
    return [bytes.toString('base64'), bytes.toString('base64url')].map((text) => text.replace(/=+$/, '').slice(shift === 0 ? 0 : 4, -2));
  });
  return [...new Set([value, Buffer.from(value).toString('hex'), ...base64])].map((text) => Buffer.from(text));
}

/** Searches what is put in, piece by piece, for several named values. */
export class Search {
  /** `values`: name to value. */
  constructor(values) {
    this.needles = Object.entries(values).flatMap(([name, value]) => spellings(value).map((needle) => ({ name, needle })));
    this.overlap = Math.max(...this.needles.map(({ needle }) => needle.length));
    this.hits = new Set();
    this.bytes = 0;
    this.tail = Buffer.alloc(0);
  }

  feed(piece) {
    this.bytes += piece.length;
    const text = Buffer.concat([this.tail, piece]);
    for (const { name, needle } of this.needles) if (text.includes(needle)) this.hits.add(name);
    this.tail = text.subarray(Math.max(0, text.length - this.overlap));
  }

  /** What was found, sorted. */
  found() {
    return [...this.hits].sort();
  }
}

/** Everything that a process can read in its own memory. */
export async function searchMemory(pid, values) {
  const search = new Search(values);
  const maps = (await readFile(`/proc/${pid}/maps`, 'utf8')).trim().split('\n');
  const memory = await open(`/proc/${pid}/mem`);
  const buffer = Buffer.alloc(CHUNK);
  try {
    for (const line of maps) {
      const [, begin, end, mode, name] = line.match(/^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+\s*(.*)$/);
      if (!mode.startsWith('r') || /^\[(vvar|vsyscall)/.test(name)) continue;
      // Addresses of a process stay below 2^47.
      const last = Number.parseInt(end, 16);
      for (let at = Number.parseInt(begin, 16); at < last; at += CHUNK) {
        // A map can end while it is read.
        const { bytesRead } = await memory.read(buffer, 0, Math.min(CHUNK, last - at), at).catch(() => ({ bytesRead: 0 }));
        search.feed(buffer.subarray(0, bytesRead));
      }
    }
  } finally {
    await memory.close();
  }
  return search;
}

/** Every file below folders, and their names. */
export async function searchFiles(folders, values, skip = () => false) {
  const search = new Search(values);
  for (const folder of folders) {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      const file = path.join(entry.parentPath ?? entry.path, entry.name);
      search.feed(Buffer.from(`${file}\n`));
      if (entry.isFile() && !skip(file)) search.feed(await readFile(file).catch(() => Buffer.alloc(0)));
    }
  }
  return search;
}

/** What a program writes. */
export function searchOutput(program, args, values) {
  const search = new Search(values);
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const pipe of [child.stdout, child.stderr]) pipe.on('data', (piece) => search.feed(piece));
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve(search) : reject(new Error(`${program} ${args.join(' ')} ended with ${code}`))));
  });
}
