import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { priceUsage } from '../../src/pricing/price-usage.ts';
import {
  addUsd,
  cardOfListed,
  cardOfPrice,
  type ListedPrice,
  type RateCard,
} from '../../src/pricing/rate-card.ts';
import type { Price, Usage } from '../../src/protocol/usage.ts';

const price: Price = { input: 3, cachedInput: 0.3, cacheWrite: 3.75, output: 15 };

const row: ListedPrice = {
  input_mtok: { base: 2, tiers: [{ start: 99_999, price: 4 }] },
  cache_read_mtok: { base: 0.2, tiers: [{ start: 99_999, price: 0.4 }] },
  cache_write_mtok: 2.5,
  output_mtok: { base: 10, tiers: [{ start: 99_999, price: 15 }] },
};

function usageOf(counts: Partial<Usage>): Usage {
  return { inputTokens: 0, outputTokens: 0, totalTokens: 0, ...counts };
}

function listed(more: ListedPrice = {}, vendor = 'somebody', model = 'some-model'): RateCard {
  const card = cardOfListed({ vendor, model }, { ...row, ...more });
  if (card === undefined) throw new Error('the row has no price');
  return card;
}

describe('a price set by the user', () => {
  test('prices each kind of token', () => {
    const cost = priceUsage({
      usage: usageOf({
        inputTokens: 10_000,
        cachedInputTokens: 6000,
        cacheWriteTokens: 1000,
        outputTokens: 500,
      }),
      card: cardOfPrice(price),
    });
    // 3000 × $3 + 6000 × $0.30 + 1000 × $3.75 + 500 × $15, per million
    expect(cost).toEqual({
      usd: 0.02205,
      breakdown: { input: 0.009, cachedInput: 0.0018, cacheWrite: 0.00375, output: 0.0075 },
      priced: 'exact',
    });
  });

  test('prices cache reads and writes like input by default', () => {
    const cost = priceUsage({
      usage: usageOf({ inputTokens: 1000, cachedInputTokens: 400, cacheWriteTokens: 600 }),
      card: cardOfPrice({ input: 2, output: 8 }),
    });
    expect(cost.usd).toBe(0.002);
  });

  test('applies to every tier, lifetime and region', () => {
    const cost = priceUsage({
      usage: usageOf({
        inputTokens: 1000,
        cacheWriteTokens: 1000,
        cacheWriteTokensByTtl: { '12h': 1000 },
        raw: { speed: 'fast', inference_geo: 'us', server_tool_use: { web_search_requests: 9 } },
      }),
      card: cardOfPrice(price),
      serviceTier: 'priority',
    });
    expect(cost).toMatchObject({ usd: 0.00375, priced: 'exact' });
  });
});

describe('counts', () => {
  test('never give negative uncached input', () => {
    const cost = priceUsage({
      usage: usageOf({ inputTokens: 100, cachedInputTokens: 1000 }),
      card: cardOfPrice(price),
    });
    expect(cost.breakdown).toMatchObject({ input: 0, cachedInput: 0.0003 });
  });

  test('that are estimated give an estimated cost', () => {
    const usage = usageOf({ inputTokens: 1000, estimated: true });
    expect(priceUsage({ usage, card: cardOfPrice(price) })).toMatchObject({
      usd: 0.003,
      priced: 'estimated',
    });
  });

  test('of cache writes are summed from lifetimes without a total', () => {
    const usage = usageOf({ inputTokens: 1000, cacheWriteTokensByTtl: { '5m': 400 } });
    expect(priceUsage({ usage, card: cardOfPrice(price) }).breakdown).toMatchObject({
      input: 0.0018,
      cacheWrite: 0.0015,
    });
  });
});

