import { createAdaptiveConcurrency } from './adaptive-concurrency.ts';
import { createAdaptiveRate } from './adaptive-rate.ts';
import type { AdaptiveGate } from './learned-limit.ts';

/** What is learned of one target, with one key, from what it refuses. */
export function createAdaptiveGates(): {
  readonly rate: AdaptiveGate;
  readonly concurrency: AdaptiveGate;
} {
  const concurrency = createAdaptiveConcurrency();
  return { rate: createAdaptiveRate(concurrency), concurrency };
}
