import { SignalboxError } from '../../errors.ts';
import type { Warning } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { CacheHint } from '../../protocol/message.ts';
import type { Effort, Reasoning } from '../../protocol/request.ts';
import type { OpenAIModelSpec } from './models.ts';

const effortOrder: readonly Effort[] = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'];

/** The error for a conversation in which every message is blank. */
export function emptyConversation(): SignalboxError {
  return new SignalboxError('invalid_request', 'there is nothing to send: every message is blank');
}

export function droppedParam(param: string, message: string): Warning {
  return { code: 'dropped-param', param, message };
}

function adjustedParam(param: string, message: string): Warning {
  return { code: 'adjusted-param', param, message };
}

/** The nearest supported effort; the higher of two at the same distance, so that requested reasoning is not lost. */
function nearestEffort(wanted: Effort, known: readonly Effort[]): Effort | undefined {
  const distance = (effort: Effort): number =>
    Math.abs(effortOrder.indexOf(effort) - effortOrder.indexOf(wanted));
  return known.toReversed().toSorted((one, other) => distance(one) - distance(other))[0];
}

/** OpenAI accepts no budget, so the effort that spends about as many tokens is used. */
function effortOfBudget(budgetTokens: number): Effort {
  if (budgetTokens === 0) return 'none';
  if (budgetTokens <= 2048) return 'low';
  return budgetTokens <= 16_384 ? 'medium' : 'high';
}

/** The effort to request, with a warning for each adjustment. */
export function adaptEffort(
  reasoning: Reasoning | undefined,
  efforts: readonly Effort[] | 'any',
): { readonly effort: Effort | undefined; readonly warnings: readonly Warning[] } {
  const { effort: requested, budgetTokens } = reasoning ?? {};
  const warnings: Warning[] = [];
  if (budgetTokens !== undefined && requested !== undefined) {
    warnings.push(
      droppedParam('reasoning.budgetTokens', 'the target takes an effort instead of a budget'),
    );
  }
  const wanted =
    requested ?? (budgetTokens === undefined ? undefined : effortOfBudget(budgetTokens));
  if (wanted === undefined) return { effort: undefined, warnings };
  if (requested === undefined) {
    const message = `the target takes no budget of reasoning tokens; effort "${wanted}" was sent`;
    warnings.push(adjustedParam('reasoning.budgetTokens', message));
  }
  if (efforts === 'any') return { effort: wanted, warnings };
  const effort = nearestEffort(wanted, efforts);
  if (effort === undefined && wanted !== 'none') {
    warnings.push(droppedParam('reasoning.effort', 'the model does not reason'));
  } else if (effort !== undefined && effort !== wanted) {
    const message = `the model does not support effort "${wanted}"; "${effort}" was sent`;
    warnings.push(adjustedParam('reasoning.effort', message));
  }
  return { effort, warnings };
}

/** `temperature` and `top_p`, if the model accepts them at this effort. */
export function adaptSampling(
  temperature: number | undefined,
  topP: number | undefined,
  spec: OpenAIModelSpec,
  effort: Effort | undefined,
): {
  readonly body: { readonly temperature?: number; readonly top_p?: number };
  readonly warnings: readonly Warning[];
} {
  const reasons = (effort ?? spec.defaultEffort) !== 'none';
  const isAccepted =
    spec.sampling === 'always' || (spec.sampling === 'without-reasoning' && !reasons);
  if (isAccepted) {
    return {
      body: {
        ...(temperature !== undefined && { temperature }),
        ...(topP !== undefined && { top_p: topP }),
      },
      warnings: [],
    };
  }
  const why = 'the model does not accept it while reasoning';
  return {
    body: {},
    warnings: [
      ...(temperature === undefined ? [] : [droppedParam('temperature', why)]),
      ...(topP === undefined ? [] : [droppedParam('topP', why)]),
    ],
  };
}

/** The lifetimes that need OpenAI's 12 hours. Its default is at least 30 minutes. */
const longTtls: readonly unknown[] = ['1h', '12h'];

/** The lifetime to request, when the hint asks for more than the vendor's default of 30 minutes. */
export function cacheTtl(hint: CacheHint | undefined): '12h' | undefined {
  return typeof hint === 'object' && longTtls.includes(hint.ttl) ? '12h' : undefined;
}

/** The field that marks the end of a prefix to cache. Empty without a hint. */
export function cacheBreakpoint(hint: CacheHint | undefined): JsonObject {
  if (hint === undefined || hint === false) return {};
  const ttl = cacheTtl(hint);
  return { prompt_cache_breakpoint: { mode: 'explicit', ...(ttl !== undefined && { ttl }) } };
}