describe('a listed price', () => {
  test('applies a step to all tokens above the round number', () => {
    const at = (inputTokens: number) =>
      priceUsage({
        usage: usageOf({ inputTokens, cachedInputTokens: 50_000, outputTokens: 1000 }),
        card: listed(),
      }).usd;
    expect(at(99_999)).toBe(0.119998);
    expect(at(100_000)).toBe(0.12);
    // 50 001 × $4 + 50 000 × $0.40 + 1000 × $15
    expect(at(100_001)).toBe(0.235004);
  });

  test('prices reasoning separately if the list does', () => {
    const usage = usageOf({ outputTokens: 1000, reasoningTokens: 400 });
    expect(priceUsage({ usage, card: listed({ output_reasoning_mtok: 3 }) }).usd).toBe(0.0072);
    expect(priceUsage({ usage, card: listed() }).usd).toBe(0.01);
  });

  test('limits reasoning to the output', () => {
    const usage = usageOf({ outputTokens: 1000, reasoningTokens: 4000 });
    const expensive = priceUsage({ usage, card: listed({ output_reasoning_mtok: 30 }) });
    expect(expensive).toMatchObject({ usd: 0.03, breakdown: { output: 0.03 } });
    const cheap = priceUsage({ usage, card: listed({ output_reasoning_mtok: 3 }) });
    expect(cheap).toMatchObject({ usd: 0.003, breakdown: { output: 0.003 } });
    const raw = { completion_tokens_details: { audio_tokens: 500 } };
    const card = listed({ output_reasoning_mtok: 3, output_audio_mtok: 100 });
    expect(priceUsage({ usage: { ...usage, raw }, card }).usd).toBe(0.003);
  });

  test('limits cached audio to the cached input', () => {
    const raw = { cacheTokensDetails: [{ modality: 'AUDIO', tokenCount: 5000 }] };
    const usage = usageOf({ inputTokens: 1000, cachedInputTokens: 1000, raw });
    const card = listed({ cache_audio_read_mtok: 1 });
    expect(priceUsage({ usage, card })).toMatchObject({
      usd: 0.001,
      breakdown: { cachedInput: 0.001 },
    });
  });

  test('adds request and web search fees to the input', () => {
    const usage = usageOf({ raw: { server_tool_use: { web_search_requests: 2 } } });
    const card = listed({ requests_kcount: 5, web_searches_kcount: 10 });
    expect(priceUsage({ usage, card })).toMatchObject({ usd: 0.025, breakdown: { input: 0.025 } });
  });

  test('prices audio, cached and uncached', () => {
    const usage = usageOf({
      inputTokens: 1000,
      cachedInputTokens: 300,
      outputTokens: 100,
      raw: {
        promptTokensDetails: [
          { modality: 'TEXT', tokenCount: 400 },
          { modality: 'AUDIO', tokenCount: 600 },
        ],
        cacheTokensDetails: [{ modality: 'AUDIO', tokenCount: 200 }],
        candidatesTokensDetails: [{ modality: 'AUDIO', tokenCount: 100 }],
      },
    });
    const audio = { input_audio_mtok: 5, cache_audio_read_mtok: 0.5, output_audio_mtok: 20 };
    // (300 text × $2 + 400 audio × $5) + (100 × $0.20 + 200 × $0.50) + 100 × $20
    expect(priceUsage({ usage, card: listed(audio) }).breakdown).toEqual({
      input: 0.0026,
      cachedInput: 0.00012,
      cacheWrite: 0,
      output: 0.002,
    });
  });

  test("reads OpenAI's audio counts", () => {
    const usage = usageOf({
      inputTokens: 100,
      outputTokens: 50,
      raw: {
        prompt_tokens_details: { audio_tokens: 100 },
        completion_tokens_details: { audio_tokens: 50 },
      },
    });
    const card = listed({ input_audio_mtok: 40, output_audio_mtok: 80 });
    expect(priceUsage({ usage, card }).usd).toBe(0.008);
  });

  test('estimates a lifetime without a listed price at the price of a write', () => {
    const usage = usageOf({ inputTokens: 100, cacheWriteTokensByTtl: { '12h': 100 } });
    expect(priceUsage({ usage, card: listed() })).toMatchObject({
      usd: 0.00025,
      priced: 'estimated',
    });
  });

  test('is exact for writes without a lifetime, and for the listed lifetimes', () => {
    const writes = usageOf({ inputTokens: 1000, cacheWriteTokens: 1000 });
    const priced = (byTtl: Record<string, number>, card = listed()) =>
      priceUsage({ usage: { ...writes, cacheWriteTokensByTtl: byTtl }, card });
    expect(priceUsage({ usage: writes, card: listed() })).toMatchObject({
      usd: 0.0025,
      priced: 'exact',
    });
    expect(priced({ '30m': 1000 })).toMatchObject({ usd: 0.0025, priced: 'exact' });
    expect(priced({ '12h': 0 }).priced).toBe('exact');
    expect(priced({ '1h': 1000 }).priced).toBe('estimated');
    expect(priced({ '1h': 1000 }, listed({ cache_write_1h_mtok: 5 }))).toMatchObject({
      usd: 0.005,
      priced: 'exact',
    });
    // 400 × $5, and the other 600 × $2.50
    expect(priced({ '1h': 400 }, listed({ cache_write_1h_mtok: 5 })).usd).toBe(0.0035);
  });

  test("prices Claude's one-hour writes at twice the input when a reseller does not list them", () => {
    const usage = usageOf({
      inputTokens: 1000,
      cacheWriteTokens: 1000,
      cacheWriteTokensByTtl: { '5m': 400, '1h': 600 },
    });
    const card = listed({}, 'aws', 'global.anthropic.claude-sonnet');
    expect(priceUsage({ usage, card })).toMatchObject({ usd: 0.0034, priced: 'exact' });
  });

  test('adds 10% for inference in the United States, except to fees', () => {
    const usage = usageOf({
      inputTokens: 1000,
      raw: { inference_geo: 'us', server_tool_use: { web_search_requests: 1 } },
    });
    const card = listed({ web_searches_kcount: 10 }, 'anthropic', 'claude-opus-4-6');
    expect(priceUsage({ usage, card }).usd).toBe(0.0122);
  });

  test("treats Anthropic's fast speed as the tier", () => {
    const usage = usageOf({ inputTokens: 1000, raw: { speed: 'fast' } });
    const card = listed({}, 'anthropic', 'claude-opus-4-6');
    expect(priceUsage({ usage, card, serviceTier: 'standard' })).toMatchObject({
      usd: 0.012,
      priced: 'exact',
    });
  });

  test('estimates a tier without a published multiple at the standard price', () => {
    const usage = usageOf({ inputTokens: 1000 });
    const card = listed({}, 'anthropic', 'claude-opus-4-6');
    expect(priceUsage({ usage, card, serviceTier: 'priority' })).toMatchObject({
      usd: 0.002,
      priced: 'estimated',
    });
  });

  test('estimates a tier whose multiple is not published for long context', () => {
    const card = listed({}, 'openai', 'gpt-5.4');
    const at = (inputTokens: number) =>
      priceUsage({ usage: usageOf({ inputTokens }), card, serviceTier: 'priority' }).priced;
    expect(at(100_000)).toBe('exact');
    expect(at(100_001)).toBe('estimated');
  });

  test('estimates a tier whose multiple is not published for caches', () => {
    const card = listed({}, 'google', 'gemini-2.5-pro');
    const priced = (counts: Partial<Usage>) =>
      priceUsage({
        usage: usageOf({ inputTokens: 1000, ...counts }),
        card,
        serviceTier: 'flex',
      }).priced;
    expect(priced({})).toBe('exact');
    expect(priced({ cachedInputTokens: 400 })).toBe('estimated');
    expect(priced({ cacheWriteTokens: 400 })).toBe('estimated');
  });

  test("counts Perplexity's searches", () => {
    const usage = usageOf({ raw: { num_search_queries: 3 } });
    expect(priceUsage({ usage, card: listed({ web_searches_kcount: 10 }) }).usd).toBe(0.03);
  });

  test('ignores a region that is no string', () => {
    const usage = usageOf({ inputTokens: 1000, raw: { inference_geo: ['us'] } });
    const card = listed({}, 'anthropic', 'claude-opus-4-6');
    expect(priceUsage({ usage, card }).usd).toBe(0.002);
  });

  test('has its steps in ascending order', () => {
    const card = listed({
      input_mtok: { base: 2, tiers: [{ start: 200_000, price: 4 }] },
      output_mtok: {
        base: 10,
        tiers: [
          { start: 300_000, price: 20 },
          { start: 99_999, price: 15 },
        ],
      },
    });
    expect(card.steps.map(({ above }) => above)).toEqual([0, 100_000, 200_000, 300_000]);
  });

  test('prices only input when the row has no output price', () => {
    expect(cardOfListed({ vendor: 'v', model: 'm' }, { input_mtok: 1 })?.isInputOnly).toBe(true);
    expect(cardOfListed({ vendor: 'v', model: 'm' }, { output_mtok: 1 })).toBeUndefined();
  });

  test('is 0 without a price in the row only for models that are known to be free', () => {
    const free = [
      { vendor: 'openrouter', model: 'qwen/qwen3-8b:free' },
      { vendor: 'google', model: 'gemma-3' },
    ];
    for (const listed of free) {
      const card = cardOfListed(listed, {});
      expect(card?.isInputOnly).toBe(false);
      expect([card?.steps[0].rates.input, card?.steps[0].rates.output]).toEqual([0n, 0n]);
    }
    expect(cardOfListed({ vendor: 'cerebras', model: 'qwen-3-coder-480b' }, {})).toBeUndefined();
  });
});

