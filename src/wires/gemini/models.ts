/** How a model is told how long to think. */
type Thinking =
  | { readonly by: 'level'; readonly levels: readonly ThinkingLevel[] }
  /** Tokens; `canBeOff` says whether a budget of 0 is taken. */
  | {
      readonly by: 'budget';
      readonly least: number;
      readonly most: number;
      readonly canBeOff: boolean;
    }
  | { readonly by: 'none' };

export type ThinkingLevel = 'minimal' | 'low' | 'medium' | 'high';

/** What the API takes and refuses for one family of models. */
export type ModelFacts = {
  readonly thinking: Thinking;
  /** Whether a schema may stand beside tools; Gemini 3 wants the tool choice to be automatic then. */
  readonly schemaWithTools: boolean;
  /** Whether calls in the history must carry a thought signature. */
  readonly wantsSignatures: boolean;
  /** Whether a tool's result may hold media. */
  readonly mediaInResults: boolean;
  /** Whether the API fetches any public address for it, not only its own (since January 2026). */
  readonly fetchesUrls: boolean;
  readonly systemInstruction: boolean;
  readonly tools: boolean;
  readonly structuredOutput: boolean;
};

const gemini3: ModelFacts = {
  thinking: { by: 'level', levels: ['minimal', 'low', 'medium', 'high'] },
  schemaWithTools: true,
  wantsSignatures: true,
  mediaInResults: true,
  fetchesUrls: true,
  systemInstruction: true,
  tools: true,
  structuredOutput: true,
};

const gemini2: ModelFacts = {
  ...gemini3,
  thinking: { by: 'none' },
  schemaWithTools: false,
  wantsSignatures: false,
  mediaInResults: false,
};

const gemma: ModelFacts = {
  ...gemini2,
  fetchesUrls: false,
  systemInstruction: false,
  tools: false,
  structuredOutput: false,
};

/** Later models keep `low` and `high`; the levels between have come and gone. */
const unknownGemini: ModelFacts = {
  ...gemini3,
  thinking: { by: 'level', levels: ['low', 'medium', 'high'] },
};

/**
 * Facts by the start of the model's name, the first match counting, so longer names stand first.
 * Source: https://ai.google.dev/gemini-api/docs/thinking and /models, November 2026.
 */
const factsByPrefix: readonly (readonly [prefix: string, facts: ModelFacts])[] = [
  ['gemini-3-pro', { ...gemini3, thinking: { by: 'level', levels: ['low', 'high'] } }],
  ['gemini-3.1-pro', unknownGemini],
  ['gemini-3', gemini3],
  [
    'gemini-2.5-pro',
    { ...gemini2, thinking: { by: 'budget', least: 128, most: 32_768, canBeOff: false } },
  ],
  [
    'gemini-2.5-flash-lite',
    { ...gemini2, thinking: { by: 'budget', least: 512, most: 24_576, canBeOff: true } },
  ],
  [
    'gemini-2.5-flash',
    { ...gemini2, thinking: { by: 'budget', least: 1, most: 24_576, canBeOff: true } },
  ],
  ['gemini-2.5', gemini2],
  ['gemini-2', { ...gemini2, fetchesUrls: false }],
  ['gemini-1', { ...gemini2, fetchesUrls: false }],
  ['gemma', gemma],
];

const pathPrefix = /^(?:publishers\/google\/)?models\/|^google\//;

/** What is known of `model`; one that is not in the table is taken for a recent Gemini. */
export function factsOf(model: string): ModelFacts {
  const name = model.replace(pathPrefix, '');
  return factsByPrefix.find(([prefix]) => name.startsWith(prefix))?.[1] ?? unknownGemini;
}
