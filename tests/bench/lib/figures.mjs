// Medians, percentiles and a table.

export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

export const median = (values) => percentile(values, 0.5);

/** "min / median / max" in milliseconds. */
export function spread(values) {
  return [percentile(values, 0), median(values), percentile(values, 1)].map((value) => value.toFixed(0)).join(' / ');
}

export function table(title, head, rows) {
  const cells = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  const line = (row) => row.map((cell, column) => cell.padEnd(widths[column])).join('  ').trimEnd();
  console.log(`\n${title}\n`);
  cells.forEach((row, index) => {
    console.log(`  ${line(row)}`);
    if (index === 0) console.log(`  ${widths.map((width) => '-'.repeat(width)).join('  ')}`);
  });
}
