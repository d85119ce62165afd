/** Values in the vendor's usage that affect the price and are not part of `Usage`. */
export type UsageExtras = {
  readonly webSearches: number;
  /** Audio tokens in the input, including cached audio. */
  readonly audioInputTokens: number;
  readonly cachedAudioTokens: number;
  readonly audioOutputTokens: number;
  /** Anthropic's `speed`, which works like a service tier. */
  readonly speed: string;
  /** Anthropic's `inference_geo`. */
  readonly region: string;
};

/** Reads `usage.raw`, which comes from the vendor and may have any shape. */
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

/** Larger counts are not plausible and could overflow the sums. */
const maxCount = 1e12;

/** The count as a finite whole number, at least 0. Anything else counts as 0. */
export function countOf(value: unknown): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) return 0;
  return Math.round(Math.min(value, maxCount));
}

function wordOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Gemini lists tokens by modality: `[{ modality: 'AUDIO', tokenCount: 12 }]`. */
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
