import type { CheckedDrill } from '../../config/drill-options.ts';
import type { LostCall } from '../../protocol/drill.ts';
import type { ErrorCode } from '../../protocol/error-code.ts';
import type { EventName, RouterEvent, RouterEvents } from '../../protocol/events.ts';
import { createStatistics, type Statistics } from '../../telemetry/statistics.ts';

/** Calls that a latency is over, and lost calls that are told one by one. */
const kept = { latencies: 1_000, lost: 100 };

type TargetCounts = { faults: number; attempts: number; failures: number; answered: number };

/** What is counted while a drill runs. */
export type Tally = {
  readonly calls: { drilled: number; hit: number; answered: number; lost: number; aborted: number };
  readonly lost: LostCall[];
  readonly latency: { readonly drilled: Statistics; readonly others: Statistics };
  /** How the calls under way have fared so far. */
  readonly running: Map<string, { hit: boolean; readonly failures: ErrorCode[] }>;
  targetCounts(target: string): TargetCounts;
  /** How often a drilled call went from one target to another. */
  ran(from: string, to: string): number;
  struck(target: string): void;
  /** To be told every event of the router. */
  note(event: RouterEvent): void;
  /** Resolves as soon as no drilled call is under way. */
  settled(): Promise<void>;
};

type Drilled = {
  readonly [Name in EventName]?: (event: RouterEvents[Name] & { readonly callId: string }) => void;
};

/** Counts what the events of a drill tell: it knows no more of its calls than any listener. */
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

  const drilled: Drilled = {
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
