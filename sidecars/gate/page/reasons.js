/** Why a call is asked about, in the page's language. What `agent-policy` says of itself is known here; a rule's own words stay as somebody wrote them. */
import { t } from './words.js';

const KNOWN = [
  [/^it changes something, and no rule allows it$/, 'reason.change'],
  [/^it cannot be undone, and no rule allows it$/, 'reason.danger'],
  [/^a rule asks about (?<tool>[^\s:]+)$/, 'reason.rule'],
  [/^a rule asks about (?<tool>[^\s:]+) by (?<when>[^:]+)$/, 'reason.rule.when'],
  [/^a rule asks about (?<tool>[^\s:]+): (?<why>.+)$/s, 'reason.rule.why'],
  [/^a rule asks about (?<tool>[^\s:]+) by (?<when>[^:]+): (?<why>.+)$/s, 'reason.rule.when.why'],
];

export function reason(why) {
  return why.split('; ').map((part) => {
    const [pattern, key] = KNOWN.find(([known]) => known.test(part)) ?? [];
    return key ? t(key, pattern.exec(part).groups) : part;
  }).join('; ');
}
