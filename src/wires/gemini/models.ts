import type { Warning } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { Effort, Reasoning } from '../../protocol/request.ts';

/** How thinking is configured. */
type Thinking =
  | { readonly by: 'level'; readonly levels: readonly ThinkingLevel[] }
  /** In tokens. `canBeOff`: whether the API accepts a budget of 0. */
  | {
      readonly by: 'budget';
      readonly min: number;
      readonly max: number;
      readonly canBeOff: boolean;
    }
  | { readonly by: 'none' };

type ThinkingLevel = 'minimal' | 'low' | 'medium' | 'high';

/** What Gemini's API accepts for one family of models. */
export type GeminiModelSpec = {
  readonly thinking: Thinking;
  /** Whether a schema can be combined with tools. Gemini 3 then requires an automatic tool choice. */
  readonly schemaWithTools: boolean;
  /** Whether calls in the history must carry a thought signature. */
  readonly wantsSignatures: boolean;
  /** Whether tool results may contain media. */
  readonly mediaInResults: boolean;
  /** Whether the API fetches any public URL, not only Google's (since January 2026). */
  readonly fetchesUrls: boolean;
  readonly systemInstruction: boolean;
  readonly tools: boolean;
  readonly structuredOutput: boolean;
  /** Most tokens of an answer, thoughts included. Absent when it is not known. */
  readonly outputLimit?: number;
};

const gemini3: GeminiModelSpec = {
  thinking: { by: 'level', levels: ['minimal', 'low', 'medium', 'high'] },
  schemaWithTools: true,
  wantsSignatures: true,
  mediaInResults: true,
  fetchesUrls: true,
  systemInstruction: true,
  tools: true,
  structuredOutput: true,
};

const gemini2: GeminiModelSpec = {
  ...gemini3,
  thinking: { by: 'none' },
  schemaWithTools: false,
  wantsSignatures: false,
  mediaInResults: false,
};

const gemma: GeminiModelSpec = {
  ...gemini2,
  fetchesUrls: false,
  systemInstruction: false,
  tools: false,
  structuredOutput: false,
};

/** For later models, which usually support at least these levels. */
const unknownGemini: GeminiModelSpec = {
  ...gemini3,
  thinking: { by: 'level', levels: ['low', 'medium', 'high'] },
};

const recent = { outputLimit: 65_536 };
const gemini25: GeminiModelSpec = { ...gemini2, ...recent };

/**
 * Specs by the start of the model's name. The first match wins, so longer names come first.
 * Source: https://ai.google.dev/gemini-api/docs/thinking and /models, November 2026.
 */
const specByPrefix: readonly (readonly [prefix: string, spec: GeminiModelSpec])[] = [
  ['gemini-3-pro', { ...gemini3, ...recent, thinking: { by: 'level', levels: ['low', 'high'] } }],
  ['gemini-3.1-pro', { ...unknownGemini, ...recent }],
  ['gemini-3', { ...gemini3, ...recent }],
  [
    'gemini-2.5-pro',
    { ...gemini25, thinking: { by: 'budget', min: 128, max: 32_768, canBeOff: false } },
  ],
  [
    'gemini-2.5-flash-lite',
    { ...gemini25, thinking: { by: 'budget', min: 512, max: 24_576, canBeOff: true } },
  ],
  [
    'gemini-2.5-flash',
    { ...gemini25, thinking: { by: 'budget', min: 1, max: 24_576, canBeOff: true } },
  ],
  ['gemini-2.5', gemini25],
  ['gemini-2', { ...gemini2, fetchesUrls: false, outputLimit: 8_192 }],
  ['gemini-1', { ...gemini2, fetchesUrls: false, outputLimit: 8_192 }],
  ['gemma', gemma],
];

const pathPrefix = /^(?:publishers\/google\/)?models\/|^google\//;

/** The spec of `model`. A model that is not in the table is treated as a recent Gemini. */
export function geminiModelSpec(model: string): GeminiModelSpec {
  const name = model.replace(pathPrefix, '');
  return specByPrefix.find(([prefix]) => name.startsWith(prefix))?.[1] ?? unknownGemini;
}

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
