import { createLearnedConcurrency } from './learned-concurrency.ts';
import type { LearnedGate } from './learned-limit.ts';
import { createLearnedRate } from './learned-rate.ts';

/** The limits learned from the 429s of one target with one key. */
export function createLearnedGates(): {
  readonly rate: LearnedGate;
  readonly concurrency: LearnedGate;
} {
  const concurrency = createLearnedConcurrency();
  return { rate: createLearnedRate(concurrency), concurrency };
}
