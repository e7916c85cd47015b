// The page's files, as they are in the repository.
import { readFileSync, readdirSync } from 'node:fs';

const PAGE = new URL('../../sidecars/gate/page/', import.meta.url);

/** Paths of all files that end so. */
export function sources(...ends) {
  return readdirSync(PAGE, { recursive: true }).filter((path) => ends.some((end) => path.endsWith(end))).sort();
}

export function read(path) {
  return readFileSync(new URL(path, PAGE), 'utf8');
}
