import type { Warning } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { Effort, Reasoning } from '../../protocol/request.ts';
import type { GeminiModelSpec, ThinkingLevel } from './models.ts';

const effortRank: Readonly<Record<Effort, number>> = {
  none: 0,
  minimal: 1,
  low: 2,
  medium: 3,
  high: 4,
  xhigh: 5,
  max: 6,
};

/** The budget for an effort, in tokens: https://ai.google.dev/gemini-api/docs/openai#thinking */
const budgetByEffort: Readonly<Record<Effort, number>> = {
  none: 0,
  minimal: 512,
  low: 1024,
  medium: 8192,
  high: 24_576,
  xhigh: 28_672,
  max: 32_768,
};

function nearestLevel(wanted: Effort, levels: readonly ThinkingLevel[]): ThinkingLevel {
  const distance = (level: ThinkingLevel): number =>
    Math.abs(effortRank[level] - effortRank[wanted]);
  return levels.reduce((best, level) => (distance(level) < distance(best) ? level : best));
}

/** Converts the requested reasoning to what the model accepts: a level or a token budget. */
export function planThinking(
  reasoning: Reasoning | undefined,
  { thinking }: GeminiModelSpec,
): { readonly thinkingConfig?: JsonObject; readonly warnings: readonly Warning[] } {
  const { effort, budgetTokens, include } = reasoning ?? {};
  const warnings: Warning[] = [];
  const adjusted = (message: string): void => {
    warnings.push({ code: 'adjusted-param', param: 'reasoning', message });
  };
  const config = (budget: JsonObject): { thinkingConfig?: JsonObject; warnings: Warning[] } => {
    const thinkingConfig = { ...(include === true && { includeThoughts: true }), ...budget };
    return { ...(Object.keys(thinkingConfig).length > 0 && { thinkingConfig }), warnings };
  };

  if (thinking.by === 'none') {
    const isRequested =
      budgetTokens !== undefined || include === true || (effort ?? 'none') !== 'none';
    if (isRequested) {
      warnings.push({
        code: 'dropped-param',
        param: 'reasoning',
        message: 'reasoning was dropped: this model does not think',
      });
    }
    return { warnings };
  }
  if (thinking.by === 'level') {
    if (effort === undefined) {
      return config(budgetTokens === undefined ? {} : { thinkingBudget: budgetTokens });
    }
    const level = nearestLevel(effort, thinking.levels);
    if (level !== effort)
      adjusted(`effort "${effort}" was sent as "${level}", the nearest that this model supports`);
    if (budgetTokens !== undefined)
      adjusted('budgetTokens was dropped: this model accepts an effort or a budget, not both');
    return config({ thinkingLevel: level.toUpperCase() });
  }
  if (effort === undefined && budgetTokens === undefined) return config({});
  const wanted = budgetTokens ?? budgetByEffort[effort ?? 'medium'];
  const budget =
    wanted === 0 && thinking.canBeOff ? 0 : Math.min(Math.max(wanted, thinking.min), thinking.max);
  if (budget !== wanted) {
    adjusted(
      `the thinking budget was set to ${budget} tokens, the nearest that this model accepts`,
    );
  }
  return config({ thinkingBudget: budget });
}
