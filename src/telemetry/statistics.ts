import type { Tags } from '../protocol/completion.ts';

/** The result of one attempt. */
type Sample = {
  readonly outcome: 'ok' | 'error' | 'aborted';
  /** Absent if nothing visible arrived. */
  readonly firstTokenMs?: number | undefined;
  readonly totalMs: number;
  /** Absent if the vendor reported none. */
  readonly outputTokens?: number | undefined;
};

type MeasureName = 'firstTokenMs' | 'totalMs' | 'outputTokens';

/** The statistics of a target. Percentiles are over the latest samples, and absent without samples. */
type StatisticsSnapshot = {
  /** Attempts so far, aborted ones included. */
  readonly calls: number;
  readonly failures: number;
  /** Aborted by the caller: neither successes nor failures. */
  readonly aborted: number;
  readonly p50FirstTokenMs?: number;
  readonly p95FirstTokenMs?: number;
  readonly p99FirstTokenMs?: number;
  readonly p50TotalMs?: number;
  readonly p95TotalMs?: number;
  readonly p99TotalMs?: number;
};

/** Running statistics of one target, in constant memory. */
export interface Statistics {
  /**
   * Counts one attempt. The first token always counts. The total time counts only for a success, because a failure or
   * an abort shows nothing about how long an answer takes.
   */
  record(sample: Sample): void;
  snapshot(): StatisticsSnapshot;
  /** Number of samples of a percentile. */
  samples(name: MeasureName): number;
  /** Nearest-rank percentile, in milliseconds or tokens. `quantile` is from 0 to 1. */
  percentile(name: MeasureName, quantile: number): number | undefined;
}

/** Enough that the 99th percentile is not the slowest sample, few enough to follow a target that changes. */
const defaultCapacity = 200;

/** Percentiles are over the latest `capacity` samples of each measure, counts are over all attempts. @default 200 */
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
  /** The smallest sample that at least a share of `quantile` does not exceed; `undefined` without samples. */
  readonly percentile: (quantile: number) => number | undefined;
};

/** Index of `value`, or where to insert it, in the first `length` values of `sorted`. */
function indexIn(value: number, sorted: Float64Array, length: number): number {
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
 * The latest `capacity` values, kept sorted: every call reads a percentile, and inserting one value is much cheaper
 * than sorting all of them.
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
        const oldest = indexIn(values[at] ?? Number.NaN, sorted, length);
        sorted.copyWithin(oldest, oldest + 1, length);
        length -= 1;
      }
      const index = indexIn(value, sorted, length);
      sorted.copyWithin(index + 1, index, length);
      sorted[index] = value;
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

/** Most names that are counted; later ones are not. */
const maxNames = 64;

/** How often each of a limited number of names was seen. */
export class NameCounts {
  readonly #counts = new Map<string, number>();

  /** Whether the name has not been seen, and can be counted. */
  isNew(name: string): boolean {
    return !this.#counts.has(name) && this.#counts.size < maxNames;
  }

  add(name: string): void {
    const before = this.#counts.get(name) ?? 0;
    if (before > 0 || this.#counts.size < maxNames) this.#counts.set(name, before + 1);
  }

  get size(): number {
    return this.#counts.size;
  }

  counts(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }
}

/** A sample counts at least this much, so that ten answers are an average at any rate of traffic. */
const leastWeight = 0.1;

/** After a pause of this many milliseconds, the latest sample counts more than all before it, if it is slower. */
const memoryMs = 30_000;

/** The same for a faster sample: it shows that the target has recovered, and costs little if it has not. */
const recoveryMs = 3_000;

/** How long a slower sample shows, in milliseconds: it fades to a third in this time. */
const peakMs = 10_000;

/**
 * A moving average of times that rises to a slower sample at once and forgets it within seconds. After a pause the latest
 * sample counts most: what a target did before is forgotten.
 */
class RecentTime {
  #mean: number | undefined;
  #peak = 0;
  #at = 0;

