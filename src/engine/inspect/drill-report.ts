import type { CheckedDrill } from '../../config/drill-options.ts';
import type { DrillFault, DrillReport, LostCall } from '../../protocol/drill.ts';
import type { ErrorCode } from '../../protocol/error-code.ts';
import type { EventName, RouterEvent, RouterEvents } from '../../protocol/events.ts';
import { createStatistics, type Statistics } from '../../telemetry/statistics.ts';

/** A drill that is over. */
export type EndedDrill = {
  readonly drill: string;
  readonly checked: CheckedDrill;
  /** The targets in the order of the tier. */
  readonly chain: readonly string[];
  /** These, and the ones that only its `fallbacks` list. */
  readonly targets: readonly string[];
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

function hopsOf({ checked, chain, failing, tally }: EndedDrill): DrillReport['hops'] {
  return chain.flatMap((from, index) => {
    const to = chain[index + 1];
    if (to === undefined) return [];
    // A slow target may still answer in time.
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

/** Why the drill did not pass. One in which nothing happened has not passed. */
function reasonsOf(over: EndedDrill, hops: DrillReport['hops']): readonly string[] {
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

/** The report of a drill that has ended. */
export function drillReport(over: EndedDrill): DrillReport {
  const { drill, checked, targets, failing, tally, startedAt, endedAt } = over;
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
    targets: targets.map((target) => ({
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

/** Calls that latencies are computed over, and lost calls that are listed. */
const kept = { latencies: 1_000, lost: 100 };

type TargetCounts = { faults: number; attempts: number; failures: number; answered: number };

/** What is counted while a drill runs. */
export type Tally = {
  readonly calls: { drilled: number; hit: number; answered: number; lost: number; aborted: number };
  readonly lost: LostCall[];
  readonly latency: { readonly drilled: Statistics; readonly others: Statistics };
  /** The calls in flight, with their failures so far. */
  readonly running: Map<string, { hit: boolean; readonly failures: ErrorCode[] }>;
  targetCounts(target: string): TargetCounts;
  /** How often a drilled call went from one target to another. */
  ran(from: string, to: string): number;
  struck(target: string): void;
  /** Takes an event of the router into account. */
  note(event: RouterEvent): void;
  /** Resolves as soon as no drilled call is in flight. */
  settled(): Promise<void>;
};

type EventHandlers = {
  readonly [Name in EventName]?: (event: RouterEvents[Name] & { readonly callId: string }) => void;
};

/** Counts the events of a drill, as any listener could. */
export function createTally(
  drill: string,
  { tier }: CheckedDrill,
  failing: ReadonlySet<string>,
): Tally {
  const targets = new Map<string, TargetCounts>();
  const hops = new Map<string, number>();
  let onSettled: (() => void) | undefined;
  const targetCounts = (target: string): TargetCounts => {
    const counts = targets.get(target) ?? { faults: 0, attempts: 0, failures: 0, answered: 0 };
    targets.set(target, counts);
    return counts;
  };
  const hopOf = (from: string, to: string): string => `${from} → ${to}`;
  function hop({ from, to }: { readonly from: string; readonly to: string }): void {
    hops.set(hopOf(from, to), tally.ran(from, to) + 1);
  }

  const drilled: EventHandlers = {
    'call-start'({ callId }) {
      tally.calls.drilled += 1;
      tally.running.set(callId, { hit: false, failures: [] });
    },
    'attempt-start'({ callId, target }) {
      const call = tally.running.get(callId);
      if (call === undefined || call.hit || !failing.has(target)) return;
      call.hit = true;
      tally.calls.hit += 1;
    },
    'attempt-end'({ callId, target, error }) {
      const counts = targetCounts(target);
      counts.attempts += 1;
      if (error === undefined) return;
      counts.failures += 1;
      tally.running.get(callId)?.failures.push(error.code);
    },
    failover: hop,
    hedge: hop,
    'call-end'({ callId, status, target, durationMs, error }) {
      const { calls, lost, latency, running } = tally;
      const attempts = running.get(callId)?.failures ?? [];
      if (status === 'ok') {
        calls.answered += 1;
        latency.drilled.record({ outcome: 'ok', totalMs: durationMs });
        if (target !== undefined) targetCounts(target).answered += 1;
      } else if (status === 'aborted') calls.aborted += 1;
      else {
        calls.lost += 1;
        const code = error?.code ?? 'all_targets_failed';
        if (lost.length < kept.lost) lost.push({ callId, code, attempts });
      }
      running.delete(callId);
      if (running.size === 0) onSettled?.();
    },
  };

  const tally: Tally = {
    calls: { drilled: 0, hit: 0, answered: 0, lost: 0, aborted: 0 },
    lost: [],
    latency: {
      drilled: createStatistics({ capacity: kept.latencies }),
      others: createStatistics({ capacity: kept.latencies }),
    },
    running: new Map(),
    targetCounts,
    ran: (from, to) => hops.get(hopOf(from, to)) ?? 0,
    struck(target) {
      targetCounts(target).faults += 1;
    },
    note(event) {
      if (event.callId === null || event.tier !== tier) return;
      if (event.drill === undefined && event.type === 'call-end' && event.status === 'ok') {
        tally.latency.others.record({ outcome: 'ok', totalMs: event.durationMs });
      }
      if (event.drill !== drill) return;
      const note = drilled[event.type] as ((event: RouterEvent) => void) | undefined;
      note?.(event);
    },
    settled: () =>
      new Promise((resolve) => {
        if (tally.running.size === 0) return resolve();
        onSettled = resolve;
      }),
  };
  return tally;
}
