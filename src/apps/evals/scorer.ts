import type { CallOptions } from '../../protocol/call-options.ts';
import type { Completion } from '../../protocol/completion.ts';
import type { Json } from '../../protocol/json.ts';
import type { EvalAnswer, IdentifiedCase } from './eval-case.ts';

/** Calls that a scorer makes. They have low priority, are not cached, and their cost is part of the run's. */
export interface ScoreContext {
  /** Aborts with the run, which does not wait for a scorer then. */
  readonly signal: AbortSignal;
  ask(tier: string, prompt: string, options: CallOptions): Promise<Completion>;
  embed(tier: string, values: readonly string[]): Promise<readonly (readonly number[])[]>;
}

/** From 0 to 1; `true` is 1. */
type Score = number | boolean;

/** Scores an answer: 1 is right. If it throws, the answer is not scored, and counted as a failure. */
export type ScorerFunction = (
  answer: EvalAnswer,
  testCase: IdentifiedCase,
  context: ScoreContext,
) => Score | Promise<Score>;

/** A scorer with a name and a weight. */
export type NamedScorer = {
  readonly name: string;
  /** How much it counts beside the other scorers of the suite. @default 1 */
  readonly weight?: number | undefined;
  /** What its scores depend on. If it changes, a baseline of before does not apply. */
  readonly options?: Json | undefined;
  /** `judge`: its scores count only as far as it agrees with labelled cases. */
  readonly kind?: 'judge' | undefined;
  /** Judges only: the least agreement with labelled cases at which its scores count. */
  readonly minAgreement?: number | undefined;
  /** Why it cannot score the answers of a case, such as a missing `expected`. Called when the suite is loaded. */
  readonly check?: ((testCase: IdentifiedCase) => string | undefined) | undefined;
  readonly score: ScorerFunction;
};

/** A scorer of a suite. */
export type Scorer = ScorerFunction | NamedScorer;

/** Options of every scorer that comes with signalbox. */
export type ScorerOptions = {
  /** How much it counts beside the other scorers of the suite. @default 1 */
  readonly weight?: number | undefined;
};

/** A scorer that can be used as it is, or called with options. */
export interface BuiltInScorer<Options extends ScorerOptions> {
  (answer: EvalAnswer, testCase: IdentifiedCase, context?: ScoreContext): number;
  (options: Options): NamedScorer;
}

type Definition<Options> = {
  readonly name: string;
  score(answer: EvalAnswer, testCase: IdentifiedCase, options: Options): number;
  check(testCase: IdentifiedCase, options: Options): string | undefined;
};

/** What makes a scorer of a built-in one that is used without options. */
const makers = new WeakMap<object, () => NamedScorer>();

export function builtIn<Options extends ScorerOptions>(
  definition: Definition<Partial<Options>>,
): BuiltInScorer<Options> {
  const { name } = definition;
  const make = (options: Partial<Options>): NamedScorer => {
    const { weight, ...rest } = options;
    return {
      name,
      weight,
      options: rest as Json,
      check: (testCase) => definition.check(testCase, options),
      score: (answer, testCase) => definition.score(answer, testCase, options),
    };
  };
  function scorer(first: EvalAnswer | Options, testCase?: IdentifiedCase): number | NamedScorer {
    if (testCase === undefined) return make(first as Options);
    return definition.score(first as EvalAnswer, testCase, {});
  }
  makers.set(scorer, () => make({}));
  return scorer as BuiltInScorer<Options>;
}

/** A scorer by its name, with the default of every field. A function without a name gets one by its position. */
export function namedScorer(scorer: Scorer, index: number): NamedScorer {
  if (typeof scorer !== 'function') return scorer;
  const make = makers.get(scorer);
  if (make !== undefined) return make();
  return { name: scorer.name === '' ? `scorer ${index + 1}` : scorer.name, score: scorer };
}
