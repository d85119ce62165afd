import type { Warning } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { CacheHint } from '../../protocol/message.ts';
import type { Capability } from '../../protocol/provider.ts';
import type { Effort, Reasoning } from '../../protocol/request.ts';
import { adjustedParam, droppedParam } from '../common/request.ts';

/** What OpenAI's API accepts for one family of models. */
export type OpenAIModelSpec = {
  /** The supported efforts, lowest first. Empty for models that do not reason, `any` for unknown models. */
  readonly efforts: readonly Effort[] | 'any';
  /** The effort when the request sets none. */
  readonly defaultEffort: Effort | undefined;
  /** When `temperature` and `top_p` are accepted. */
  readonly sampling: 'always' | 'without-reasoning' | 'never';
  /** Whether Chat Completions accepts `stop`. */
  readonly stop: boolean;
  /**
   * When Chat Completions rejects function tools together with reasoning: never, when an effort is set, or unless
   * reasoning is turned off. https://github.com/openai/openai-openapi/issues/541
   */
  readonly chatToolsClash: 'never' | 'with-effort' | 'unless-none';
  /** Whether parts of the prompt can be marked with `prompt_cache_breakpoint`. */
  readonly cacheBreakpoints: boolean;
  readonly capabilities: readonly Capability[];
  /** Most tokens of an answer, reasoning included. Absent when it is not known. */
  readonly outputLimit?: number;
};

const usual: readonly Capability[] = ['vision', 'files', 'tools', 'structured-output'];

/** A model without reasoning. */
const plain: OpenAIModelSpec = {
  efforts: [],
  defaultEffort: undefined,
  sampling: 'always',
  stop: true,
  chatToolsClash: 'never',
  cacheBreakpoints: false,
  capabilities: usual,
};

/** For a model that is not in the table: every parameter is sent. */
export const unknownModelSpec: OpenAIModelSpec = { ...plain, efforts: 'any' };

const reasoning: OpenAIModelSpec = {
  ...plain,
  efforts: ['low', 'medium', 'high'],
  defaultEffort: 'medium',
  sampling: 'never',
};

const gpt5: OpenAIModelSpec = { ...reasoning, outputLimit: 128_000 };
const oSeries: OpenAIModelSpec = { ...reasoning, outputLimit: 100_000 };
const gpt51: OpenAIModelSpec = {
  ...gpt5,
  efforts: ['none', 'low', 'medium', 'high'],
  defaultEffort: 'none',
  sampling: 'without-reasoning',
};
const gpt52: OpenAIModelSpec = { ...gpt51, efforts: ['none', 'low', 'medium', 'high', 'xhigh'] };
const gpt54: OpenAIModelSpec = { ...gpt52, chatToolsClash: 'with-effort' };
const gpt56: OpenAIModelSpec = {
  ...gpt52,
  efforts: ['none', 'low', 'medium', 'high', 'xhigh', 'max'],
  defaultEffort: 'medium',
  chatToolsClash: 'unless-none',
  cacheBreakpoints: true,
};
const gpt6: OpenAIModelSpec = { ...gpt56, chatToolsClash: 'never' };
const pro: OpenAIModelSpec = { ...gpt5, efforts: ['medium', 'high', 'xhigh'] };
const codex: OpenAIModelSpec = { ...gpt5, efforts: ['low', 'medium', 'high', 'xhigh'] };
const chatLatest: OpenAIModelSpec = { ...reasoning, efforts: ['medium'] };

/**
 * Specs by a pattern of the model's name. The first match wins.
 * Compiled in November 2026 from reports of what OpenAI's API rejects; not verified against the live API. Output limits
 * are those of https://developers.openai.com/api/docs/models.
 */
const specByName: readonly (readonly [pattern: RegExp, spec: OpenAIModelSpec])[] = [
  [/^gpt-6(?:-sol|-luna|\.1-terra)/, gpt6],
  [/^gpt-6/, { ...gpt6, sampling: 'never' }],
  [/^gpt-5-chat/, plain],
  [/^gpt-5\.\d+-chat/, chatLatest],
  [/^gpt-5-pro/, { ...pro, efforts: ['high'], defaultEffort: 'high', outputLimit: 272_000 }],
  [/^gpt-5\.\d+-pro/, pro],
  [/^gpt-5(?:\.1)?-codex(?!-max)/, { ...codex, efforts: ['low', 'medium', 'high'] }],
  [/^gpt-5.*-codex/, codex],
  [/^codex-mini/, oSeries],
  [/^gpt-5\.6/, gpt56],
  [/^gpt-5\.5/, { ...gpt54, defaultEffort: 'medium' }],
  [/^gpt-5\.4/, gpt54],
  [/^gpt-5\.[23]/, gpt52],
  [/^gpt-5\.1/, gpt51],
  [/^gpt-5/, { ...gpt5, efforts: ['minimal', 'low', 'medium', 'high'] }],
  [/^o1-(?:mini|preview)/, { ...reasoning, efforts: [], capabilities: [] }],
  [/^o3-mini/, { ...oSeries, stop: false, capabilities: ['tools', 'structured-output'] }],
  [/^o(?:3|4-mini)/, { ...oSeries, stop: false }],
  [/^o\d/, oSeries],
  [/^gpt-(?:audio|4o(?:-mini)?-audio)/, { ...plain, capabilities: ['audio', 'tools'] }],
  [/^gpt-4o(?:-mini)?-search/, { ...plain, capabilities: ['structured-output'] }],
  [/^gpt-4-(?:turbo|vision)/, { ...plain, capabilities: ['vision', 'tools'] }],
  [/^gpt-(?:4(?:-|$)|3\.5)/, { ...plain, capabilities: ['tools'] }],
  [/^gpt-4\.1/, { ...plain, outputLimit: 32_768 }],
  [/^gpt-4o(?!-2024-05-13)/, { ...plain, outputLimit: 16_384 }],
  [/^(?:gpt-4|chatgpt-4o)/, plain],
];

/** A fine-tuned model is named after its base (`ft:gpt-4o-mini:team::id`); gateways and AWS put the vendor first. */
const namePrefix = /^(?:ft:|openai[./])/;

export function openAIModelSpec(model: string): OpenAIModelSpec {
  const name = model.replace(namePrefix, '');
  return specByName.find(([pattern]) => pattern.test(name))?.[1] ?? unknownModelSpec;
}

const effortOrder: readonly Effort[] = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'];

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
