import { isSignalboxError } from '../../errors.ts';
import { evalTag } from '../../internal/eval-tag.ts';
import type { CallOptions } from '../../protocol/call-options.ts';
import type { Completion } from '../../protocol/completion.ts';
import type { Router } from '../../protocol/router.ts';
import type { EvalAnswer, IdentifiedCase } from './eval-case.ts';
import type { LoadedSuite } from './loaded-suite.ts';
import type { ScoreRecord } from './run-record.ts';
import type { NamedScorer, ScoreContext } from './scorer.ts';

/** What ends a run instead of an answer, and is no failure of a scorer. */
const ending: readonly string[] = ['aborted', 'closed', 'budget_exceeded'];

export function isEnding(error: unknown): boolean {
  return isSignalboxError(error) && ending.includes(error.code);
}

/** Options of every call of a run: it waits behind other calls, is not answered from a cache, and its tag says what it is. */
export function runOptions(suite: string, signal: AbortSignal | undefined): CallOptions {
  const tags = { [evalTag]: suite };
  return { tags, priority: 'low', cacheResponse: false, singleFlight: false, signal };
}

/** Calls of scorers, with what they cost. */
export class ScorerCalls implements ScoreContext {
  readonly #router: Router;
  readonly #options: CallOptions;
  /** US dollars so far. A call of unknown price counts as 0. */
  usd = 0;

  constructor(router: Router, options: CallOptions) {
    this.#router = router;
    this.#options = options;
  }

  async ask(tier: string, prompt: string, options: CallOptions) {
    const answer = await this.#router.complete(tier, prompt, { ...options, ...this.#options });
    this.usd += answer.cost.attemptsUsd;
    return answer as Completion;
  }

  async embed(tier: string, values: readonly string[]) {
    const { singleFlight: _, ...options } = this.#options;
    const { vectors, cost } = await this.#router.embed(tier, values, options);
    this.usd += cost.attemptsUsd;
    return vectors;
  }
}

/** @throws whatever the scorer throws; RangeError for a score that is not from 0 to 1 */
export async function scoreBy(
  scorer: NamedScorer,
  answer: EvalAnswer,
  testCase: IdentifiedCase,
  context: ScoreContext,
): Promise<number> {
  const score = Number(await scorer.score(answer, testCase, context));
  if (score >= 0 && score <= 1) return score;
  throw new RangeError(`the score ${score} is not from 0 to 1`);
}

type Scores = Pick<ScoreRecord, 'score' | 'scores' | 'failed'>;

/** The weighted mean of the scorers. @throws what ends the run */
export async function scoreAnswer(
  { scorers }: LoadedSuite,
  answer: EvalAnswer,
  testCase: IdentifiedCase,
  context: ScoreContext,
): Promise<Scores> {
  const scores: Record<string, number> = {};
  let total = 0;
  let weights = 0;
  for (const scorer of scorers) {
    try {
      const score = await scoreBy(scorer, answer, testCase, context);
      scores[scorer.name] = score;
      const { weight = 1 } = scorer;
      total += score * weight;
      weights += weight;
    } catch (error) {
      if (isEnding(error)) throw error;
      const code = isSignalboxError(error) ? error.code : 'error';
      return { score: null, scores, failed: `${scorer.name}: ${code}` };
    }
  }
  return { score: total / weights, scores };
}
