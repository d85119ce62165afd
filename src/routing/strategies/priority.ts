import type { Strategy } from '../../protocol/strategy.ts';

/** The order of the configuration. */
export const priority: Strategy = { order: (candidates) => candidates };
