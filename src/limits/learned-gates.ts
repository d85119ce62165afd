import { createAdaptiveConcurrency } from './learned-concurrency.ts';
import type { AdaptiveGate } from './learned-limit.ts';
import { createAdaptiveRate } from './learned-rate.ts';

/** What is learned of one target, with one key, from what it refuses. */
export function createAdaptiveGates(): {
  readonly rate: AdaptiveGate;
  readonly concurrency: AdaptiveGate;
} {
  const concurrency = createAdaptiveConcurrency();
  return { rate: createAdaptiveRate(concurrency), concurrency };
}
