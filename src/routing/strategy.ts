import { isSignalboxError, SignalboxError } from '../errors.ts';
import type { BuiltInStrategy } from '../protocol/config.ts';
import type { Strategy, StrategyCandidate, StrategyContext } from '../protocol/strategy.ts';
import { type BalancedSettings, balanced } from './strategies/balanced.ts';
import { cheapest } from './strategies/cheapest.ts';
import { type FastestSettings, fastest } from './strategies/fastest.ts';
import { leastBusy } from './strategies/least-busy.ts';
import { roundRobin } from './strategies/round-robin.ts';
import { weighted } from './strategies/weighted.ts';

/** The order of the configuration. */
const priority: Strategy = { order: (candidates) => candidates };

/** The settings of a built-in strategy, with its name. */
export type StrategySettings = { readonly type: BuiltInStrategy } & FastestSettings &
  BalancedSettings;

/** Strategies that a tier can use without defining them, by name, made of their settings. */
export const builtInStrategies = {
  priority: () => priority,
  weighted: () => weighted,
  'round-robin': () => roundRobin,
  'least-busy': () => leastBusy,
  cheapest: () => cheapest,
  fastest,
  balanced,
} as const satisfies Record<BuiltInStrategy, (settings: StrategySettings) => Strategy>;

/** Whether the order of the strategy goes by the weights of the targets. */
export function goesByWeight({ strategy }: NamedStrategy): boolean {
  return strategy === weighted;
}

/** A strategy and its name in the configuration. */
export type NamedStrategy = {
  readonly name: string;
  readonly strategy: Strategy;
  /** Those of a built-in one, if any are set. */
  readonly settings?: Omit<StrategySettings, 'type'>;
};

function invalid(name: string, what: string, cause?: unknown): SignalboxError {
  const message = `strategy "${name}" ${what}`;
  return new SignalboxError('config', message, cause === undefined ? {} : { cause });
}

/**
 * The candidates in the order of a strategy. Omitted candidates come last; anything else that the strategy returns is
 * dropped.
 * @throws SignalboxError `config` if the strategy throws or does not return a list
 */
export function orderBy<Candidate extends StrategyCandidate>(
  { name, strategy }: NamedStrategy,
  candidates: readonly Candidate[],
  contextOf: () => StrategyContext,
): readonly Candidate[] {
  // The usual one needs no context, and its order no check.
  if (strategy === priority) return candidates;
  let ordered: unknown;
  try {
    // A copy, because a custom strategy may sort it in place.
    ordered = strategy.order([...candidates], contextOf());
  } catch (cause) {
    if (isSignalboxError(cause)) throw cause;
    throw invalid(name, 'threw; see cause', cause);
  }
  if (!Array.isArray(ordered)) throw invalid(name, 'must return a list of candidates');
  const left = new Set(candidates);
  const first = ordered.filter((each) => left.delete(each));
  return left.size === 0 ? first : [...first, ...left];
}
