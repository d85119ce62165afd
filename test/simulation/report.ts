import type { Run } from './simulate.ts';

/** What happened in a run, a line for each event and each request, in the order of their time. */
export function storyOf({ world, beganAt, events, ledger, outcomes }: Run): string {
  const lines: { readonly at: number; readonly line: string }[] = [];
  for (const { at, callId, type, tier, tags, ...told } of events) {
    const plan = tags.plan === undefined ? '' : ` (call ${tags.plan})`;
    const name = callId === null ? 'router' : `${callId}${plan}`;
    lines.push({ at, line: `${name} ${type} ${JSON.stringify(told)}` });
  }
  for (const { id, target, call, at, endedAt = at, trouble, told } of ledger) {
    const what = `request ${id} of call ${call} to ${target}`;
    const billed = told === undefined ? 'bills nothing' : `bills ${told.outputTokens} tokens`;
    lines.push({ at, line: `  ${what} arrives${trouble === undefined ? '' : `: ${trouble}`}` });
    lines.push({ at: endedAt, line: `  ${what} is over, ${billed}` });
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
