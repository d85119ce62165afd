import type { Strategy } from '../../protocol/strategy.ts';

/** Each call begins with the target after the one before it. */
export const roundRobin: Strategy = {
  order(candidates, { turn }) {
    const first = turn % Math.max(candidates.length, 1);
    return [...candidates.slice(first), ...candidates.slice(0, first)];
  },
};
