import { isSignalboxError, type SignalboxError } from '../../errors.ts';
import { evalTag } from '../../internal/eval-tag.ts';
import { quoted } from '../../internal/quoted.ts';
import { untilAborted } from '../../internal/until-aborted.ts';
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
export function runOptions(suite: string, signal: AbortSignal) {
  const tags = { [evalTag]: suite };
  const options = { tags, priority: 'low', cacheResponse: false, singleFlight: false } as const;
  return { ...options, signal } satisfies CallOptions;
}

/** The failure of the last attempt, or of the call if nothing was sent. */
export function codeOf({ code, errors }: SignalboxError): string {
  return code === 'all_targets_failed' ? (errors?.at(-1)?.code ?? 'unavailable') : code;
}

/** US dollars that the attempts of a failed call have cost, as far as prices are known. */
export function billedFor(error: unknown): number {
  if (!isSignalboxError(error)) return 0;
  return error.trail.reduce((sum, { cost }) => sum + (cost ?? 0), 0);
}

/** Calls of scorers, with what they cost. */
export class ScorerCalls implements ScoreContext {
  readonly #router: Router;
  readonly #options: ReturnType<typeof runOptions>;
  /** US dollars so far. A call of unknown price counts as 0. */
  usd = 0;

  constructor(router: Router, options: ReturnType<typeof runOptions>) {
    this.#router = router;
    this.#options = options;
  }

  get signal(): AbortSignal {
    return this.#options.signal;
  }

  async ask(tier: string, prompt: string, options: CallOptions) {
    const call = this.#router.complete(tier, prompt, { ...options, ...this.#options });
    return (await this.#counted(call)) as Completion;
  }

  async embed(tier: string, values: readonly string[]) {
    const { singleFlight: _, ...options } = this.#options;
    const { vectors } = await this.#counted(this.#router.embed(tier, values, options));
    return vectors;
  }

  async #counted<Answer extends { readonly cost: { readonly attemptsUsd: number } }>(
    call: Promise<Answer>,
  ): Promise<Answer> {
    try {
      const answer = await call;
      this.usd += answer.cost.attemptsUsd;
      return answer;
    } catch (error) {
      this.usd += billedFor(error);
      throw error;
    }
  }
}

/** @throws whatever the scorer throws; RangeError for a score that is not from 0 to 1; the reason of an abort */
export async function scoreBy(
  scorer: NamedScorer,
  answer: EvalAnswer,
  testCase: IdentifiedCase,
  context: ScoreContext,
): Promise<number> {
  const scoring = async () => scorer.score(answer, testCase, context);
  // It may be the user's, and never settle.
  const given: unknown = await untilAborted(scoring(), context.signal);
  if (typeof given === 'boolean') return Number(given);
  // No text and no `null`, which would be the number 0.
  if (typeof given === 'number' && given >= 0 && given <= 1) return given;
  const shown = typeof given === 'number' ? given : quoted(given);
  throw new RangeError(`the score ${shown} is not a number from 0 to 1`);
}

/** Why a scorer failed: the code of a call, or the class of another error. */
function reasonOf(error: unknown): string {
  if (isSignalboxError(error)) return codeOf(error);
  return error instanceof Error ? error.name : 'error';
}

const maxMessageLength = 500;

type Scores = Pick<ScoreRecord, 'score' | 'scores' | 'failed' | 'message'>;

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
      if (isEnding(error) || context.signal.aborted) throw error;
      const message = String(Reflect.get(Object(error), 'message') ?? error);
      const failed = `${scorer.name}: ${reasonOf(error)}`;
      return { score: null, scores, failed, message: message.slice(0, maxMessageLength) };
    }
  }
  return { score: total / weights, scores };
}
