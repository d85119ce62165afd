import type { Candidate, Knowledge } from '../candidate.ts';

/**
 * The cheapest list price first, input and output counted alike. Targets whose price nobody knows come
 * last, and equals keep the order of the configuration.
 */
export function cheapest(
  candidates: readonly Candidate[],
  knowledge: Pick<Knowledge, 'listPrice'>,
): readonly Candidate[] {
  const price = (candidate: Candidate): number =>
    knowledge.listPrice(candidate) ?? Number.POSITIVE_INFINITY;
  return candidates
    .map((candidate) => ({ candidate, price: price(candidate) }))
    .sort((a, b) => (a.price === b.price ? 0 : a.price - b.price))
    .map(({ candidate }) => candidate);
}
