import { isSignalboxError } from '../../errors.ts';
import type { CallOptions } from '../../protocol/call-options.ts';
import type { Completion } from '../../protocol/completion.ts';
import type { Json } from '../../protocol/json.ts';
import type { Router } from '../../protocol/router.ts';
import type { Runtime } from '../../protocol/runtime.ts';
import { type AskedCase, type LoadedSuite, messagesOf } from './loaded-suite.ts';
import type { AnswerRecord, FailureRecord } from './run-record.ts';
import { billedFor, codeOf, isEnding, runOptions } from './score-answer.ts';

/** The model answered, and its answer cannot be used: that is how good it is at this case. */
const badAnswers: readonly string[] = [
  'refusal',
  'content_filter',
  'invalid_output',
  'context_length',
];

/** How often a call waits until its target is available again, and how long at most each time, in milliseconds. */
const maxWaits = 3;
const maxWaitMs = 60_000;

type Question = {
  readonly suite: LoadedSuite;
  readonly target: string;
  readonly testCase: AskedCase;
  readonly sample: number;
  readonly signal: AbortSignal;
};

function answerOf(
  completion: Completion,
): Omit<AnswerRecord, 'type' | 'target' | 'case' | 'sample'> {
  const { model, text, object, toolCalls, finishReason, trail, usage, cost, latency } = completion;
  return {
    model: model.served,
    text,
    ...(object !== undefined && { object: object as Json }),
    ...(toolCalls.length > 0 && {
      toolCalls: toolCalls.map(({ name, input }) => ({ name, input })),
    }),
    finishReason,
    ms: Math.round(trail.at(-1)?.durationMs ?? latency.totalMs),
    inputTokens: usage.inputTokens,
    outputTokens: usage.outputTokens,
    usd: cost.usd === null ? null : cost.attemptsUsd,
  };
}

/** The schemas of the tools are data here, so the inputs of their calls are. */
async function completed(
  router: Router,
  tier: string,
  testCase: AskedCase,
  options: CallOptions,
): Promise<Completion> {
  return (await router.complete(tier, messagesOf(testCase), options)) as Completion;
}

/**
 * Asks one target one case. A target that is only not available for now is waited for.
 * @throws what ends the run: `aborted`, `closed`, `budget_exceeded`, or `config` for a call that is invalid
 */
export async function askTarget(
  router: Router,
  runtime: Runtime,
  { suite, target, testCase, sample, signal }: Question,
): Promise<AnswerRecord | FailureRecord> {
  const of = { target, case: testCase.id, sample };
  const own = runOptions(suite.name, signal);
  const options = {
    ...suite.options,
    ...own,
    ...(testCase.tools !== undefined && { tools: testCase.tools }),
    tags: { ...testCase.tags, ...own.tags },
    route: { only: [target] },
  };
  let usd = 0;
  for (let waits = 0; ; waits += 1) {
    try {
      const answer = answerOf(await completed(router, suite.tier, testCase, options));
      return {
        type: 'answer',
        ...of,
        ...answer,
        usd: answer.usd === null ? null : answer.usd + usd,
      };
    } catch (error) {
      if (!isSignalboxError(error) || isEnding(error)) throw error;
      if (error.code === 'config') {
        throw error.with({ message: `suite "${suite.name}", case ${of.case}: ${error.message}` });
      }
      usd += billedFor(error);
      const code = codeOf(error);
      const { retryAfterMs } = error;
      const isWorthWaiting = retryAfterMs !== undefined && retryAfterMs <= maxWaitMs;
      if (isWorthWaiting && waits < maxWaits && !badAnswers.includes(code)) {
        await runtime.sleep(retryAfterMs, signal);
        continue;
      }
      return { type: 'failure', ...of, code, usd, ...(badAnswers.includes(code) && { score: 0 }) };
    }
  }
}
