import { describe, expect, test, vi } from 'vitest';
import { type Catalogue, createPricing, type PricedTarget } from '../../src/pricing/pricing.ts';
import type { Usage } from '../../src/protocol/usage.ts';

const now = () => Date.UTC(2026, 3, 1);
const usage: Usage = { inputTokens: 1000, outputTokens: 100, totalTokens: 1100 };

const gpt4o: PricedTarget = { target: 'openai/gpt-4o', model: 'gpt-4o', priceList: 'openai' };

async function loadedPricing() {
  const pricing = createPricing({ now });
  await pricing.load();
  return pricing;
}

describe('pricing', () => {
  test("prefers the target's price, then the configuration's, then the public list", async () => {
    const pricing = createPricing({ now, prices: { 'openai/gpt-4o': { input: 1, output: 1 } } });
    await pricing.load();
    const own = { ...gpt4o, price: { input: 0, output: 5 } };
    expect(pricing.price(own, { usage }).usd).toBe(0.0005);
    expect(pricing.price(gpt4o, { usage }).usd).toBe(0.0011);
    // $2.50 and $10 per million
    const elsewhere = { ...gpt4o, target: 'eu/gpt-4o' };
    expect(pricing.price(elsewhere, { usage })).toMatchObject({ usd: 0.0035, priced: 'exact' });
  });

  test('uses the price of the served model', async () => {
    const pricing = await loadedPricing();
    const cost = pricing.price(gpt4o, { usage, servedModel: 'gpt-4o-mini-2024-07-18' });
    // $0.15 and $0.60 per million
    expect(cost.usd).toBe(0.00021);
    const mini = { ...gpt4o, model: 'gpt-4o-mini' };
    expect(pricing.price(mini, { usage, servedModel: 'gpt-4o' }).usd).toBe(0.0035);
  });

  test('uses the price of the requested model when the served one is not listed', async () => {
    const pricing = await loadedPricing();
    expect(pricing.price(gpt4o, { usage, servedModel: 'internal-7f3a' }).usd).toBe(0.0035);
    expect(pricing.price(gpt4o, { usage, servedModel: '' }).usd).toBe(0.0035);
  });

  test('uses the region prefix of the requested model on AWS', async () => {
    const pricing = createPricing({ now: () => Date.UTC(2026, 10, 21) });
    await pricing.load();
    const usd = (model: string): number => {
      const target = { target: `aws/${model}`, model, priceList: 'aws' };
      return pricing.price(target, { usage, servedModel: 'claude-sonnet-4-5-20250929' }).usd ?? 0;
    };
    const anywhere = usd('global.anthropic.claude-sonnet-4-5-20250929-v1:0');
    expect(anywhere).toBe(0.0045);
    expect(usd('us.anthropic.claude-sonnet-4-5-20250929-v1:0')).toBe(0.00495);
  });

  test('prices a deployment by the model it serves', async () => {
    const pricing = await loadedPricing();
    const deployment = { target: 'azure/team-a', model: 'team-a', priceList: 'azure' };
    expect(pricing.price(deployment, { usage, servedModel: 'gpt-4o-2024-08-06' }).usd).toBe(0.0035);
  });

  test('returns null, never 0, when the price is unknown', async () => {
    const pricing = await loadedPricing();
    const unknown = {
      usd: null,
      breakdown: { input: 0, cachedInput: 0, cacheWrite: 0, output: 0 },
      priced: 'unknown',
    };
    const unlisted = { ...gpt4o, model: 'no-such-model' };
    const { priceList: _, ...local } = gpt4o;
    expect(pricing.price(unlisted, { usage })).toEqual(unknown);
    expect(pricing.price(local, { usage })).toEqual(unknown);
    expect(createPricing({ now }).price(gpt4o, { usage })).toEqual(unknown);
  });

  test('applies the service tier of the answer', async () => {
    const pricing = await loadedPricing();
    const gpt54 = { target: 'openai/gpt-5.4', model: 'gpt-5.4', priceList: 'openai' };
    const at = (serviceTier: string | null) => pricing.price(gpt54, { usage, serviceTier }).usd;
    // $2.50 and $15 per million; flex is half of it, priority twice.
    expect(at(null)).toBe(0.004);
    expect(at('default')).toBe(0.004);
    expect(at('flex')).toBe(0.002);
    expect(at('priority')).toBe(0.008);
  });

  test("prices Anthropic's cache reads and both kinds of cache writes", async () => {
    const pricing = await loadedPricing();
    const opus = {
      target: 'anthropic/claude-opus-4-6',
      model: 'claude-opus-4-6',
      priceList: 'anthropic',
    };
    const cost = pricing.price(opus, {
      usage: {
        inputTokens: 10_000,
        cachedInputTokens: 4000,
        cacheWriteTokens: 5000,
        cacheWriteTokensByTtl: { '5m': 2000, '1h': 3000 },
        outputTokens: 100,
        totalTokens: 10_100,
      },
    });
    // 1000 × $5; 4000 × $0.50; 2000 × $6.25 + 3000 × $10; 100 × $25
    expect(cost).toEqual({
      usd: 0.052,
      breakdown: { input: 0.005, cachedInput: 0.002, cacheWrite: 0.0425, output: 0.0025 },
      priced: 'exact',
    });
  });

  test("applies Gemini's long-context step above 200 000 tokens, not at it", async () => {
    const pricing = await loadedPricing();
    const gemini = {
      target: 'google/gemini-2.5-pro',
      model: 'gemini-2.5-pro',
      priceList: 'google',
    };
    const at = (inputTokens: number) =>
      pricing.price(gemini, { usage: { inputTokens, outputTokens: 0, totalTokens: inputTokens } })
        .usd;
    expect(at(200_000)).toBe(0.25);
    expect(at(200_001)).toBe(0.5000025);
  });

  test('returns the standard price of a target', async () => {
    const pricing = await loadedPricing();
    expect(pricing.standardPrice(gpt4o)).toEqual({
      input: 2.5,
      cachedInput: 1.25,
      cacheWrite: 2.5,
      output: 10,
    });
    expect(pricing.standardPrice({ ...gpt4o, price: { input: 1, output: 2 } })).toMatchObject({
      input: 1,
      output: 2,
    });
    expect(pricing.standardPrice({ ...gpt4o, model: 'no-such-model' })).toBeUndefined();
  });

  test('returns the context window after the list is loaded', async () => {
    const pricing = createPricing({ now });
    expect(pricing.contextWindow(gpt4o)).toBeUndefined();
    await pricing.load();
    expect(pricing.contextWindow(gpt4o)).toBe(128_000);
    expect(pricing.contextWindow({ target: 'local/gpt-4o', model: 'gpt-4o' })).toBeUndefined();
  });

  test('loads the list only for a target that needs it', async () => {
    const catalogue: Catalogue = {
      load: vi.fn(async () => {}),
      card: () => undefined,
      contextWindow: () => undefined,
      retirementDate: () => undefined,
      lists: () => [],
      has: () => false,
      models: () => [],
    };
    const pricing = createPricing({
      now,
      catalogue,
      prices: { 'openai/mine': { input: 1, output: 1 } },
    });
    await pricing.load({ target: 'local/llama', model: 'llama' });
    await pricing.load({ ...gpt4o, price: { input: 1, output: 1 } });
    await pricing.load({ ...gpt4o, target: 'openai/mine' });
    expect(catalogue.load).not.toHaveBeenCalled();
    await pricing.load(gpt4o);
    await pricing.load();
    expect(catalogue.load).toHaveBeenCalledTimes(2);
  });
});

