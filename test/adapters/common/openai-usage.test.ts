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
