import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
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
import {
  answerJson,
  type ScriptedServer,
  startScriptedServer,
} from '../support/scripted-server.ts';

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

describe('reasoning that is bound to a key of a pool', () => {
  const sealedBy = (key: string) => [
    { type: 'reasoning', id: 'rs_1', encrypted_content: `sealed by ${key}`, summary: [] },
    {
      type: 'message',
      role: 'assistant',
      content: [{ type: 'output_text', text: 'ok', annotations: [] }],
    },
  ];
  const usage = { input_tokens: 1, output_tokens: 1, total_tokens: 2 };
  const down = new Set<string>();
  let server: ScriptedServer;

  beforeEach(async () => {
    down.clear();
    // As a vendor whose keys belong to different organisations.
    server = await startScriptedServer((response, { headers, body }) => {
      const key = String(headers.authorization).replace('Bearer ', '');
      const sealed = /sealed by (\w+)/.exec(JSON.stringify(body))?.[1] ?? key;
      if (down.has(key)) answerJson({ error: { message: 'slow down' } }, 429)(response);
      else if (sealed !== key) {
        answerJson({ error: { code: 'invalid_encrypted_content', message: 'No' } }, 400)(response);
      } else {
        const output = sealedBy(key);
        answerJson({ object: 'response', status: 'completed', output, usage })(response);
      }
    });
  });
  afterEach(() => server.stop());

  const setUp = () =>
    createRouter({
      providers: { v: openai({ apiKey: ['one', 'two', 'three'], baseURL: server.url }) },
      tiers: { t: { targets: ['v/gpt-5.4'], transfer: 'unary' } },
    });
  const keys = () => server.seen.map(({ headers }) => String(headers.authorization).slice(7));
  const sent = (index: number) => JSON.stringify(server.seen.at(index)?.body);
  const user = (content: string) => ({ role: 'user', content }) as const;

  it('is sent back with the same key', async () => {
    const router = setUp();
    const first = await router.complete('t', 'hi');
    const turns = [
      user('hi'),
      { role: 'assistant', content: first.content },
      user('more'),
    ] as const;
    const second = await router.complete('t', turns);
    expect(second.warnings).toEqual([]);
    expect(keys()).toEqual(['one', 'one']);
    expect(sent(1)).toContain('sealed by one');
    // Another conversation begins with the next key.
    await router.complete('t', 'hi');
    expect(new Set(keys()).size).toBe(2);
    await router.close();
  });

  it('is left out, with a warning, when another key has to answer', async () => {
    const router = setUp();
    const first = await router.complete('t', 'hi');
    down.add('one');
    const turns = [
      user('hi'),
      { role: 'assistant', content: first.content },
      user('more'),
    ] as const;
    const second = await router.complete('t', turns);
    expect(second.text).toBe('ok');
    expect(second.warnings).toMatchObject([{ code: 'compat' }]);
    expect(sent(-1)).not.toContain('sealed');
    // The next turn is bound to the key that answered last.
    down.clear();
    const next = [...turns, { role: 'assistant', content: second.content }, user('go on')] as const;
    await router.complete('t', next);
    expect(keys().at(-1)).toBe(keys().at(-2));
    expect(sent(-1)).not.toContain('sealed by one');
    await router.close();
  });

  it('is checked as any other part of the conversation', async () => {
    const router = setUp();
    const opaque = {
      wire: 'openai-responses',
      provider: 'v',
      model: 'm',
      kind: 'encrypted',
      data: '{}',
    };
    const content = [{ type: 'reasoning', text: '', opaque: { ...opaque, key: -1 } }] as const;
    const turns = [user('hi'), { role: 'assistant', content }, user('more')] as never;
    await expect(router.complete('t', turns)).rejects.toMatchObject({
      code: 'config',
      message: expect.stringContaining('opaque.key'),
    });
    await router.close();
  });
});
