import { SignalboxError } from '../../errors.ts';
import type { Warning } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { CacheHint } from '../../protocol/message.ts';
import type { Effort, Reasoning } from '../../protocol/request.ts';
import type { OpenAIModelFacts } from './models.ts';

const effortOrder: readonly Effort[] = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'];

/** What a conversation that is blank throughout is refused with. */
export function nothingToSay(): SignalboxError {
  return new SignalboxError('invalid_request', 'there is nothing to send: every message is blank');
}

export function droppedParam(param: string, message: string): Warning {
  return { code: 'dropped-param', param, message };
}

function adjustedParam(param: string, message: string): Warning {
  return { code: 'adjusted-param', param, message };
}

/** The nearest effort that the model knows; of two as near the higher, so that no wish for reasoning is lost. */
function nearestEffort(wanted: Effort, known: readonly Effort[]): Effort | undefined {
  const distance = (effort: Effort): number =>
    Math.abs(effortOrder.indexOf(effort) - effortOrder.indexOf(wanted));
  return known.toReversed().toSorted((one, other) => distance(one) - distance(other))[0];
}

/** OpenAI takes no budget: about how many tokens each effort spends, from the least. */
function effortOfBudget(budgetTokens: number): Effort {
  if (budgetTokens === 0) return 'none';
  if (budgetTokens <= 2048) return 'low';
  return budgetTokens <= 16_384 ? 'medium' : 'high';
}

/** The effort to ask for, with what had to be changed about the wish. */
export function adaptEffort(
  reasoning: Reasoning | undefined,
  efforts: readonly Effort[] | 'any',
): { readonly effort: Effort | undefined; readonly warnings: readonly Warning[] } {
  const { effort: wished, budgetTokens } = reasoning ?? {};
  const warnings: Warning[] = [];
  if (budgetTokens !== undefined && wished !== undefined) {
    warnings.push(
      droppedParam('reasoning.budgetTokens', 'the target takes an effort instead of a budget'),
    );
  }
  const wanted = wished ?? (budgetTokens === undefined ? undefined : effortOfBudget(budgetTokens));
  if (wanted === undefined) return { effort: undefined, warnings };
  if (wished === undefined) {
    const message = `the target takes no budget of reasoning tokens; effort "${wanted}" was asked for`;
    warnings.push(adjustedParam('reasoning.budgetTokens', message));
  }
  if (efforts === 'any') return { effort: wanted, warnings };
  const effort = nearestEffort(wanted, efforts);
  if (effort === undefined && wanted !== 'none') {
    warnings.push(droppedParam('reasoning.effort', 'the model does not reason'));
  } else if (effort !== undefined && effort !== wanted) {
    const message = `effort "${wanted}" is not known to the model; "${effort}" was asked for`;
    warnings.push(adjustedParam('reasoning.effort', message));
  }
  return { effort, warnings };
}

/** `temperature` and `top_p`, as far as the model takes them at this effort. */
export function adaptSampling(
  temperature: number | undefined,
  topP: number | undefined,
  facts: OpenAIModelFacts,
  effort: Effort | undefined,
): {
  readonly body: { readonly temperature?: number; readonly top_p?: number };
  readonly warnings: readonly Warning[];
} {
  const reasons = (effort ?? facts.defaultEffort) !== 'none';
  const isTaken =
    facts.sampling === 'always' || (facts.sampling === 'without-reasoning' && !reasons);
  if (isTaken) {
    return {
      body: {
        ...(temperature !== undefined && { temperature }),
        ...(topP !== undefined && { top_p: topP }),
      },
      warnings: [],
    };
  }
  const why = 'the model does not take it while it reasons';
  return {
    body: {},
    warnings: [
      ...(temperature === undefined ? [] : [droppedParam('temperature', why)]),
      ...(topP === undefined ? [] : [droppedParam('topP', why)]),
    ],
  };
}

/** OpenAI keeps a prefix for at least 30 minutes, or for 12 hours. */
const longTtls: readonly unknown[] = ['1h', '12h'];

/** The lifetime to ask for, when the hint wants more than the vendor's usual 30 minutes. */
export function cacheTtl(hint: CacheHint | undefined): '12h' | undefined {
  return typeof hint === 'object' && longTtls.includes(hint.ttl) ? '12h' : undefined;
}

/** The field that marks the end of a prefix worth keeping; empty without a hint. */
export function cacheBreakpoint(hint: CacheHint | undefined): JsonObject {
  if (hint === undefined || hint === false) return {};
  const ttl = cacheTtl(hint);
  return { prompt_cache_breakpoint: { mode: 'explicit', ...(ttl !== undefined && { ttl }) } };
}
