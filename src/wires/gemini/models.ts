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

export type ThinkingLevel = 'minimal' | 'low' | 'medium' | 'high';

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

/**
 * Specs by the start of the model's name. The first match wins, so longer names come first.
 * Source: https://ai.google.dev/gemini-api/docs/thinking and /models, November 2026.
 */
const specByPrefix: readonly (readonly [prefix: string, spec: GeminiModelSpec])[] = [
  ['gemini-3-pro', { ...gemini3, thinking: { by: 'level', levels: ['low', 'high'] } }],
  ['gemini-3.1-pro', unknownGemini],
  ['gemini-3', gemini3],
  [
    'gemini-2.5-pro',
    { ...gemini2, thinking: { by: 'budget', min: 128, max: 32_768, canBeOff: false } },
  ],
  [
    'gemini-2.5-flash-lite',
    { ...gemini2, thinking: { by: 'budget', min: 512, max: 24_576, canBeOff: true } },
  ],
  [
    'gemini-2.5-flash',
    { ...gemini2, thinking: { by: 'budget', min: 1, max: 24_576, canBeOff: true } },
  ],
  ['gemini-2.5', gemini2],
  ['gemini-2', { ...gemini2, fetchesUrls: false }],
  ['gemini-1', { ...gemini2, fetchesUrls: false }],
  ['gemma', gemma],
];

const pathPrefix = /^(?:publishers\/google\/)?models\/|^google\//;

/** The spec of `model`. A model that is not in the table is treated as a recent Gemini. */
export function geminiModelSpec(model: string): GeminiModelSpec {
  const name = model.replace(pathPrefix, '');
  return specByPrefix.find(([prefix]) => name.startsWith(prefix))?.[1] ?? unknownGemini;
}