describe('any reported usage', () => {
  const tokens = fc.integer({ min: 0, max: 10 ** 9 });
  const usages: fc.Arbitrary<Usage> = fc.record(
    {
      inputTokens: tokens,
      outputTokens: tokens,
      totalTokens: tokens,
      cachedInputTokens: tokens,
      cacheWriteTokens: tokens,
      cacheWriteTokensByTtl: fc.dictionary(
        fc.constantFrom('5m', '1h', '12h', 'constructor'),
        tokens,
      ),
      reasoningTokens: tokens,
      estimated: fc.boolean(),
      raw: fc.oneof(
        fc.anything(),
        fc.record({
          inference_geo: fc.constantFrom('us', 'constructor'),
          speed: fc.constantFrom('fast', 'standard'),
          promptTokensDetails: fc.constant([{ modality: 'AUDIO', tokenCount: 10 ** 6 }, null]),
        }),
      ),
    },
    { requiredKeys: ['inputTokens', 'outputTokens', 'totalTokens'] },
  );
  const usd = fc.integer({ min: 0, max: 10 ** 11 }).map((nano) => nano / 1e9);
  const prices: fc.Arbitrary<Price> = fc.record(
    { input: usd, cachedInput: usd, cacheWrite: usd, output: usd },
    { requiredKeys: ['input', 'output'] },
  );
  const cards = fc.oneof(
    prices.map(cardOfPrice),
    fc
      .constantFrom('openai', 'anthropic', 'google', 'groq', 'somebody')
      .map((vendor) => listed({}, vendor)),
  );
  const tiers = fc.constantFrom(
    undefined,
    null,
    'default',
    'priority',
    'flex',
    'batch',
    'constructor',
  );

  test('has a breakdown that adds up to the cost', () => {
    fc.assert(
      fc.property(usages, cards, tiers, (usage, card, serviceTier) => {
        const cost = priceUsage({ usage, card, serviceTier });
        expect(addUsd(Object.values(cost.breakdown))).toBe(cost.usd);
      }),
    );
  });

  test('never costs less with one more token', () => {
    const kinds = fc.constantFrom('inputTokens', 'outputTokens', 'reasoningTokens');
    fc.assert(
      fc.property(usages, cards, tiers, kinds, (usage, card, serviceTier, kind) => {
        const more = { ...usage, [kind]: (usage[kind] ?? 0) + 1 };
        const before = priceUsage({ usage, card, serviceTier }).usd ?? Number.NaN;
        const after = priceUsage({ usage: more, card, serviceTier }).usd ?? Number.NaN;
        expect(after).toBeGreaterThanOrEqual(before);
      }),
    );
  });

  test('never has a NaN or negative cost, even with invalid counts', () => {
    const anything = fc.oneof(fc.double(), fc.constantFrom(-1, Number.NaN, Infinity));
    const broken = fc.record({
      inputTokens: anything,
      outputTokens: anything,
      totalTokens: anything,
      cachedInputTokens: anything,
      cacheWriteTokens: anything,
      reasoningTokens: anything,
    });
    fc.assert(
      fc.property(broken, cards, (usage, card) => {
        const { usd: cost, breakdown } = priceUsage({ usage, card });
        for (const amount of [cost, ...Object.values(breakdown)]) {
          expect(amount).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });
});
