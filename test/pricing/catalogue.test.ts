import { describe, expect, test, vi } from 'vitest';
import { createCatalogue } from '../../src/pricing/catalogue.ts';
import { usdPerMillion } from '../../src/pricing/money.ts';

const spring2026 = Date.UTC(2026, 3, 1);

async function loadedCatalogue() {
  const catalogue = createCatalogue();
  await catalogue.load();
  return catalogue;
}

describe('the catalogue', () => {
  test('knows nothing and imports nothing before it is loaded', () => {
    const importList = vi.fn(() => import('@pydantic/genai-prices'));
    const catalogue = createCatalogue(importList);
    expect(catalogue.card('openai', 'gpt-4o', spring2026)).toBeUndefined();
    expect(catalogue.contextWindow('openai', 'gpt-4o')).toBeUndefined();
    expect(importList).not.toHaveBeenCalled();
  });

  test('imports the list once, however often it is asked to', async () => {
    const importList = vi.fn(() => import('@pydantic/genai-prices'));
    const catalogue = createCatalogue(importList);
    await Promise.all([catalogue.load(), catalogue.load()]);
    await catalogue.load();
    expect(importList).toHaveBeenCalledTimes(1);
  });

  test('a failed import is told, and tried again the next time', async () => {
    const importList = vi.fn(() => import('@pydantic/genai-prices'));
    importList.mockRejectedValueOnce(new Error('no such file'));
    const catalogue = createCatalogue(importList);
    await expect(catalogue.load()).rejects.toThrow('no such file');
    await catalogue.load();
    expect(catalogue.contextWindow('openai', 'gpt-4o')).toBe(128_000);
  });

  test('finds a dated snapshot under the name of its family', async () => {
    const catalogue = await loadedCatalogue();
    const card = catalogue.card('openai', 'gpt-4o-2024-08-06', spring2026);
    expect(card?.listed).toEqual({ vendor: 'openai', model: 'gpt-4o' });
    expect(usdPerMillion(card?.steps[0].rates.input ?? 0n)).toBe(2.5);
    expect(usdPerMillion(card?.steps[0].rates.cachedInput ?? 0n)).toBe(1.25);
    expect(usdPerMillion(card?.steps[0].rates.output ?? 0n)).toBe(10);
  });

  test('asks the list once for a model whose price does not change with time', async () => {
    const { calcPrice } = await import('@pydantic/genai-prices');
    const asked = vi.fn(calcPrice);
    const catalogue = createCatalogue(async () => ({ calcPrice: asked }));
    await catalogue.load();
    const first = catalogue.card('openai', 'gpt-4o', spring2026);
    expect(catalogue.card('openai', 'gpt-4o', spring2026 + 1)).toBe(first);
    expect(asked).toHaveBeenCalledTimes(1);
  });

  test('a price that changed on a date is that of the day', async () => {
    const catalogue = await loadedCatalogue();
    const stepsOn = (at: number) =>
      catalogue.card('anthropic', 'claude-sonnet-4-6', at)?.steps.map(({ above }) => above);
    // Anthropic dropped the long-context step of Sonnet 4.6 on 13 March 2026.
    expect(stepsOn(Date.UTC(2026, 2, 12))).toEqual([0, 200_000]);
    expect(stepsOn(Date.UTC(2026, 2, 13))).toEqual([0]);
  });

  test('vendors that share a row keep their own names', async () => {
    const catalogue = await loadedCatalogue();
    // Azure's list falls back on Anthropic's for Claude.
    expect(catalogue.card('azure', 'claude-opus-4-5', spring2026)?.listed?.vendor).toBe('azure');
    expect(catalogue.card('anthropic', 'claude-opus-4-5', spring2026)?.listed?.vendor).toBe(
      'anthropic',
    );
  });

  test('a vendor or a model that is not listed has no price', async () => {
    const catalogue = await loadedCatalogue();
    expect(catalogue.card('openai', 'no-such-model', spring2026)).toBeUndefined();
    expect(catalogue.card('no-such-vendor', 'gpt-4o', spring2026)).toBeUndefined();
    expect(catalogue.contextWindow('openai', 'no-such-model')).toBeUndefined();
  });

  test('a row that makes the list throw is a price nobody knows', async () => {
    const catalogue = createCatalogue(async () => ({
      calcPrice: () => {
        throw new Error('Missing ancestor price key');
      },
    }));
    await catalogue.load();
    expect(catalogue.card('openai', 'gpt-4o', spring2026)).toBeUndefined();
  });

  test('a vendor that names a new model in every answer does not fill the memory for good', async () => {
    const asked = vi.fn(() => null);
    const catalogue = createCatalogue(async () => ({ calcPrice: asked }));
    await catalogue.load();
    catalogue.card('openai', 'first', spring2026);
    for (let index = 0; index < 1000; index += 1) {
      catalogue.card('openai', `model-${index}`, spring2026);
    }
    asked.mockClear();
    catalogue.card('openai', 'first', spring2026);
    expect(asked).toHaveBeenCalledTimes(1);
  });
});
