import type { Warning } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { Effort, Reasoning } from '../../protocol/request.ts';

/** What Anthropic's API accepts for one family of models. */
export type ClaudeModelSpec = {
  /** Largest `max_tokens`. The API requires the field, so this is also the default. */
  readonly maxOutputTokens: number;
  /** The effort levels, lowest first. Empty if the API rejects `output_config.effort`. */
  readonly efforts: readonly Exclude<Effort, 'none' | 'minimal'>[];
  /** How thinking is configured: the model decides, by a token budget, or not at all. */
  readonly thinking: 'adaptive' | 'adaptive-or-budget' | 'budget' | 'none';
  /** The least thinking that can be set. `adaptive` if it cannot be turned off. */
  readonly minThinking: 'disabled' | 'between_tools' | 'adaptive';
  /** Whether the API accepts `thinking.display`. */
  readonly thinkingDisplay: boolean;
  /** The accepted sampling parameters, in API versions that have them. */
  readonly sampling: 'any' | 'temperature-or-top-p' | 'none';
  /** Whether a tool call can be forced. Older models reject it only while thinking. */
  readonly forcedTools: 'always' | 'unless-thinking' | 'never';
  readonly structuredOutput: boolean;
  /** Whether a trailing assistant turn may prefill the answer. */
  readonly prefill: boolean;
  /** Whether system turns are allowed inside the conversation, after a user turn. */
  readonly systemTurns: boolean;
};

const allEfforts = ['low', 'medium', 'high', 'xhigh', 'max'] as const;

/** Claude 5, and the default for an unknown `claude-*`: what these models reject, later ones usually reject too. */
const current: ClaudeModelSpec = {
  maxOutputTokens: 128_000,
  efforts: allEfforts,
  thinking: 'adaptive',
  minThinking: 'disabled',
  thinkingDisplay: true,
  sampling: 'none',
  forcedTools: 'unless-thinking',
  structuredOutput: true,
  prefill: false,
  systemTurns: true,
};

const claude46: ClaudeModelSpec = {
  ...current,
  efforts: ['low', 'medium', 'high', 'max'],
  thinking: 'adaptive-or-budget',
  sampling: 'temperature-or-top-p',
  systemTurns: false,
};

const claude45: ClaudeModelSpec = {
  ...current,
  maxOutputTokens: 64_000,
  efforts: [],
  thinking: 'budget',
  thinkingDisplay: false,
  sampling: 'temperature-or-top-p',
  prefill: true,
  systemTurns: false,
};

const claude4: ClaudeModelSpec = { ...claude45, sampling: 'any', structuredOutput: false };

const claude3: ClaudeModelSpec = {
  ...claude4,
  maxOutputTokens: 4096,
  thinking: 'none',
  forcedTools: 'always',
};

/** For models other than Claude (a compatible server): only what every server accepts. */
const unknownModel: ClaudeModelSpec = claude3;

/**
 * Specs by the start of the model's name. The first match wins, so longer names come first.
 * Sources: the model catalogue of @ai-sdk/anthropic 4.0.105 and Anthropic's "What's new" pages, November 2026.
 */
const specByPrefix: readonly (readonly [prefix: string, spec: ClaudeModelSpec])[] = [
  ['claude-opus-5-5', { ...current, minThinking: 'adaptive', forcedTools: 'never' }],
  ['claude-sonnet-5-5', { ...current, minThinking: 'between_tools', forcedTools: 'never' }],
  ['claude-fable-5-1', { ...current, minThinking: 'adaptive', forcedTools: 'never' }],
  ['claude-fable-5-2', { ...current, minThinking: 'adaptive', forcedTools: 'never' }],
  ['claude-mythos-5-1', { ...current, minThinking: 'adaptive', forcedTools: 'never' }],
  ['claude-mythos-5-2', { ...current, minThinking: 'adaptive', forcedTools: 'never' }],
  ['claude-fable', { ...current, minThinking: 'adaptive' }],
  ['claude-mythos', { ...current, minThinking: 'adaptive' }],
  ['claude-opus-4-6', claude46],
  ['claude-sonnet-4-6', claude46],
  ['claude-opus-4-5', { ...claude45, efforts: ['low', 'medium', 'high'] }],
  ['claude-sonnet-4-5', claude45],
  ['claude-haiku-4-5', claude45],
  ['claude-opus-4-1', { ...claude45, maxOutputTokens: 32_000 }],
  ['claude-opus-4-7', { ...current, systemTurns: false }],
  ['claude-opus-4-8', current],
  ['claude-opus-4', { ...claude4, maxOutputTokens: 32_000 }],
  ['claude-sonnet-4', claude4],
  ['claude-3-7-sonnet', claude4],
  ['claude-3-5', { ...claude3, maxOutputTokens: 8192 }],
  ['claude-3', claude3],
  ['claude-2', claude3],
  ['claude-instant', claude3],
  ['claude-', current],
];

/**
 * The prefix that clouds add to the model's name: `us.anthropic.claude-…`, an AWS ARN that ends with that,
 * `anthropic/claude-…`, `publishers/anthropic/models/claude-…`.
 */
const cloudPrefix = /^(?:.*[./:])?anthropic(?:[./]|\/models\/)(?=claude)/;

/** The spec of `model`. `known` is false when it is the default for unknown models. */
export function claudeModelSpec(model: string): ClaudeModelSpec & { readonly known: boolean } {
  const name = model.replace(cloudPrefix, '');
  const row = specByPrefix.find(([prefix]) => name.startsWith(prefix));
  return { ...(row?.[1] ?? unknownModel), known: row !== undefined };
}

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
