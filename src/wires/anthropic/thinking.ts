import type { Warning } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { Effort, Reasoning } from '../../protocol/request.ts';
import type { ClaudeModelSpec } from './models.ts';

export type ThinkingPlan = {
  readonly thinking?: JsonObject;
  readonly effort?: string;
  /** Whether thinking is requested, which rules out other parameters. */
  readonly on: boolean;
  readonly warnings: readonly Warning[];
};

const effortRank: Readonly<Record<Effort, number>> = {
  none: 0,
  minimal: 1,
  low: 2,
  medium: 3,
  high: 4,
  xhigh: 5,
  max: 6,
};

/** The budget for an effort, for models that accept only budgets. */
const budgetByEffort: Readonly<Record<Effort, number>> = {
  none: 0,
  minimal: 1024,
  low: 2048,
  medium: 8192,
  high: 16_384,
  xhigh: 24_576,
  max: 32_000,
};

/** The API's minimum. A budget must also be below `max_tokens`, to leave room for the answer. */
const minBudget = 1024;

function nearestEffort(wanted: Effort, levels: ClaudeModelSpec['efforts']): string | undefined {
  const distance = (level: Effort): number => Math.abs(effortRank[level] - effortRank[wanted]);
  return levels.reduce<Effort | undefined>(
    (best, level) => (best === undefined || distance(level) < distance(best) ? level : best),
    undefined,
  );
}

function adjusted(message: string): Warning {
  return { code: 'adjusted-param', param: 'reasoning', message };
}

function withoutThinking(spec: ClaudeModelSpec): ThinkingPlan {
  if (spec.thinking === 'none' || spec.thinking === 'budget') return { on: false, warnings: [] };
  if (spec.minThinking !== 'adaptive') {
    const least = spec.minThinking;
    const warnings =
      least === 'disabled'
        ? []
        : [adjusted('this model cannot turn thinking off between tool calls')];
    return { thinking: { type: least }, on: false, warnings };
  }
  return {
    effort: spec.efforts[0] ?? 'low',
    on: false,
    warnings: [adjusted('this model cannot turn thinking off; the lowest effort was sent')],
  };
}

function withBudget(
  { budgetTokens, effort }: Reasoning,
  spec: ClaudeModelSpec,
  maxTokens: number,
  display: JsonObject,
): Pick<ThinkingPlan, 'thinking' | 'on' | 'warnings'> {
  // The default budget leaves half of the tokens for the answer.
  const chosen = Math.min(budgetByEffort[effort ?? 'medium'], Math.floor(maxTokens / 2));
  const budget = Math.max(minBudget, Math.min(budgetTokens ?? chosen, maxTokens - 1));
  if (budget >= maxTokens) {
    const message = `thinking was not turned on: it needs maxOutputTokens above ${minBudget}`;
    return { on: false, warnings: [{ code: 'dropped-param', param: 'reasoning', message }] };
  }
  const warnings =
    budgetTokens === undefined || budget === budgetTokens
      ? []
      : [adjusted(`the thinking budget was set to ${budget} tokens, to fit maxOutputTokens`)];
  const type = { type: 'enabled', budget_tokens: budget };
  return { thinking: { ...type, ...(spec.thinkingDisplay && display) }, on: true, warnings };
}

/**
 * Converts the requested reasoning to what the model accepts: an effort, a budget or `adaptive`.
 * `resumed`: the assistant's open turn has no thinking block, for example because another provider wrote it. The API
 * then rejects a budget.
 */
export function planThinking(
  reasoning: Reasoning | undefined,
  spec: ClaudeModelSpec,
  maxTokens: number,
  resumed: boolean,
): ThinkingPlan {
  const { effort, budgetTokens, include } = reasoning ?? {};
  if (effort === undefined && budgetTokens === undefined && include !== true) {
    return { on: false, warnings: [] };
  }
  if (effort === 'none') return withoutThinking(spec);
  if (spec.thinking === 'none') {
    const param = { code: 'dropped-param', param: 'reasoning' } as const;
    return { on: false, warnings: [{ ...param, message: 'this model does not think' }] };
  }
  const warnings: Warning[] = [];
  const level = effort === undefined ? undefined : nearestEffort(effort, spec.efforts);
  if (level !== undefined && level !== effort) {
    warnings.push(
      adjusted(`effort "${effort}" was sent as "${level}", the nearest that this model supports`),
    );
  }
  const sentEffort = level === undefined ? {} : { effort: level };
  const display = { display: include === true ? 'summarized' : 'omitted' };

  const takesBudget = spec.thinking !== 'adaptive';
  if (budgetTokens !== undefined && !takesBudget) {
    warnings.push(adjusted('this model accepts no thinking budget; it decides how long to think'));
  }
  const mustBudget = spec.thinking === 'budget';
  if (!takesBudget || (budgetTokens === undefined && !mustBudget)) {
    return { thinking: { type: 'adaptive', ...display }, ...sentEffort, on: true, warnings };
  }
  if (resumed) {
    warnings.push({
      code: 'dropped-param',
      param: 'reasoning',
      message:
        'thinking was not turned on: the turn being continued has no thinking block of this provider',
    });
    return { ...sentEffort, on: false, warnings };
  }
  if (budgetTokens === undefined && effort === undefined) return { on: false, warnings };
  const plan = withBudget({ ...reasoning }, spec, maxTokens, display);
  return { ...plan, ...sentEffort, warnings: [...warnings, ...plan.warnings] };
}