test('prices an embedding model by its input, and not an unexpected output', async () => {
  const pricing = createPricing({ now: () => Date.UTC(2026, 10, 1) });
  await pricing.load();
  const target = { target: 'openai/e', model: 'text-embedding-3-small', priceList: 'openai' };
  const usage = { inputTokens: 1_000_000, outputTokens: 0, totalTokens: 1_000_000 };
  expect(pricing.price(target, { usage })).toMatchObject({ usd: 0.02, priced: 'exact' });
  const odd = { ...usage, outputTokens: 1 };
  expect(pricing.price(target, { usage: odd })).toMatchObject({ usd: null, priced: 'unknown' });
});

describe('the ceiling of a request', () => {
  const size = { inputTokens: 1_000, outputTokens: 100, hasAudio: false };
  const claude: PricedTarget = {
    target: 'anthropic/claude-sonnet-4-5',
    model: 'claude-sonnet-4-5',
    priceList: 'anthropic',
  };

  test('is exact for a plain price', async () => {
    const pricing = createPricing({ now, prices: { 'x/m': { input: 1, output: 5 } } });
    expect(pricing.ceiling({ target: 'x/m', model: 'm' }, size)).toBe(1_500_000);
    expect(pricing.ceiling({ target: 'x/other', model: 'other' }, size)).toBeUndefined();
  });

  test('is no less than what any such usage costs', async () => {
    const pricing = await loadedPricing();
    const usages: Partial<Usage>[] = [
      {},
      { cachedInputTokens: 800 },
      { cacheWriteTokens: 1_000 },
      { cacheWriteTokens: 1_000, cacheWriteTokensByTtl: { '1h': 1_000 } },
      { reasoningTokens: 100 },
    ];
    for (const target of [gpt4o, claude]) {
      for (const serviceTier of [undefined, 'flex', 'priority', 'fast']) {
        const ceiling = pricing.ceiling(target, { ...size, serviceTier }) ?? 0;
        for (const more of usages) {
          const { usd } = pricing.price(target, { usage: { ...usage, ...more }, serviceTier });
          expect(Math.round((usd ?? 0) * 1e9)).toBeLessThanOrEqual(ceiling);
        }
      }
    }
  });
});
