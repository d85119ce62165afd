import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { anthropic } from '../../src/anthropic.ts';
import { groq, ollama } from '../../src/compatible.ts';
import { google } from '../../src/google.ts';
import { createRouter, type Provider } from '../../src/index.ts';
import { azureOpenAI, openai, openaiChat } from '../../src/openai.ts';
import {
  type SimulatedProviders,
  simulateProviders,
} from '../../src/testing/simulate-providers.ts';

const variables = [
  'OPENAI_API_KEY',
  'ANTHROPIC_API_KEY',
  'GOOGLE_API_KEY',
  'GEMINI_API_KEY',
  'GROQ_API_KEY',
  'AZURE_OPENAI_API_KEY',
];

let simulated: SimulatedProviders;
beforeAll(async () => {
  simulated = await simulateProviders();
});
afterAll(() => simulated.close());

function withoutKeys(): void {
  for (const name of variables) vi.stubEnv(name, undefined);
}

async function messageOf(provider: Provider): Promise<string> {
  const router = createRouter({ providers: { p: provider }, tiers: { t: ['p/m'] } });
  const error = await router.complete('t', 'hi').catch((thrown: unknown) => thrown);
  await router.close();
  return String(error);
}

describe('the error about a rejected key', () => {
  it('names the setting that the key is from, and never the key', async () => {
    withoutKeys();
    const { baseURL } = simulated.openai;
    for (const [make, setting] of [
      [() => openai({ apiKey: 'bad-key', baseURL }), 'openai().apiKey'],
      [() => openaiChat({ apiKey: ['bad-key'], baseURL }), 'openaiChat().apiKey[0]'],
      [() => openai({ apiKey: () => 'bad-key', baseURL }), 'openai().apiKey'],
      [() => openai({ headers: { authorization: 'Bearer bad-key' }, baseURL }), 'openai().headers'],
      [
        () => anthropic({ apiKey: 'bad-key', baseURL: simulated.anthropic.baseURL }),
        'anthropic().apiKey',
      ],
      [() => google({ apiKey: 'bad-key', baseURL: simulated.google.baseURL }), 'google().apiKey'],
    ] as const) {
      const message = await messageOf(make());
      expect(message).toContain(`; the key is from ${setting}`);
      expect(message).not.toContain('bad-key');
    }
  });

  it('names the environment variable that the key is from', async () => {
    withoutKeys();
    vi.stubEnv('OPENAI_API_KEY', 'bad-key');
    vi.stubEnv('GEMINI_API_KEY', 'bad-key');
    expect(await messageOf(openai({ baseURL: simulated.openai.baseURL }))).toContain(
      '; the key is from the variable OPENAI_API_KEY',
    );
    expect(await messageOf(google({ baseURL: simulated.google.baseURL }))).toContain(
      '; the key is from the variable GEMINI_API_KEY',
    );
  });
});

describe('preload', () => {
  const tiers = { t: ['openai/m'] } as const;

  it('reports every provider without a key, with its setting and its variable', async () => {
    withoutKeys();
    const providers = {
      openai: openai(),
      claude: anthropic(),
      gemini: google({ apiKey: 'k' }),
      groq: groq(),
      azure: azureOpenAI({ resource: 'r' }),
      local: ollama(),
    };
    const error = await createRouter({ providers, tiers })
      .preload()
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'auth' });
    expect((error as Error).message.split('\n')).toEqual([
      'provider "openai": openai().apiKey: there is no key; set it, or the variable OPENAI_API_KEY',
      'provider "claude": anthropic().apiKey: there is no key; set it, or the variable ANTHROPIC_API_KEY',
      'provider "groq": groq().apiKey: there is no key; set it, or the variable GROQ_API_KEY',
      'provider "azure": azureOpenAI().apiKey: there is no key; set it, or the variable AZURE_OPENAI_API_KEY',
    ]);
  });

  it('calls no function for a key, and finds an empty key of a pool', async () => {
    withoutKeys();
    const key = vi.fn(() => 'k');
    const router = createRouter({ providers: { openai: openai({ apiKey: key }) }, tiers });
    await router.preload();
    expect(key).not.toHaveBeenCalled();
    const pool = createRouter({ providers: { openai: openai({ apiKey: ['k', ' '] }) }, tiers });
    await expect(pool.preload()).rejects.toThrow(
      'provider "openai": openai().apiKey: there is no key',
    );
  });
});
