/** What the vendor's own usage tells that changes the price and has no place in `Usage`. */
export type UsageExtras = {
  readonly webSearches: number;
  /** The part of the input that is audio, cached audio included. */
  readonly audioInputTokens: number;
  readonly cachedAudioTokens: number;
  readonly audioOutputTokens: number;
  /** Anthropic's `speed`, which is a service tier by another name. */
  readonly speed: string;
  /** Anthropic's `inference_geo`. */
  readonly region: string;
};

/** Reads `usage.raw`, whose shape is the vendor's and is not trusted. */
export function readExtras(raw: unknown): UsageExtras {
  return {
    webSearches:
      countOf(at(raw, 'server_tool_use', 'web_search_requests')) ||
      countOf(at(raw, 'num_search_queries')),
    audioInputTokens:
      countOf(at(raw, 'prompt_tokens_details', 'audio_tokens')) ||
      audioIn(at(raw, 'promptTokensDetails')),
    cachedAudioTokens: audioIn(at(raw, 'cacheTokensDetails')),
    audioOutputTokens:
      countOf(at(raw, 'completion_tokens_details', 'audio_tokens')) ||
      audioIn(at(raw, 'candidatesTokensDetails')),
    speed: wordOf(at(raw, 'speed')),
    region: wordOf(at(raw, 'inference_geo')),
  };
}

/** No answer has a million million tokens; a count above it would only overflow the sums. */
const maxCount = 1e12;

/** A count that can be multiplied: whole, finite and not negative. Anything else counts as none. */
export function countOf(value: unknown): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) return 0;
  return Math.round(Math.min(value, maxCount));
}

function wordOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Gemini tells tokens by modality: `[{ modality: 'AUDIO', tokenCount: 12 }]`. */
function audioIn(details: unknown): number {
  if (!Array.isArray(details)) return 0;
  const audio: unknown = details.find((detail: unknown) => at(detail, 'modality') === 'AUDIO');
  return countOf(at(audio, 'tokenCount'));
}

function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}

function at(value: unknown, key: string, below?: string): unknown {
  const found = field(value, key);
  return below === undefined ? found : field(found, below);
}
