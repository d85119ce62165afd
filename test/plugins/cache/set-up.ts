import { type ResponseCacheOptions, responseCache } from '../../../src/cache.ts';
import type { Plugin, Provider, RouterConfig, StreamPart } from '../../../src/index.ts';
import { createRouter } from '../../../src/router.ts';
import { type FakeScript, fakeProvider } from '../../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../../src/testing/fake-runtime.ts';
import { recordEvents } from '../../../src/testing/record-events.ts';

type Setting = {
  /** The answers of the provider `a`. */
  readonly script?: FakeScript;
  readonly cache?: ResponseCacheOptions;
  /** Plugins outside of the cache, and inside. */
  readonly outside?: readonly Plugin[];
  readonly inside?: readonly Plugin[];
  readonly tier?: object;
  readonly routing?: Partial<RouterConfig<'a' | 'b'>>;
  readonly time?: 'auto' | 'manual';
  readonly a?: Partial<Provider>;
};

/** A router with a cache, and two providers; each answer of `a` says how many it gave. */
export function setUp({
  script,
  cache = {},
  outside = [],
  inside = [],
  tier = {},
  routing = {},
  time = 'auto',
  a: more = {},
}: Setting = {}) {
  const runtime = fakeRuntime({ time });
  const numbered: FakeScript = (_, attempt) => `answer ${attempt}`;
  const fake = fakeProvider(script ?? numbered, { runtime });
  const spare = fakeProvider('spare', { runtime, compliance: { region: 'eu' } });
  const router = createRouter({
    runtime,
    providers: { a: { ...fake, ...more }, b: spare },
    prices: { 'a/m': { input: 1_000, output: 1_000 }, 'b/m': { input: 1, output: 1 } },
    tiers: {
      t: { targets: ['a/m', 'b/m'], retry: { minMs: 1 }, ...tier },
      other: { targets: ['a/m'] },
    },
    plugins: [...outside, responseCache(cache), ...inside],
    ...routing,
  });
  return { runtime, router, a: fake, b: spare, events: recordEvents(router) };
}

export async function read(parts: AsyncIterable<StreamPart>): Promise<readonly StreamPart[]> {
  const all: StreamPart[] = [];
  for await (const part of parts) all.push(part);
  return all;
}

export function textOf(parts: readonly StreamPart[]): string {
  return parts.map((part) => (part.type === 'text-delta' ? part.delta : '')).join('');
}

/** A provider of vectors; counts its requests. */
export function vectors(): { readonly provider: Provider; readonly requests: unknown[] } {
  const requests: unknown[] = [];
  const fake = fakeProvider();
  const provider: Provider = {
    ...fake,
    maxEmbeddingBatch: () => 2,
    prepareEmbedding({ values, dimensions = 2 }) {
      requests.push(values);
      const vectors = values.map((value) => Array.from({ length: dimensions }, () => value.length));
      return {
        warnings: [],
        async *send() {
          const usage = { inputTokens: 1_000, outputTokens: 0, totalTokens: 1_000 };
          yield [
            { type: 'vectors', vectors },
            { type: 'finish', finishReason: 'stop', usage },
          ];
        },
      };
    },
    prepareImage({ prompt }) {
      requests.push(prompt);
      const source = { data: 'aGk=', mediaType: 'image/png' };
      return {
        warnings: [],
        async *send() {
          yield [
            { type: 'part-end', part: { type: 'image', source } },
            { type: 'finish', finishReason: 'stop' },
          ];
        },
      };
    },
  };
  return { provider, requests };
}
