import { SignalboxError } from '../../errors.ts';
import { evalTag } from '../../internal/eval-tag.ts';
import type { RouterEvents, TrafficSignal } from '../../protocol/events.ts';
import type { Router } from '../../protocol/router.ts';
import { emitOf } from './emit.ts';
import {
  type ChangeDetector,
  type ChangeDetectorOptions,
  createChangeDetector,
} from './statistics/change-detector.ts';

export type TrafficOptions = {
  /** Only calls to these tiers. @default all */
  readonly tiers?: readonly string[] | undefined;
  /**
   * How many of the first answers of a target are what later ones are compared with. With a daily rhythm, as many as in a
   * day.
   * @default 500
   */
  readonly referenceSize?: number | undefined;
  /** The probability of a false alarm in 100,000 answers of a target to calls of a tier, all signals together. @default 0.01 */
  readonly falseAlarms?: number | undefined;
};

export interface TrafficWatch {
  /** Stops watching. */
  stop(): void;
}

type Attempt = RouterEvents['attempt-end'];

type Signal = Pick<ChangeDetectorOptions, 'watch'> & {
  /** `undefined`: the attempt says nothing about it. */
  readonly valueOf: (attempt: Attempt) => number | undefined;
};

const refusals: readonly unknown[] = ['refusal', 'content_filter'];

function finishedBy(reason: Attempt['finishReason']): Signal {
  return {
    watch: 'share',
    valueOf: ({ finishReason }) =>
      finishReason === undefined ? undefined : Number(finishReason === reason),
  };
}

const signals = {
  refusals: {
    watch: 'share',
    valueOf: ({ error, finishReason }) =>
      Number(refusals.includes(error?.code) || refusals.includes(finishReason)),
  },
  'invalid-outputs': {
    watch: 'share',
    valueOf: ({ error }) => Number(error?.code === 'invalid_output'),
  },
  'finish-stop': finishedBy('stop'),
  'finish-length': finishedBy('length'),
  'finish-tool-calls': finishedBy('tool_calls'),
  'longer-answers': { watch: 'higher', valueOf: ({ usage }) => usage?.outputTokens },
  'shorter-answers': { watch: 'lower', valueOf: ({ usage }) => usage?.outputTokens },
  latency: {
    watch: 'higher',
    valueOf: ({ outcome, durationMs }) => (outcome === 'ok' ? durationMs : undefined),
  },
  cost: { watch: 'higher', valueOf: ({ usd }) => usd ?? undefined },
} as const satisfies Record<TrafficSignal, Signal>;

const names = Object.keys(signals) as readonly TrafficSignal[];

/** Pairs of a tier and a target: about 40 kB each while their reference is taken. */
const maxPairs = 500;

/** Whether the model answered, with whatever quality. Other failures say nothing about its answers. */
function isAnswer({ outcome, error }: Attempt): boolean {
  return outcome === 'ok' || error?.code === 'invalid_output' || refusals.includes(error?.code);
}

function isPositive(value: unknown): boolean {
  return typeof value === 'number' && value > 0;
}

/**
 * Watches the answers of live traffic, without labels: refusals, invalid outputs, finish reasons, lengths, latencies and
 * costs, for each target and tier. Emits `drift-detected` with `source: 'traffic'` when they have changed from what the first
 * answers were; what comes after a change is the new reference. It changes no routing: other answers need not be worse.
 *
 * Left out are calls of fire drills and of evals, answers of a cache, and failures without an answer. Keeps what it knows in
 * memory, for 500 pairs of a tier and a target at most.
 * @throws SignalboxError `config` for invalid options
 */
export function watchTraffic<
  const Tier extends string,
  const Provider extends string,
  const Strategy extends string = never,
>(typedRouter: Router<Tier, Provider, Strategy>, options: TrafficOptions = {}): TrafficWatch {
  const router = typedRouter as unknown as Router;
  const { tiers, referenceSize = 500, falseAlarms = 0.01 } = options;
  if (!Number.isInteger(referenceSize) || referenceSize < 20) {
    throw new SignalboxError('config', 'watchTraffic().referenceSize must be an integer from 20');
  }
  if (!isPositive(falseAlarms) || falseAlarms >= 1) {
    throw new SignalboxError('config', 'watchTraffic().falseAlarms must be between 0 and 1');
  }
  const emit = emitOf(router);
  const pairs = new Map<string, ReadonlyMap<TrafficSignal, ChangeDetector>>();

  function detectorsOf(key: string): ReadonlyMap<TrafficSignal, ChangeDetector> | undefined {
    const known = pairs.get(key);
    if (known !== undefined || pairs.size >= maxPairs) return known;
    const made = new Map(
      names.map((name) => {
        const { watch } = signals[name];
        const share = falseAlarms / names.length;
        return [name, createChangeDetector({ watch, referenceSize, falseAlarms: share })];
      }),
    );
    pairs.set(key, made);
    return made;
  }

  function add(attempt: Attempt): void {
    const { tier, target, tags, drill } = attempt;
    if (drill !== undefined || Object.hasOwn(tags, evalTag) || !isAnswer(attempt)) return;
    if (tiers !== undefined && !tiers.includes(tier)) return;
    for (const [signal, detector] of detectorsOf(JSON.stringify([tier, target])) ?? []) {
      const value = signals[signal].valueOf(attempt);
      if (value === undefined || !detector.add(value)) continue;
      const { referenceShare, share, interval, threshold, seen } = detector.report();
      detector.reset();
      emit({
        ...{ type: 'drift-detected', callId: null, tier, tags: {} },
        ...{ source: 'traffic', target, signal, before: referenceShare, after: share, interval },
        ...(threshold !== undefined && { threshold }),
        answers: seen,
      });
    }
  }

  return { stop: router.on('attempt-end', add) };
}
