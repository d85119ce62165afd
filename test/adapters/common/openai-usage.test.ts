import { describe, expect, it } from 'vitest';
import { openAIUsage } from '../../../src/wires/openai-shared/response.ts';

const chat = {
  input: 'prompt_tokens',
  inputDetails: 'prompt_tokens_details',
  output: 'completion_tokens',
  outputDetails: 'completion_tokens_details',
};

describe('openAIUsage', () => {
  it("converts OpenAI's usage", () => {
    const raw = {
      prompt_tokens: 20,
      completion_tokens: 10,
      total_tokens: 30,
      prompt_tokens_details: { cached_tokens: 8, cache_write_tokens: 4 },
      completion_tokens_details: { reasoning_tokens: 7 },
    };
    expect(openAIUsage(raw, chat)).toEqual({
      inputTokens: 20,
      outputTokens: 10,
      totalTokens: 30,
      cachedInputTokens: 8,
      cacheWriteTokens: 4,
      reasoningTokens: 7,
      raw,
    });
  });

  it('splits cache writes by lifetime', () => {
    const raw = {
      prompt_tokens: 20,
      completion_tokens: 1,
      prompt_tokens_details: {
        cache_write_tokens: 12,
        cache_write_tokens_details: { ttl_30m_tokens: 0, ttl_12h_tokens: 12 },
      },
    };
    expect(openAIUsage(raw, chat)).toMatchObject({
      cacheWriteTokens: 12,
      cacheWriteTokensByTtl: { '12h': 12 },
    });
  });

  it('adds reasoning that xAI counts separately to the output', () => {
    const raw = {
      prompt_tokens: 12,
      completion_tokens: 2,
      total_tokens: 354,
      completion_tokens_details: { reasoning_tokens: 340 },
    };
    expect(openAIUsage(raw, chat)).toMatchObject({ outputTokens: 342, totalTokens: 354 });
  });

  it("adds thoughts that only the total of Google's compatible endpoint includes", () => {
    const raw = { prompt_tokens: 66, completion_tokens: 6, total_tokens: 100 };
    expect(openAIUsage(raw, chat)).toMatchObject({ inputTokens: 66, outputTokens: 34 });
  });

  it('ignores totals that differ for unknown reasons', () => {
    const raw = {
      prompt_tokens: 10,
      completion_tokens: 5,
      total_tokens: 40,
      completion_tokens_details: { reasoning_tokens: 3 },
    };
    expect(openAIUsage(raw, chat)).toMatchObject({ outputTokens: 5, totalTokens: 40 });
  });

  it('adds cached input that is counted separately', () => {
    const raw = {
      prompt_tokens: 5,
      completion_tokens: 1,
      total_tokens: 6,
      prompt_tokens_details: { cached_tokens: 100 },
    };
    expect(openAIUsage(raw, chat)).toMatchObject({ inputTokens: 105, totalTokens: 106 });
  });

  const counts = (
    prompt_tokens: number,
    completion_tokens: number,
    total_tokens: number | undefined,
    { cached, reasoning }: { cached?: number; reasoning?: number } = {},
  ) => ({
    prompt_tokens,
    completion_tokens,
    total_tokens,
    ...(cached !== undefined && { prompt_tokens_details: { cached_tokens: cached } }),
    ...(reasoning !== undefined && { completion_tokens_details: { reasoning_tokens: reasoning } }),
  });

  it.each([
    ['more cached than input', counts(10, 5, 35, { cached: 20 }), 30, 5, false],
    ['less cached than input, with proof', counts(10, 5, 23, { cached: 8 }), 18, 5, false],
    ['cached and reasoning', counts(10, 5, 38, { cached: 20, reasoning: 3 }), 30, 8, false],
    [
      'more reasoning than output, no total',
      counts(10, 5, undefined, { reasoning: 9 }),
      10,
      14,
      false,
    ],
    ['thoughts in the total, cached inside', counts(10, 5, 40, { cached: 8 }), 10, 30, false],
    ['a total that nothing explains', counts(10, 5, 40, { cached: 8, reasoning: 3 }), 10, 5, true],
    ['a total that is too small', counts(10, 5, 12), 10, 5, true],
    ['no total', counts(10, 5, 0, { cached: 8 }), 10, 5, false],
    [
      'written input of a proxy',
      { ...counts(10, 5, 45), cache_creation_input_tokens: 30, cache_read_input_tokens: 0 },
      40,
      5,
      false,
    ],
  ])('counts %s', (_what, raw, inputTokens, outputTokens, isEstimated) => {
    const known = openAIUsage(raw, chat);
    expect(known).toMatchObject({ inputTokens, outputTokens });
    expect(known?.estimated === true).toBe(isEstimated);
    expect(known?.totalTokens).toBeGreaterThanOrEqual(inputTokens + outputTokens);
  });

  it.each([['prompt_cache_hit_tokens'], ['cached_tokens']])('reads cached input from %s', (key) => {
    const raw = { prompt_tokens: 5, completion_tokens: 1, [key]: 3 };
    expect(openAIUsage(raw, chat)).toMatchObject({ cachedInputTokens: 3 });
  });

  it.each([[undefined], [null], [{}], [{ prompt_tokens: '5' }], [[]]])(
    'returns undefined for %j',
    (raw) => {
      expect(openAIUsage(raw, chat)).toBeUndefined();
    },
  );
});
