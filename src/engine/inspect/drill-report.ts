import type { CheckedDrill } from '../../config/drill-options.ts';
import type { DrillFault, DrillReport } from '../../protocol/drill.ts';
import type { Statistics } from '../../telemetry/statistics.ts';
import type { Tally } from './drill-tally.ts';

/** A drill that is over. */
export type Drilled = {
  readonly drill: string;
  readonly checked: CheckedDrill;
  /** The targets as the tier asks them. */
  readonly chain: readonly string[];
  readonly failing: ReadonlySet<string>;
  readonly tally: Tally;
  readonly startedAt: number;
  readonly endedAt: number;
};

function latencyOf(statistics: Statistics): DrillReport['latency']['drilled'] {
  const { calls, p50TotalMs, p99TotalMs } = statistics.snapshot();
  return {
    calls,
    ...(p50TotalMs !== undefined && { p50Ms: p50TotalMs }),
    ...(p99TotalMs !== undefined && { p99Ms: p99TotalMs }),
  };
}

function hopsOf({ checked, chain, failing, tally }: Drilled): DrillReport['hops'] {
  return chain.flatMap((from, index) => {
    const to = chain[index + 1];
    if (to === undefined) return [];
    // A slow target may still answer in time, and need not be left.
    const expected = failing.has(from) && checked.fault.type !== 'slow';
    return [{ from, to, ran: tally.ran(from, to), expected }];
  });
}

/** `all_targets_failed ×3, timeout ×1` */
function codesOf({ lost }: Tally): string {
  const counts = new Map<string, number>();
  for (const { code } of lost) counts.set(code, (counts.get(code) ?? 0) + 1);
  return [...counts].map(([code, count]) => `${code} ×${count}`).join(', ');
}

/** Why the drill proves nothing, or the wrong thing. One in which nothing happened has not passed. */
function reasonsOf(over: Drilled, hops: DrillReport['hops']): readonly string[] {
  const { checked, failing, tally } = over;
  const { drilled, answered, lost } = tally.calls;
  if (drilled === 0) return [`no call of tier "${checked.tier}" was part of the drill`];
  const reasons: string[] = [];
  for (const target of failing) {
    if (tally.targetCounts(target).faults > 0) continue;
    reasons.push(`the fault never reached ${target}`);
  }
  for (const { from, to, ran, expected } of hops) {
    if (expected && ran === 0) reasons.push(`the hop from ${from} to ${to} never ran`);
  }
  if (lost > 0) reasons.push(`lost ${lost} of ${drilled} calls: ${codesOf(tally)}`);
  if (answered === 0) reasons.push('no call was answered');
  return reasons;
}

/** What the drill has shown. */
export function drillReport(over: Drilled): DrillReport {
  const { drill, checked, chain, failing, tally, startedAt, endedAt } = over;
  const hops = hopsOf(over);
  const reasons = reasonsOf(over, hops);
  return {
    drill,
    tier: checked.tier,
    fault: checked.fault as DrillFault,
    startedAt,
    endedAt,
    passed: reasons.length === 0,
    reasons,
    calls: { ...tally.calls },
    lost: [...tally.lost],
    targets: chain.map((target) => ({
      target,
      failing: failing.has(target),
      ...tally.targetCounts(target),
    })),
    hops,
    latency: {
      drilled: latencyOf(tally.latency.drilled),
      others: latencyOf(tally.latency.others),
    },
  };
}
