import { findProvider } from '@pydantic/genai-prices';
import { describe, expect, test, vi } from 'vitest';
import { createCatalogue } from '../../src/pricing/pricing.ts';
import { usdPerMillion } from '../../src/pricing/rate-card.ts';

const spring2026 = Date.UTC(2026, 3, 1);

async function loadedCatalogue() {
  const catalogue = createCatalogue();
  await catalogue.load();
  return catalogue;
}

describe('the catalogue', () => {
  test('is empty and imports nothing before it is loaded', () => {
    const importList = vi.fn(() => import('@pydantic/genai-prices'));
    const catalogue = createCatalogue(importList);
    expect(catalogue.card('openai', 'gpt-4o', spring2026)).toBeUndefined();
    expect(catalogue.contextWindow('openai', 'gpt-4o')).toBeUndefined();
    expect(importList).not.toHaveBeenCalled();
  });

  test('imports the list once', async () => {
    const importList = vi.fn(() => import('@pydantic/genai-prices'));
    const catalogue = createCatalogue(importList);
    await Promise.all([catalogue.load(), catalogue.load()]);
    expect(catalogue.load()).toBeUndefined();
    expect(importList).toHaveBeenCalledTimes(1);
  });

  test('throws when the import fails, and retries at the next load', async () => {
    const importList = vi.fn(() => import('@pydantic/genai-prices'));
    importList.mockRejectedValueOnce(new Error('no such file'));
    const catalogue = createCatalogue(importList);
    await expect(catalogue.load()).rejects.toThrow('no such file');
    await catalogue.load();
    expect(catalogue.contextWindow('openai', 'gpt-4o')).toBe(128_000);
  });

  test('finds a dated snapshot by the name of its family', async () => {
    const catalogue = await loadedCatalogue();
    const card = catalogue.card('openai', 'gpt-4o-2024-08-06', spring2026);
    expect(card?.listed).toEqual({ vendor: 'openai', model: 'gpt-4o' });
    expect(usdPerMillion(card?.steps[0].rates.input ?? 0n)).toBe(2.5);
    expect(usdPerMillion(card?.steps[0].rates.cachedInput ?? 0n)).toBe(1.25);
    expect(usdPerMillion(card?.steps[0].rates.output ?? 0n)).toBe(10);
  });

  test('looks up a model once when its price does not change over time', async () => {
    const { calcPrice } = await import('@pydantic/genai-prices');
    const lookUp = vi.fn(calcPrice);
    const catalogue = createCatalogue(async () => ({ calcPrice: lookUp, findProvider }));
    await catalogue.load();
    const first = catalogue.card('openai', 'gpt-4o', spring2026);
    expect(catalogue.card('openai', 'gpt-4o', spring2026 + 1)).toBe(first);
    expect(lookUp).toHaveBeenCalledTimes(1);
  });

  test('looks up each of several models once, and an unlisted one too', async () => {
    const { calcPrice } = await import('@pydantic/genai-prices');
    const lookUp = vi.fn(calcPrice);
    const catalogue = createCatalogue(async () => ({ calcPrice: lookUp, findProvider }));
    await catalogue.load();
    for (let each = 0; each < 3; each += 1) {
      catalogue.card('openai', 'gpt-4o', spring2026);
      catalogue.card('openai', 'gpt-4o-mini', spring2026);
      catalogue.card('openai', 'no-such-model', spring2026);
    }
    expect(lookUp).toHaveBeenCalledTimes(3);
  });

  test('has no price when the list has none for that date', async () => {
    const { calcPrice } = await import('@pydantic/genai-prices');
    const catalogue = createCatalogue(async () => ({
      calcPrice: (usage, model, options) =>
        options?.timestamp === undefined ? calcPrice(usage, model, options) : null,
      findProvider,
    }));
    await catalogue.load();
    expect(catalogue.card('anthropic', 'claude-sonnet-4-6', spring2026)).toBeUndefined();
  });

  test('returns the price at the given date', async () => {
    const catalogue = await loadedCatalogue();
    const stepsOn = (at: number) =>
      catalogue.card('anthropic', 'claude-sonnet-4-6', at)?.steps.map(({ above }) => above);
    // Anthropic dropped the long-context step of Sonnet 4.6 on 13 March 2026.
    expect(stepsOn(Date.UTC(2026, 2, 12))).toEqual([0, 200_000]);
    expect(stepsOn(Date.UTC(2026, 2, 13))).toEqual([0]);
  });

  test('keeps the names of vendors that share a row', async () => {
    const catalogue = await loadedCatalogue();
    // Azure's list falls back on Anthropic's for Claude.
    expect(catalogue.card('azure', 'claude-opus-4-5', spring2026)?.listed?.vendor).toBe('azure');
    expect(catalogue.card('anthropic', 'claude-opus-4-5', spring2026)?.listed?.vendor).toBe(
      'anthropic',
    );
  });

  test('has no price for an unlisted vendor or model', async () => {
    const catalogue = await loadedCatalogue();
    expect(catalogue.card('openai', 'no-such-model', spring2026)).toBeUndefined();
    expect(catalogue.card('no-such-vendor', 'gpt-4o', spring2026)).toBeUndefined();
    expect(catalogue.contextWindow('openai', 'no-such-model')).toBeUndefined();
  });

  test('returns no price when the list throws for a row', async () => {
    const catalogue = createCatalogue(async () => ({
      findProvider,
      calcPrice: () => {
        throw new Error('Missing ancestor price key');
      },
    }));
    await catalogue.load();
    expect(catalogue.card('openai', 'gpt-4o', spring2026)).toBeUndefined();
  });

  test('limits the cache when a vendor sends a new model in every answer', async () => {
    const lookUp = vi.fn(() => null);
    const catalogue = createCatalogue(async () => ({ calcPrice: lookUp, findProvider }));
    await catalogue.load();
    catalogue.card('openai', 'first', spring2026);
    for (let index = 0; index < 1000; index += 1) {
      catalogue.card('openai', `model-${index}`, spring2026);
    }
    lookUp.mockClear();
    catalogue.card('openai', 'first', spring2026);
    expect(lookUp).toHaveBeenCalledTimes(1);
  });

  test.each([
    ['meta', 'muse-spark-1.3', 1.25, 1_048_576],
    ['meta', 'meta/muse-spark-1.1', 1.25, 1_048_576],
    ['meta', 'muse-spark-1.3-contributor', 0.1, 1_048_576],
    ['together', 'meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8', 0.27, undefined],
    ['groq', 'meta-llama/llama-4-maverick-17b-128e-instruct', 0.2, 131_072],
    ['fireworks', 'accounts/fireworks/models/llama4-maverick-instruct-basic', 0.22, 1_000_000],
    ['fireworks', 'llama4-maverick-instruct-basic', 0.22, 1_000_000],
    ['fireworks', 'accounts/fireworks/models/gemma-3-27b-it', 0.1, 131_000],
    ['aws', 'us.meta.llama4-maverick-17b-instruct-v1:0', 0.24, 1_000_000],
    ['aws', 'apac.meta.llama3-3-70b-instruct-v1:0', 0.72, 128_000],
    ['aws', 'us.mistral.pixtral-large-2502-v1:0', 2, 128_000],
    ['cloudflare', '@cf/meta/llama-3.3-70b-instruct-fp8-fast', 0.293, 24_000],
    ['google', 'gemma-4-26b-a4b-it-maas', 0.15, 262_144],
    ['google', 'google/gemma-4-26b-a4b-it-maas', 0.15, 262_144],
    ['google', 'publishers/google/models/gemini-3-flash-preview', 0.5, 1_000_000],
    ['google', 'google/gemini-3.8-flash', 0.75, 1_000_000],
    ['google', 'models/gemma-4-31b-it', 0, 262_144],
    ['google', 'gemma-3-27b-it', 0, 131_072],
    ['mistral', 'mistral-large-2512', 0.5, 262_144],
    ['mistral', 'mistral-large-latest', 0.5, 262_144],
    ['mistral', 'mistralai/ministral-14b-latest', 0.2, 262_144],
    ['mistral', 'devstral-medium-latest', 0.4, 262_144],
    ['mistral', 'mistral-medium-latest', 1.5, undefined],
    ['x-ai', 'grok-4.20-0309-non-reasoning', 1.25, 1_000_000],
    ['x-ai', 'xai/grok-4.20-reasoning', 1.25, 1_000_000],
    ['x-ai', 'grok-4.20-multi-agent', 2, 1_000_000],
    ['x-ai', 'grok-latest', 2, 500_000],
    ['groq', 'llama-3.3-70b-versatile', 0.59, undefined],
    ['openrouter', 'meta-llama/llama-3.3-70b-instruct', 0.05, undefined],
    ['cerebras', 'llama-3.3-70b', 0.85, 128_000],
    ['mistral', 'mistralai/mistral-large-2512', 0.5, 262_144],
    ['x-ai', 'grok-4-fast', 0.2, 2_000_000],
    ['x-ai', 'x-ai/grok-4', 3, 256_000],
    ['azure', 'grok-4', 3, 256_000],
    ['openrouter', 'x-ai/grok-4.3', 1.25, 1_000_000],
    ['openrouter', 'google/gemma-4-31b-it', 0.09, 262_144],
  ])('finds the model of %s written as %s', async (priceList, model, usd, window) => {
    const catalogue = await loadedCatalogue();
    const card = catalogue.card(priceList, model, Date.UTC(2026, 10, 1));
    expect(usdPerMillion(card?.steps[0].rates.input ?? -1n)).toBe(usd);
    expect(catalogue.contextWindow(priceList, model)).toBe(window);
  });
});
