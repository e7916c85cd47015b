/**
 * JSON with line breaks, for eyes. Only white space between its parts is changed, never a part: what is shown is what there is, and a number that a
 * parser would round stays as it is written. A text that is no JSON stays whole as it is.
 */
const PART = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/gs;
const DEEPEST = 64;

export function layout(text) {
  if (!isStructure(text)) return text;
  const parts = text.match(PART) ?? [];
  let depth = 0;
  return parts.map((part, n) => {
    const line = () => `\n${'  '.repeat(Math.min(depth, DEEPEST))}`;
    if (part === '}' || part === ']') {
      depth -= 1;
      return opens(parts[n - 1]) ? part : line() + part;
    }
    if (opens(part)) depth += 1;
    if (part === ':') return ': ';
    return part === ',' || (opens(part) && !closes(parts[n + 1])) ? part + line() : part;
  }).join('');
}

const opens = (part) => part === '{' || part === '[';
const closes = (part) => part === '}' || part === ']';

function isStructure(text) {
  try {
    return typeof JSON.parse(text) === 'object';
  } catch {
    return false;
  }
}
