import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { anthropic } from '../../src/anthropic.ts';
import { openai, openaiChat } from '../../src/openai.ts';
import type { Provider } from '../../src/protocol/provider.ts';
import { createRouter } from '../../src/router.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import { type ScriptedServer, startScriptedServer } from '../support/scripted-server.ts';

let server: ScriptedServer | undefined;
afterEach(() => server?.stop());

const inHalfAMinute = (): string => new Date(Date.now() + 30_000).toISOString();

type Vendor = {
  readonly provider: (url: string) => Provider;
  readonly headers: () => Record<string, string>;
  readonly body: unknown;
};

const openaiHeaders = () => ({
  'x-ratelimit-limit-requests': '60',
  'x-ratelimit-remaining-requests': '0',
  'x-ratelimit-reset-requests': '30s',
});

const vendors: Record<string, Vendor> = {
  'openaiChat()': {
    provider: (baseURL) => openaiChat({ apiKey: 'k', baseURL }),
    headers: openaiHeaders,
    body: {
      id: 'c',
      object: 'chat.completion',
      model: 'm',
      choices: [
        { index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'yes' } },
      ],
    },
  },
  'openai()': {
    provider: (baseURL) => openai({ apiKey: 'k', baseURL }),
    headers: openaiHeaders,
    body: {
      id: 'r',
      object: 'response',
      model: 'm',
      status: 'completed',
      output: [
        {
          type: 'message',
          id: 'o',
          role: 'assistant',
          status: 'completed',
          content: [{ type: 'output_text', text: 'yes', annotations: [] }],
        },
      ],
    },
  },
  'anthropic()': {
    provider: (baseURL) => anthropic({ apiKey: 'k', baseURL }),
    headers: () => ({
      'anthropic-ratelimit-requests-limit': '50',
      'anthropic-ratelimit-requests-remaining': '0',
      'anthropic-ratelimit-requests-reset': inHalfAMinute(),
    }),
    body: {
      id: 'm',
      type: 'message',
      role: 'assistant',
      model: 'm',
      content: [{ type: 'text', text: 'yes' }],
      stop_reason: 'end_turn',
      usage: { input_tokens: 1, output_tokens: 1 },
    },
  },
};

describe.each(Object.entries(vendors))('%s', (_, vendor) => {
  const answer = (response: ServerResponse): void => {
    response.writeHead(200, { 'content-type': 'application/json', ...vendor.headers() });
    response.end(JSON.stringify(vendor.body));
  };

  it('is skipped when its headers report that no requests are left', async () => {
    server = await startScriptedServer(answer);
    const router = createRouter({
      providers: { v: vendor.provider(server.url), spare: fakeProvider('spare') },
      tiers: { t: { targets: ['v/m', 'spare/m'], transfer: 'unary' } },
    });
    expect((await router.complete('t', 'hi')).text).toBe('yes');
    expect(router.snapshot().targets['v/m']?.limits?.requestsLeft).toBe(0);
    const { text, trail } = await router.complete('t', 'hi');
    expect(text).toBe('spare');
    expect(trail[0]?.reason).toContain("the vendor's own limit is used up until");
    expect(server.seen).toHaveLength(1);
  });
});
