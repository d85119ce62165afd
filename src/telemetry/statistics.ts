/** One attempt, as far as its statistics go. */
type Sample = {
  readonly outcome: 'ok' | 'error' | 'aborted';
  /** Absent when nothing visible arrived. */
  readonly firstTokenMs?: number | undefined;
  readonly totalMs: number;
  /** Absent when the vendor did not say. */
  readonly outputTokens?: number | undefined;
};

type MeasureName = 'firstTokenMs' | 'totalMs' | 'outputTokens';

/** What is known of a target. Percentiles are over the latest samples and absent while there are none. */
type StatisticsSnapshot = {
  /** Attempts so far, aborted ones included. */
  readonly calls: number;
  readonly failures: number;
  /** Ended by the caller: neither success nor failure. */
  readonly aborted: number;
  readonly p50FirstTokenMs?: number;
  readonly p95FirstTokenMs?: number;
  readonly p99FirstTokenMs?: number;
  readonly p50TotalMs?: number;
  readonly p95TotalMs?: number;
  readonly p99TotalMs?: number;
};

/** Running statistics of one target, in memory of a fixed size. */
export interface Statistics {
  /**
   * Counts one attempt. A first token counts whatever came after it; the total only of a success, because a
   * failure or an abort says nothing of how long an answer takes.
   */
  record(sample: Sample): void;
  snapshot(): StatisticsSnapshot;
  /** How many samples a percentile is over. */
  samples(name: MeasureName): number;
  /** The nearest-rank percentile, in milliseconds or tokens. `quantile` is from 0 to 1. */
  percentile(name: MeasureName, quantile: number): number | undefined;
}

/** Enough for a 99th percentile that is not the slowest sample, few enough to follow a target that changes. */
const defaultCapacity = 200;

/** Statistics over the latest `capacity` samples of each latency; the counts are over all. @default 200 */
export function createStatistics(
  options: { readonly capacity?: number | undefined } = {},
): Statistics {
  const { capacity = defaultCapacity } = options;
  const measures = {
    firstTokenMs: createRing(capacity),
    totalMs: createRing(capacity),
    outputTokens: createRing(capacity),
  } satisfies Record<MeasureName, Ring>;
  const counts = { ok: 0, error: 0, aborted: 0 } satisfies Record<Sample['outcome'], number>;

  return {
    record({ outcome, firstTokenMs, totalMs, outputTokens }) {
      counts[outcome] += 1;
      if (firstTokenMs !== undefined) measures.firstTokenMs.add(firstTokenMs);
      if (outcome !== 'ok') return;
      measures.totalMs.add(totalMs);
      if (outputTokens !== undefined) measures.outputTokens.add(outputTokens);
    },
    snapshot() {
      const { firstTokenMs, totalMs } = measures;
      const of = (ring: Ring, quantile: number): number => ring.percentile(quantile) ?? Number.NaN;
      return {
        calls: counts.ok + counts.error + counts.aborted,
        failures: counts.error,
        aborted: counts.aborted,
        ...(firstTokenMs.size() > 0 && {
          p50FirstTokenMs: of(firstTokenMs, 0.5),
          p95FirstTokenMs: of(firstTokenMs, 0.95),
          p99FirstTokenMs: of(firstTokenMs, 0.99),
        }),
        ...(totalMs.size() > 0 && {
          p50TotalMs: of(totalMs, 0.5),
          p95TotalMs: of(totalMs, 0.95),
          p99TotalMs: of(totalMs, 0.99),
        }),
      };
    },
    samples: (name) => measures[name].size(),
    percentile: (name, quantile) => measures[name].percentile(quantile),
  };
}

type Ring = {
  readonly add: (value: number) => void;
  readonly size: () => number;
  /** The smallest sample that at least `quantile` of all do not exceed; `undefined` without samples. */
  readonly percentile: (quantile: number) => number | undefined;
};

/** Where `value` stands, or would stand, in the first `length` of `sorted`. */
function placeOf(value: number, sorted: Float64Array, length: number): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? Number.POSITIVE_INFINITY) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The latest `capacity` values, kept in order: every call asks for a percentile, and to put one value in its
 * place is much less work than to sort them all.
 */
function createRing(capacity: number): Ring {
  const values = new Float64Array(capacity);
  const sorted = new Float64Array(capacity);
  let added = 0;
  return {
    add(value) {
      const at = added % capacity;
      let length = Math.min(added, capacity);
      if (length === capacity) {
        const oldest = placeOf(values[at] ?? Number.NaN, sorted, length);
        sorted.copyWithin(oldest, oldest + 1, length);
        length -= 1;
      }
      const place = placeOf(value, sorted, length);
      sorted.copyWithin(place + 1, place, length);
      sorted[place] = value;
      values[at] = value;
      added += 1;
    },
    size: () => Math.min(added, capacity),
    percentile(quantile) {
      const length = Math.min(added, capacity);
      const rank = Math.ceil(Math.min(Math.max(quantile, 0), 1) * length);
      return length === 0 ? undefined : sorted[Math.max(rank, 1) - 1];
    },
  };
}
