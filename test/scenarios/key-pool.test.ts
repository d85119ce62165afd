import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { anthropic } from '../../src/anthropic.ts';
import { mistral } from '../../src/compatible.ts';
import { google } from '../../src/google.ts';
import { azureOpenAI, openai, openaiChat } from '../../src/openai.ts';
import type { Provider } from '../../src/protocol/provider.ts';
import { createRouter } from '../../src/router.ts';
import {
  type SimulatedProvider,
  type SimulatedProviders,
  simulateProviders,
} from '../../src/testing/simulate-providers.ts';

let simulators: SimulatedProviders;

beforeAll(async () => {
  simulators = await simulateProviders();
});
beforeEach(() => simulators.reset());
afterAll(() => simulators.close());

/** A pool of a rejected key, a function and a plain key. */
const apiKey = ['bad-key', () => 'second-key', 'third-key'] as const;

type Vendor = (all: SimulatedProviders) => { simulator: SimulatedProvider; provider: Provider };
const vendors: Record<string, Vendor> = {
  'openai()': (all) => ({
    simulator: all.openai,
    provider: openai({ apiKey, baseURL: all.openai.baseURL }),
  }),
  'openaiChat()': (all) => ({
    simulator: all.compatible,
    provider: openaiChat({ apiKey, baseURL: all.compatible.baseURL }),
  }),
  'anthropic()': (all) => ({
    simulator: all.anthropic,
    provider: anthropic({ apiKey, baseURL: all.anthropic.baseURL }),
  }),
  'google()': (all) => ({
    simulator: all.google,
    provider: google({ apiKey, baseURL: all.google.baseURL }),
  }),
  'mistral()': (all) => ({
    simulator: all.compatible,
    provider: mistral({ apiKey, baseURL: all.compatible.baseURL }),
  }),
  'azureOpenAI()': (all) => ({
    simulator: all.openai,
    provider: azureOpenAI({ apiKey, baseURL: all.openai.baseURL.replace(/\/v1$/, '') }),
  }),
};

describe.each(Object.keys(vendors))('a pool of keys for %s', (name) => {
  const setUp = () => {
    const vendor = vendors[name]?.(simulators);
    if (vendor === undefined) throw new Error(`no vendor ${name}`);
    const router = createRouter({ providers: { v: vendor.provider }, tiers: { t: ['v/model'] } });
    const keys = () => vendor.simulator.log.map(({ key }) => key);
    return { router, simulator: vendor.simulator, keys };
  };

  it('skips a rejected key and rotates the others', async () => {
    const { router, keys } = setUp();
    const first = await router.complete('t', 'hi');
    expect(first.trail.map(({ key, error }) => [key, error?.code])).toEqual([
      [1, 'auth'],
      [2, undefined],
    ]);
    for (let each = 0; each < 3; each++) await router.complete('t', 'hi');
    expect(keys().filter((key) => key === 'bad-key')).toHaveLength(1);
    expect(keys()).toContain('second-key');
    expect(keys()).toContain('third-key');
  });

  it('skips a limited key while another works', async () => {
    const { router, simulator, keys } = setUp();
    simulator.fault(
      { type: 'status', status: 429, retryAfterSeconds: 60 },
      { when: ({ key }) => key === 'second-key' },
    );
    for (let each = 0; each < 4; each++) await router.complete('t', 'hi');
    expect(keys().filter((key) => key === 'second-key')).toHaveLength(1);
    expect(JSON.stringify(router.snapshot())).not.toContain('-key');
  });
});

describe('a pool', () => {
  it('must not be empty, and contains only strings and functions', () => {
    expect(() => openai({ apiKey: [] })).toThrow('openai().apiKey');
    expect(() => openai({ apiKey: ['a', 1] as never })).toThrow('openai().apiKey');
  });
});