  add(ms: number, now: number): void {
    const peak = this.value(now) ?? 0;
    const mean = this.#mean ?? ms;
    const pauseMs = ms < mean ? recoveryMs : memoryMs;
    const weight = Math.max(leastWeight, 1 - Math.exp((this.#at - now) / pauseMs));
    this.#mean = mean + weight * (ms - mean);
    this.#peak = Math.max(ms, peak);
    this.#at = now;
  }

  value(now: number): number | undefined {
    if (this.#mean === undefined) return undefined;
    const above = Math.max(0, this.#peak - this.#mean);
    return this.#mean + above * Math.exp((this.#at - now) / peakMs);
  }
}

/** How much the latest attempt counts for the recent failure rate. */
const latestOutcome = 0.1;

/** How long failures show, in milliseconds: they fade to a third in this time. */
const failureMs = 60_000;

/** How a target did lately. The past is forgotten: by later attempts, and by time. */
export class Recent {
  readonly firstToken = new RecentTime();
  /** Milliseconds for each token after the first. */
  readonly perToken = new RecentTime();
  #failureRate = 0;
  #at: number | undefined;

  record({ outcome, firstTokenMs, totalMs, outputTokens = 0 }: Sample, now: number): void {
    if (firstTokenMs !== undefined) this.firstToken.add(firstTokenMs, now);
    if (outcome === 'ok' && outputTokens > 0) {
      this.perToken.add((totalMs - (firstTokenMs ?? 0)) / outputTokens, now);
    }
    const rate = this.failureRate(now) ?? 0;
    this.#failureRate = rate + latestOutcome * ((outcome === 'error' ? 1 : 0) - rate);
    this.#at = now;
  }

  /** How long an answer of so many tokens takes, in milliseconds; `undefined` before the first answer. */
  totalMs(outputTokens: number, now: number): number | undefined {
    const perToken = this.perToken.value(now);
    if (perToken === undefined) return undefined;
    return (this.firstToken.value(now) ?? 0) + perToken * outputTokens;
  }

  /** The share of failures; `undefined` before the first attempt. */
  failureRate(now: number): number | undefined {
    if (this.#at === undefined) return undefined;
    return this.#failureRate * Math.exp((this.#at - now) / failureMs);
  }

  /** Milliseconds since the last attempt. */
  idleMs(now: number): number | undefined {
    return this.#at === undefined ? undefined : now - this.#at;
  }
}

/** What feedback on an answer needs to know. Nothing of what was asked or answered. */
export type AnsweredCall = {
  readonly callId: string;
  readonly tier: string;
  readonly target: string;
  readonly servedModel: string;
  readonly tags: Tags;
  readonly drill: string | undefined;
  /** Epoch milliseconds. */
  readonly at: number;
};

/** A longer name of a model is not kept: an answer must not fill the memory with it. */
const maxModelLength = 200;

/**
 * The latest calls that were answered. Each takes about 260 bytes, and its tags. A list and no table of ids: every call is
 * added, and few are looked up.
 */
export class AnsweredCalls {
  readonly #maxCalls: number;
  readonly #keepMs: number;
  readonly #calls: (AnsweredCall | undefined)[] = [];
  /** Index of the oldest. */
  #first = 0;
  #size = 0;

  constructor(maxCalls: number, keepMs: number) {
    this.#maxCalls = maxCalls;
    this.#keepMs = keepMs;
  }

  add(call: AnsweredCall, requestedModel: string): void {
    const isLong = call.servedModel.length > maxModelLength;
    this.#forgetOld(call.at);
    if (this.#size === this.#maxCalls) this.#forgetFirst();
    const index = (this.#first + this.#size) % this.#maxCalls;
    this.#calls[index] = isLong ? { ...call, servedModel: requestedModel } : call;
    this.#size += 1;
  }

  /** From the latest on, because most feedback is on one of the latest calls. */
  find(callId: string, now: number): AnsweredCall | undefined {
    this.#forgetOld(now);
    for (let offset = this.#size - 1; offset >= 0; offset -= 1) {
      const call = this.#calls[(this.#first + offset) % this.#maxCalls];
      if (call?.callId === callId) return call;
    }
    return undefined;
  }

  clear(): void {
    this.#calls.length = 0;
    this.#first = 0;
    this.#size = 0;
  }

  #forgetOld(now: number): void {
    while (this.#size > 0) {
      const first = this.#calls[this.#first];
      if (first !== undefined && first.at > now - this.#keepMs) return;
      this.#forgetFirst();
    }
  }

  #forgetFirst(): void {
    this.#calls[this.#first] = undefined;
    this.#first = (this.#first + 1) % this.#maxCalls;
    this.#size -= 1;
  }
}
