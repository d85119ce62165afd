import { describe, expect, test } from 'vitest';
import { residencyRatio, tierPrice } from '../../src/pricing/rate-card.ts';

function ask(vendor: string, model: string, serviceTier: string, more = {}) {
  return tierPrice({ vendor, model, serviceTier, longContext: false, cached: false, ...more });
}

describe('service tiers', () => {
  test.each([
    '',
    'default',
    'standard',
    'auto',
    'on_demand',
    'ON_DEMAND',
    'SERVICE_TIER_STANDARD',
    'SERVICE_TIER_UNSPECIFIED',
  ])('treat "%s" as the standard price', (word) => {
    expect(ask('openai', 'gpt-5.4', word)).toEqual({ ratio: [1, 1], exact: true });
  });

  test('price OpenAI flex and batch at half, including long context', () => {
    const half = { ratio: [1, 2], exact: true };
    expect(ask('openai', 'gpt-5.4', 'flex', { longContext: true })).toEqual(half);
    expect(ask('openai', 'gpt-6-sol', 'batch', { cached: true })).toEqual(half);
  });

  // Standard and fast input in cents per million tokens, from OpenAI's price pages.
  test.each([
    ['gpt-5.4', 250, 500],
    ['gpt-5.5', 500, 1250],
    ['gpt-5-mini', 25, 45],
    ['gpt-4.1', 200, 350],
    ['gpt-4o', 250, 425],
    ['gpt-4o-mini', 15, 25],
    ['o4-mini', 110, 200],
  ])("OpenAI's %s costs %i cents, and %i when fast", (model, standard, fast) => {
    for (const word of ['priority', 'fast']) {
      const { ratio, exact } = ask('openai', model, word);
      expect((standard * ratio[0]) / ratio[1]).toBe(fast);
      expect(exact).toBe(true);
    }
  });

  test.each([
    ['openai', 'priority', 'gpt-4.1-nano', 2, 1],
    ['openai', 'priority', 'gpt-5', 2, 1],
    ['openai', 'priority', 'gpt-5.1', 2, 1],
    ['openai', 'priority', 'gpt-5.2', 2, 1],
    ['openai', 'priority', 'gpt-5.4-mini', 2, 1],
    ['openai', 'priority', 'gpt-5.6-luna', 2, 1],
    ['openai', 'priority', 'gpt-5.6-sol', 2, 1],
    ['openai', 'priority', 'gpt-5.6-terra', 2, 1],
    ['openai', 'priority', 'gpt-4.1-mini', 7, 4],
    ['openai', 'priority', 'gpt-4o-2024-05-13', 7, 4],
    ['openai', 'priority', 'o3', 7, 4],
    ['anthropic', 'fast', 'claude-opus-4-6', 6, 1],
    ['anthropic', 'fast', 'claude-opus-4-7', 6, 1],
    ['anthropic', 'fast', 'claude-opus-4-8', 2, 1],
    ['anthropic', 'fast', 'claude-opus-5', 2, 1],
    ['anthropic', 'batch', 'claude-opus-5', 1, 2],
    ['google', 'batch', 'gemini-2.5-pro', 1, 2],
    ['google', 'priority', 'gemini-3.7-flash', 9, 5],
  ])('have a published multiple: %s %s for %s', (vendor, tier, model, over, under) => {
    expect(ask(vendor, model, tier)).toEqual({ ratio: [over, under], exact: true });
  });

  test('are exact in long context only where the vendor says so', () => {
    const long = { longContext: true };
    for (const model of ['gpt-5.5', 'gpt-5-mini', 'gpt-4.1', 'gpt-4o', 'gpt-4o-mini', 'o4-mini']) {
      expect(ask('openai', model, 'fast', long).exact).toBe(false);
    }
    expect(ask('anthropic', 'claude-opus-5', 'fast', long).exact).toBe(true);
  });

  test('estimate fast mode for long context and unlisted models', () => {
    expect(ask('openai', 'gpt-5.4', 'priority', { longContext: true }).exact).toBe(false);
    expect(ask('openai', 'gpt-99', 'priority')).toEqual({ ratio: [2, 1], exact: false });
  });

  test('are exact for Google without a cache, in every spelling', () => {
    for (const word of ['flex', 'SERVICE_TIER_FLEX', 'ON_DEMAND_FLEX']) {
      expect(ask('google', 'gemini-2.5-pro', word)).toEqual({ ratio: [1, 2], exact: true });
    }
    expect(ask('google', 'gemini-2.5-pro', 'flex', { cached: true }).exact).toBe(false);
    expect(ask('google', 'gemini-3.8-flash', 'priority')).toEqual({ ratio: [9, 5], exact: true });
    expect(ask('google', 'gemini-2.5-pro', 'priority')).toEqual({ ratio: [9, 5], exact: false });
    expect(ask('google', 'gemini-2.5-pro', 'batch', { cached: true }).exact).toBe(false);
    expect(ask('google', 'gemini-3.8-flash', 'priority', { cached: true }).exact).toBe(false);
  });

  test('price Groq flex at the standard price', () => {
    expect(ask('groq', 'llama-3.3-70b-versatile', 'flex')).toEqual({ ratio: [1, 1], exact: true });
  });

  test('estimate an unknown tier or vendor at the standard price', () => {
    const inexact = { ratio: [1, 1], exact: false };
    expect(ask('openai', 'gpt-5.4', 'scale')).toEqual(inexact);
    expect(ask('azure', 'gpt-5.4', 'priority')).toEqual(inexact);
    expect(ask('anthropic', 'claude-sonnet-4-6', 'fast')).toEqual(inexact);
    expect(ask('openai', 'gpt-5.4', 'constructor')).toEqual(inexact);
    expect(ask('openai', 'gpt-5.4', 'my_on_demand_flex')).toEqual(inexact);
    expect(ask('constructor', 'gpt-5.4', 'name')).toEqual(inexact);
  });
});

describe('the region of inference', () => {
  test("costs more in the United States on Anthropic's API, and the same elsewhere", () => {
    expect(residencyRatio('anthropic', 'us')).toEqual([11, 10]);
    expect(residencyRatio('anthropic', 'global')).toEqual([1, 1]);
    expect(residencyRatio('anthropic', '')).toEqual([1, 1]);
    expect(residencyRatio('openai', 'us')).toEqual([1, 1]);
  });
});
