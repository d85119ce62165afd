import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Plugin, Provider } from '../../../src/index.ts';
import { createRouter } from '../../../src/router.ts';
import { fakeProvider } from '../../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../../src/testing/fake-runtime.ts';
import { testPlugin } from '../../../src/testing/plugin-contract.ts';
import { fencesOf } from '../../docs/markdown.ts';
import { read, textOf } from './set-up.ts';

type SemanticCache = (embedTier: string, tenant: string, threshold?: number) => Plugin;

const directory = mkdtempSync(join(tmpdir(), 'semantic-cache-'));
let semanticCache: SemanticCache = () => ({ name: 'not loaded' });

beforeAll(async () => {
  const fence = fencesOf('docs/response-cache.md').find(({ code }) => code.includes('cosine'));
  const file = join(directory, 'semantic-cache.mjs');
  writeFileSync(file, stripTypeScriptTypes(fence?.code ?? ''));
  ({ semanticCache } = await import(pathToFileURL(file).href));
});

afterAll(() => rmSync(directory, { recursive: true }));

/** As near to each other as the vectors of real models: the opposite is nearer than the paraphrase. */
const near: Readonly<Record<string, readonly number[]>> = {
  'How do I enable 2FA?': [1, 0],
  'how can I enable 2FA': [1, 0.1],
  'How do I disable 2FA?': [1, 0.05],
  'How do I turn on 2FA?': [1, 0.9],
  'Fly from Rome to Oslo': [0, 1],
  'Fly from Oslo to Rome': [0, 1],
};

function setUp() {
  const runtime = fakeRuntime({ time: 'manual' });
  const a = fakeProvider((_, attempt) => `answer ${attempt}`, { runtime });
  const vectors: Provider = {
    ...fakeProvider(),
    prepareEmbedding: ({ values }) => ({
      warnings: [],
      async *send() {
        yield [
          { type: 'vectors', vectors: values.map((value) => near[value] ?? [1, 1]) },
          { type: 'finish', finishReason: 'stop' },
        ];
      },
    }),
  };
  const router = createRouter({
    runtime,
    providers: { a, vectors },
    prices: { 'a/m': { input: 1, output: 1 } },
    tiers: { t: ['a/m'], embed: ['vectors/m'] },
    plugins: [semanticCache('embed', 'tenant')],
  });
  const ask = async (question: string, tenant = 'x', options: object = {}) =>
    (await router.complete('t', question, { tags: { tenant }, ...options })).text;
  return { runtime, router, a, ask };
}

describe('the semantic cache of the docs', () => {
  it('answers the same question in other words of no weight', async () => {
    const { router, ask, a } = setUp();
    await ask('How do I enable 2FA?');
    expect(await ask('how can I enable 2FA')).toBe('answer 1');
    const parts = await read(router.stream('t', 'how can I enable 2FA', { tags: { tenant: 'x' } }));
    expect(textOf(parts)).toBe('answer 1');
    expect(parts.at(-1)).toMatchObject({ completion: { cached: true, cost: { usd: 0 } } });
    expect(a.calls).toHaveLength(1);
  });

  it('does not answer the opposite, however near it is', async () => {
    const { ask } = setUp();
    await ask('How do I enable 2FA?');
    expect(await ask('How do I disable 2FA?')).toBe('answer 2');
    expect(await ask('How do I turn on 2FA?')).toBe('answer 3');
    await ask('Fly from Rome to Oslo');
    expect(await ask('Fly from Oslo to Rome')).toBe('answer 5');
  });

  it('keeps tenants, options and old answers apart', async () => {
    const { ask, runtime } = setUp();
    await ask('How do I enable 2FA?');
    expect(await ask('How do I enable 2FA?', 'y')).toBe('answer 2');
    expect(await ask('How do I enable 2FA?', 'x', { maxOutputTokens: 9 })).toBe('answer 3');
    expect(await ask('How do I enable 2FA?', 'x', { system: 'Be rude.' })).toBe('answer 4');
    await runtime.advance(600_000);
    expect(await ask('How do I enable 2FA?')).toBe('answer 5');
  });

  for (const { name, run } of testPlugin({
    plugin: () => ({ ...semanticCache('t', 'x'), failOpen: true }),
  })) {
    it(name, run);
  }
});
