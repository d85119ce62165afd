import { DDSketch } from '@datadog/sketches-js';

/** Up to so many values are kept as they are: most keys of a report have few, and a sketch has at least 1 kB. */
const maxExact = 32;

/** Below 1 %, so that rounding cannot add up to more. */
const relativeAccuracy = 0.009;

/**
 * Values are counted in microseconds, and those below 2 as 0: then no bin has the index 0, which the merge of the sketch
 * takes for none.
 */
const perMs = 1_000;
const leastCounted = 2;

/** Microseconds, 11 days. Bounds the bins of a sketch: they reach from the fastest to the slowest value. */
const mostCounted = 1e12;

/**
 * Percentiles of times within 1 %, in memory that does not grow with their number. Those of two merged halves are the same
 * as those of the whole.
 */
export class Percentiles {
  #exact: number[] = [];
  #sketch: DDSketch | undefined;

  /** Milliseconds. */
  add(ms: number): void {
    const counted = Math.min(ms * perMs, mostCounted);
    this.#add(counted < leastCounted ? 0 : counted);
  }

  merge(other: Percentiles): void {
    for (const each of other.#exact) this.#add(each);
    if (other.#sketch !== undefined) this.#sketched().merge(other.#sketch);
  }

  /** Nearest-rank percentile in milliseconds; `undefined` without values. `quantile` is from 0 to 1. */
  at(quantile: number): number | undefined {
    const sketch = this.#sketch;
    const count = sketch?.count ?? this.#exact.length;
    if (count === 0) return undefined;
    const index = Math.max(Math.ceil(quantile * count), 1) - 1;
    if (sketch === undefined) {
      const value = this.#exact.toSorted((one, other) => one - other)[index] ?? 0;
      return value / perMs;
    }
    // The middle of the rank, which rounding cannot move to the next one.
    return sketch.getValueAtQuantile(Math.min((index + 0.5) / (count - 1), 1)) / perMs;
  }

  #add(counted: number): void {
    if (this.#sketch === undefined && this.#exact.length < maxExact) this.#exact.push(counted);
    else this.#sketched().accept(counted);
  }

  #sketched(): DDSketch {
    if (this.#sketch !== undefined) return this.#sketch;
    const sketch = new DDSketch({ relativeAccuracy });
    for (const each of this.#exact) sketch.accept(each);
    this.#exact = [];
    this.#sketch = sketch;
    return sketch;
  }
}
