/**
 * The days on which vendors retire models from their own APIs, by price list. Clouds that serve the same models have other
 * dates. A name without a date stands for its dated versions too, unless those have a row. Read on 2026-11-30:
 *
 * - https://developers.openai.com/api/docs/deprecations
 * - https://platform.claude.com/docs/en/about-claude/model-deprecations, also in Anthropic's SDK
 * - https://ai.google.dev/gemini-api/docs/deprecations
 * - https://docs.x.ai/developers/migration/may-15-retirement
 *
 * Only announced dates, not those before which a vendor promises to retire nothing.
 */
const rows: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  openai: {
    '2026-07-23': [
      'computer-use-preview',
      'gpt-4o-mini-search-preview',
      'gpt-4o-search-preview',
      'gpt-5-chat-latest',
      'gpt-5-codex',
      'gpt-5.1-chat-latest',
      'gpt-5.1-codex',
      'gpt-5.1-codex-max',
      'gpt-5.1-codex-mini',
      'gpt-5.2-codex',
      'o3-deep-research',
      'o4-mini-deep-research',
    ],
    '2026-08-10': ['gpt-5.2-chat-latest', 'gpt-5.3-chat-latest'],
    '2026-09-28': ['babbage-002', 'davinci-002', 'gpt-3.5-turbo-1106', 'gpt-3.5-turbo-instruct'],
    '2026-10-23': [
      'gpt-3.5-turbo',
      'gpt-3.5-turbo-0125',
      'gpt-4',
      'gpt-4-0613',
      'gpt-4-1106-preview',
      'gpt-4-turbo',
      'gpt-4.1-nano',
      'gpt-4o-2024-05-13',
      'gpt-image-1',
      'o1',
      'o1-pro',
      'o3-mini',
      'o4-mini',
    ],
    '2026-12-01': ['chatgpt-image-latest', 'gpt-image-1-mini', 'gpt-image-1.5'],
    '2026-12-11': ['gpt-5', 'gpt-5-mini', 'gpt-5-nano', 'gpt-5-pro', 'o3', 'o3-pro'],
    '2027-01-14': ['gpt-4.1', 'gpt-4.1-mini', 'gpt-4o', 'gpt-4o-mini'],
    '2027-04-01': ['gpt-5.1', 'gpt-5.3-codex', 'gpt-5.4-nano'],
  },
  anthropic: {
    '2026-06-15': ['claude-opus-4', 'claude-opus-4-0', 'claude-sonnet-4', 'claude-sonnet-4-0'],
    '2026-08-05': ['claude-opus-4-1'],
    '2026-11-30': ['claude-sonnet-4-5'],
    '2027-01-22': ['claude-opus-4-5'],
  },
  google: {
    '2026-03-09': ['gemini-3-pro-preview'],
    '2026-06-01': [
      'gemini-2.0-flash',
      'gemini-2.0-flash-001',
      'gemini-2.0-flash-lite',
      'gemini-2.0-flash-lite-001',
    ],
    '2026-06-25': ['gemini-3-pro-image-preview', 'gemini-3.1-flash-image-preview'],
    '2026-10-02': ['gemini-2.5-flash-image'],
    '2026-12-01': ['gemini-2.5-flash', 'gemini-2.5-pro'],
    '2027-05-07': ['gemini-3.1-flash-lite'],
  },
  'x-ai': {
    '2026-05-15': [
      'grok-3',
      'grok-4-0709',
      'grok-4-1-fast-non-reasoning',
      'grok-4-1-fast-reasoning',
      'grok-4-fast-non-reasoning',
      'grok-4-fast-reasoning',
      'grok-code-fast-1',
    ],
  },
};

/** By price list, then by model. */
const dates: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map(
  Object.entries(rows).map(([priceList, byDate]) => {
    const ofList = Object.entries(byDate).flatMap(([date, models]) =>
      models.map((model) => [model, date] as const),
    );
    return [priceList, new Map(ofList)];
  }),
);

const versionDate = /-\d{4}-?\d{2}-?\d{2}$/;

/** ISO 8601; `undefined` when no date is known. `model` is named as in the price list. */
export function retirementDate(priceList: string, model: string): string | undefined {
  const ofList = dates.get(priceList);
  return ofList?.get(model) ?? ofList?.get(model.replace(versionDate, ''));
}
