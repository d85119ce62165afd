import { payoff, shareSequence, stakes } from './betting.ts';
import { type Interval, sumOf } from './intervals.ts';
import { betaQuantile } from './special-functions.ts';

export type ChangeDetectorOptions = {
  /**
   * `share`: values are 0 or 1, such as whether an answer was refused, and a rise is a change. `higher`, `lower`: values
   * are numbers, such as milliseconds or US dollars, and a shift to that side is a change.
   */
  readonly watch: 'share' | 'higher' | 'lower';
  /**
   * How many of the first values are the reference.
   *
   * @default 500
   */
  readonly referenceSize?: number;
  /**
   * The smallest rise of a share that counts: 0.02 is two points. With `higher` and `lower`, that of the share of
   * values above or below three quarters of the reference.
   *
   * @default 0.02 for `share`, otherwise 0.05
   */
  readonly minEffect?: number;
  /**
   * How many neighbouring values are counted as one, by their mean. Values of the same minute are alike; use so many
   * that the batches are not.
   *
   * @default 5
   */
  readonly batchSize?: number;
  /**
   * The probability of at least one false alarm in `horizon` values.
   *
   * @default 0.01
   */
  readonly falseAlarms?: number;
  /** @default 100_000 */
  readonly horizon?: number;
};

type ChangeReport = {
  readonly phase: 'reference' | 'watching' | 'changed';
  /** The share of values that count: the 1s, or those on the watched side of three quarters of the reference. */
  readonly referenceShare: number;
  /** That share since the reference, up to the change. */
  readonly share: number;
  /** Of `share`, with 95 % confidence, however often it is looked at. */
  readonly interval: Interval;
  /** For numbers: the value that three quarters of the reference do not pass. */
  readonly threshold?: number;
  /** How far the evidence of a change is: at 1 there is one. */
  readonly evidence: number;
};

export type ChangeDetector = {
  /** Adds a value, in constant time. Returns true for the value that completes the evidence of a change. */
  readonly add: (value: number) => boolean;
  readonly report: () => ChangeReport;
  /** Takes the next values as the new reference. */
  readonly reset: () => void;
};

/** Of the false alarms, the part that an unlucky reference may cause. */
const referencePart = 0.5;

/** What counts as passed, of numbers: a quarter of the reference does. */
const passedShare = 0.25;

/**
 * Finds out that a stream of values changed, without labels: the first values are the reference, later ones are
 * compared with it. Numbers are compared by the share of them that passes three quarters of the reference, so nothing
 * is assumed about their distribution, and one huge value counts no more than one large one.
 *
 * The detector is the Shiryaev-Roberts procedure on bets against "the share is not higher" (the e-detector of Shin,
 * Ramdas and Rinaldo 2023): a new bet is opened with every batch, and all of them together are the evidence. Without a
 * change they grow by 1 with each batch on average, so by Doob's inequality they reach `c` within n batches with a
 * probability of at most n / c. The share of the reference is not known exactly, so its upper confidence bound is used:
 * that of Clopper and Pearson (1934) for 0 and 1, and the beta distribution of an order statistic for numbers. Both
 * parts together are `falseAlarms`, a proven bound.
 *
 * It is proven if each batch has, given those before it, a mean that is not above the bound. Values that depend on
 * their neighbours within a batch do no harm. A daily rhythm does: the reference has to last as long as the rhythm.
 * Memory holds the reference while it is taken, and afterwards some thirty numbers.
 */
export function createChangeDetector(options: ChangeDetectorOptions): ChangeDetector {
  const { watch, referenceSize = 500, batchSize = 5, falseAlarms = 0.01 } = options;
  const { horizon = 100_000, minEffect = watch === 'share' ? 0.02 : 0.05 } = options;
  const isShare = watch === 'share';
  const needed = horizon / batchSize / (falseAlarms * (1 - referencePart));
  let state = newState();

  return {
    reset: () => {
      state = newState();
    },
    add: (value) => {
      const signed = watch === 'lower' ? -value : value;
      if (state.reference.length < referenceSize && state.level === undefined) {
        state.reference.push(signed);
        if (state.reference.length === referenceSize) closeReference();
        return false;
      }
      return watchValue(isShare ? value : Number(signed > state.threshold));
    },
    report: () => {
      const { level, passed, seen, threshold } = state;
      const phase = level === undefined ? 'reference' : state.changed ? 'changed' : 'watching';
      return {
        ...{ phase, referenceShare: state.referenceShare },
        ...{
          share: seen === 0 ? 0 : passed / seen,
          interval: shareSequence(passed, seen - passed),
        },
        ...(isShare || level === undefined
          ? {}
          : { threshold: watch === 'lower' ? -threshold : threshold }),
        evidence: sumOf(state.bets) / stakes.length / needed,
      };
    },
  };

  function newState() {
    return {
      reference: [] as number[],
      /** The share that counts as no change, once the reference is complete. */
      level: undefined as number | undefined,
      referenceShare: 0,
      threshold: 0,
      /** The capital of all bets opened so far, for each stake. */
      bets: stakes.map(() => 0) as readonly number[],
      batch: { count: 0, passed: 0 },
      seen: 0,
      passed: 0,
      changed: false,
    };
  }

  function closeReference(): void {
    const sorted = state.reference.sort((a, b) => a - b);
    const confidence = 1 - falseAlarms * referencePart;
    // The share above the value of rank r among n has the distribution Beta(n + 1 - r, r).
    const rank = Math.ceil(referenceSize * (1 - passedShare));
    state.threshold = sorted[rank - 1] ?? 0;
    const above = isShare ? sumOf(sorted) : referenceSize - rank;
    const below = isShare ? referenceSize - above : rank;
    const bound = below === 0 ? 1 : betaQuantile(confidence, above + 1, below);
    state.referenceShare =
      (isShare ? above : sorted.filter((value) => value > state.threshold).length) / referenceSize;
    state.level = Math.min(bound + minEffect, 1);
    state.reference = [];
  }

  function watchValue(value: number): boolean {
    const { batch, level = 1 } = state;
    if (state.changed) return false;
    state.seen += 1;
    state.passed += value;
    batch.count += 1;
    batch.passed += value;
    if (batch.count < batchSize) return false;
    const mean = batch.passed / batchSize;
    state.batch = { count: 0, passed: 0 };
    state.bets = state.bets.map(
      (capital, index) => (capital + 1) * payoff(mean, level, stakes[index] ?? 0),
    );
    state.changed = sumOf(state.bets) / stakes.length >= needed;
    return state.changed;
  }
}
