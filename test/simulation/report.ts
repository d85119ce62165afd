import type { Run } from './simulate.ts';

/** A log of a run with a line per event and request, in order of time. */
export function logOf({ world, beganAt, events, ledger, outcomes }: Run): string {
  const lines: { readonly at: number; readonly line: string }[] = [];
  for (const { at, callId, type, tier, tags, ...details } of events) {
    const plan = tags.plan === undefined ? '' : ` (call ${tags.plan})`;
    const name = callId === null ? 'router' : `${callId}${plan}`;
    lines.push({ at, line: `${name} ${type} ${JSON.stringify(details)}` });
  }
  for (const { id, target, call, at, endedAt = at, trouble, billed } of ledger) {
    const what = `request ${id} of call ${call} to ${target}`;
    const cost = billed === undefined ? 'bills nothing' : `bills ${billed.outputTokens} tokens`;
    lines.push({ at, line: `  ${what} arrives${trouble === undefined ? '' : `: ${trouble}`}` });
    lines.push({ at: endedAt, line: `  ${what} ends, ${cost}` });
  }
  for (const { plan, endedAt, completion, error, hasLeft } of outcomes) {
    const end = completion?.target ?? error?.message ?? (hasLeft ? 'left' : 'no end');
    lines.push({ at: endedAt, line: `call ${plan.number}: ${end}` });
  }
  return [
    JSON.stringify(world, undefined, 1),
    ...lines
      .toSorted((a, b) => a.at - b.at)
      .map(({ at, line }) => `${(at - beganAt).toFixed(0).padStart(7)} ms ${line}`),
  ].join('\n');
}
