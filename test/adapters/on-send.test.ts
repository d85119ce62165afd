import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { anthropic } from '../../src/anthropic.ts';
import { mistral } from '../../src/compatible.ts';
import { google } from '../../src/google.ts';
import type { OutgoingRequest, Provider } from '../../src/index.ts';
import { azureOpenAI, openai, openaiChat } from '../../src/openai.ts';
import { createRouter } from '../../src/router.ts';
import { simulateProviders } from '../../src/testing.ts';

const key = 'sk-a-key-that-nobody-may-see';
const prompt = 'The prompt, with "quotes" and 🦊.';

let vendors: Awaited<ReturnType<typeof simulateProviders>>;
beforeAll(async () => {
  vendors = await simulateProviders();
});
afterAll(() => vendors.close());

type Settings = { readonly apiKey: string; readonly onSend: (request: OutgoingRequest) => unknown };
type Case = readonly [
  vendor: 'openai' | 'anthropic' | 'google' | 'compatible',
  (s: Settings) => Provider,
];

const cases: Readonly<Record<string, Case>> = {
  openai: ['openai', (s) => openai({ ...s, baseURL: vendors.openai.baseURL })],
  openaiChat: ['openai', (s) => openaiChat({ ...s, baseURL: vendors.openai.baseURL })],
  azureOpenAI: [
    'openai',
    (s) => azureOpenAI({ ...s, baseURL: vendors.openai.baseURL, wire: 'chat' }),
  ],
  anthropic: ['anthropic', (s) => anthropic({ ...s, baseURL: vendors.anthropic.baseURL })],
  google: ['google', (s) => google({ ...s, baseURL: vendors.google.baseURL })],
  mistral: ['compatible', (s) => mistral({ ...s, baseURL: vendors.compatible.baseURL })],
};

function routerOf(provider: Provider) {
  return createRouter({ providers: { vendor: provider }, tiers: { t: ['vendor/some-model'] } });
}

describe('onSend', () => {
  it.each(Object.entries(cases))(
    'shows the body that %s sends, without the key',
    async (_, row) => {
      const [vendor, provider] = row;
      const shown: OutgoingRequest[] = [];
      const router = routerOf(provider({ apiKey: key, onSend: (request) => shown.push(request) }));
      vendors[vendor].reset();
      const events: unknown[] = [];
      router.on('*', (event) => events.push(event));
      // The user of a call may have pasted the key into the prompt.
      await router.complete('t', `${prompt} ${key}`);
      const [sent] = vendors[vendor].log;
      expect(shown).toHaveLength(1);
      expect(JSON.parse(shown[0]?.body ?? '')).toEqual(
        JSON.parse(JSON.stringify(sent?.body).replaceAll(key, '[credential]')),
      );
      expect(shown[0]?.body).toContain('🦊');
      expect(shown[0]).toMatchObject({
        method: 'POST',
        url: expect.stringMatching(/^http:.*\/v1/),
      });
      expect(JSON.stringify(shown)).not.toContain(key);
      expect(JSON.stringify(events)).not.toContain('🦊');
    },
  );

  it('sends the request although the function throws, rejects or changes its argument', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const failing = [
      () => {
        throw new Error(prompt);
      },
      () => Promise.reject(new Error(prompt)),
      (request: OutgoingRequest) => Object.assign(request, { body: '{}', headers: {} }),
    ];
    for (const onSend of failing) {
      vendors.openai.reset();
      const { baseURL } = vendors.openai;
      await routerOf(openai({ apiKey: key, baseURL, onSend })).complete('t', prompt);
      expect(JSON.stringify(vendors.openai.log[0]?.body)).toContain('🦊');
    }
    expect(warn).toHaveBeenCalledTimes(2);
    expect(JSON.stringify(warn.mock.calls)).not.toContain('🦊');
    warn.mockRestore();
  });

  it('is a config error unless it is a function', () => {
    expect(() => openai({ onSend: 'console.log' } as never)).toThrow('openai().onSend: must be');
  });
});
