import { describe, expect, it } from 'vitest';
import { SignalboxError } from '../../src/errors.ts';
import type { Provider } from '../../src/protocol/provider.ts';
import { createRouter } from '../../src/router.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { recordEvents } from '../../src/testing/record-events.ts';

type Script = { readonly fails?: number; readonly length?: number; readonly batch?: number };

/** A provider of vectors: each value's vector begins with its number, so that order can be seen. */
function embedder({ fails = 0, length = 3, batch = 2 }: Script = {}) {
  const asked: (readonly string[])[] = [];
  const provider: Provider = {
    wire: 'fake',
    maxEmbeddingBatch: batch,
    capabilities: () => new Set(),
    preload: async () => undefined,
    prepare() {
      throw new SignalboxError('unsupported', 'lacks answers');
    },
    prepareEmbedding: ({ values, dimensions = length }) => ({
      warnings: [],
      async *send() {
        asked.push(values);
        if (asked.length <= fails) throw new SignalboxError('overloaded', 'overloaded');
        const vectors = values.map((value) => [Number(value), ...Array(dimensions - 1).fill(0)]);
        yield [{ type: 'vectors', vectors }];
        const inputTokens = values.length;
        const usage = { inputTokens, outputTokens: 0, totalTokens: inputTokens };
        yield [{ type: 'finish', finishReason: 'stop', usage }];
      },
    }),
  };
  return { provider, asked };
}

const prices = { 'a/m': { input: 1, output: 0 } };

describe('embed', () => {
  it('asks the provider how much a model takes, where models differ', async () => {
    const { provider, asked } = embedder();
    const limits: Readonly<Record<string, number>> = { one: 1, three: 3 };
    const maxEmbeddingBatch = (model: string) => limits[model] ?? 0;
    const router = createRouter({
      providers: { a: { ...provider, maxEmbeddingBatch } },
      tiers: { v: ['a/three'], w: ['a/three', 'a/one'] },
    });
    await router.embed('v', ['1', '2', '3', '4']);
    expect(asked).toEqual([['1', '2', '3'], ['4']]);
    await router.embed('w', ['1', '2'], { concurrency: 1 });
    expect(asked.slice(2)).toEqual([['1'], ['2']]);
  });

  it('splits the values to the limit, keeps their order, and adds up usage and cost', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const { provider, asked } = embedder();
    const router = createRouter({
      runtime,
      providers: { a: provider },
      tiers: { v: ['a/m'] },
      prices,
    });
    const events = recordEvents(router);
    const result = await router.embed('v', ['1', '2', '3', '4', '5'], {
      tags: { feature: 'index' },
    });
    expect(result.vectors.map(([first]) => first)).toEqual([1, 2, 3, 4, 5]);
    expect(asked).toEqual([['1', '2'], ['3', '4'], ['5']]);
    expect(result).toMatchObject({ dimensions: 3, target: 'a/m', usage: { inputTokens: 5 } });
    expect(result.cost.usd).toBe(0.000005);
    expect(events.costUsd({ feature: 'index' })).toBe(0.000005);
    expect(result.trail).toHaveLength(3);
    expect(runtime.pending).toBe(0);
  });

  it('takes one string for one value', async () => {
    const router = createRouter({ providers: { a: embedder().provider }, tiers: { v: ['a/m'] } });
    expect((await router.embed('v', '7', { dimensions: 5 })).vectors).toEqual([[7, 0, 0, 0, 0]]);
  });

  it('falls back to the same model elsewhere', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const router = createRouter({
      runtime,
      providers: { a: embedder({ fails: 9 }).provider, b: embedder().provider },
      tiers: { v: ['a/m', 'b/org/m'] },
    });
    expect((await router.embed('v', '1')).target).toBe('b/org/m');
  });

  it('never falls back to another model, whose vectors do not mix', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const other = embedder();
    const providers = { a: embedder({ fails: 99 }).provider, b: other.provider };
    const targets = ['a/m', 'b/other'] as const;
    const router = createRouter({
      runtime,
      providers,
      tiers: { v: targets, any: { targets, vectors: 'any' } },
    });
    const error: unknown = await router.embed('v', '1').catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'all_targets_failed' });
    expect(String(error)).toContain('its vectors cannot be compared with those of a/m');
    expect(other.asked).toEqual([]);
    expect((await router.embed('any', '1')).target).toBe('b/other');
  });

  it('takes the family that a target says', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const router = createRouter({
      runtime,
      providers: { a: embedder({ fails: 9 }).provider, b: embedder().provider },
      tiers: { v: ['a/m', { target: 'b/our-deployment', family: 'm' }] },
    });
    expect((await router.embed('v', '1')).target).toBe('b/our-deployment');
  });

  it('passes over a provider that has no embeddings', async () => {
    const { prepareEmbedding: _, ...plain } = embedder().provider;
    const router = createRouter({
      providers: { a: plain, b: embedder().provider },
      tiers: { v: ['a/m', 'b/m'] },
    });
    const { trail } = await router.embed('v', '1');
    expect(trail[0]).toMatchObject({
      target: 'a/m',
      outcome: 'skipped',
      reason: 'lacks embeddings',
    });
  });

  it('does not take vectors of another length for an answer', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const odd = embedder();
    const provider: Provider = {
      ...odd.provider,
      prepareEmbedding: () => ({
        warnings: [],
        async *send() {
          yield [{ type: 'vectors', vectors: [[1, 2]] }];
          yield [{ type: 'finish', finishReason: 'stop' }];
        },
      }),
    };
    const router = createRouter({ runtime, providers: { a: provider }, tiers: { v: ['a/m'] } });
    await expect(router.embed('v', '1', { dimensions: 3 })).rejects.toMatchObject({
      errors: [{ code: 'invalid_response' }, { code: 'invalid_response' }],
    });
    await expect(router.embed('v', ['1', '2'])).rejects.toMatchObject({
      code: 'all_targets_failed',
    });
  });

  it('ends the other batches when one fails, and all when the caller leaves', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const { provider, asked } = embedder({ batch: 1, fails: 99 });
    const router = createRouter({ runtime, providers: { a: provider }, tiers: { v: ['a/m'] } });
    const values = Array.from({ length: 50 }, (_, index) => String(index));
    await expect(router.embed('v', values, { concurrency: 1 })).rejects.toThrow();
    expect(asked.length).toBeLessThan(10);
    const aborted = router.embed('v', values, { signal: AbortSignal.abort(new Error('left')) });
    await expect(aborted).rejects.toMatchObject({ code: 'aborted', cause: { message: 'left' } });
    expect(router.snapshot().callsInFlight).toBe(0);
  });

  it.each([
    [[], /values: must be/],
    [['a', ' '], /values\[1\]: must be/],
  ])('refuses %j', async (values, message) => {
    const router = createRouter({ providers: { a: embedder().provider }, tiers: { v: ['a/m'] } });
    await expect(router.embed('v', values)).rejects.toThrow(message);
  });

  it('refuses options that it does not have', async () => {
    const router = createRouter({ providers: { a: embedder().provider }, tiers: { v: ['a/m'] } });
    const options = { dimension: 3 } as object;
    await expect(router.embed('v', 'x', options)).rejects.toThrow(
      /dimension: unknown option; did you mean "dimensions"/,
    );
  });
});

describe('image', () => {
  const draws = (parts: readonly string[]): Provider => ({
    ...embedder().provider,
    prepareImage: ({ count = 1 }) => ({
      warnings: [],
      async *send() {
        for (const data of parts.slice(0, count)) {
          const source = { data, mediaType: 'image/png' };
          yield [{ type: 'part-end', part: { type: 'image', source } }];
        }
        const finishReason = parts.length === 0 ? 'content_filter' : 'stop';
        yield [{ type: 'finish', finishReason }];
      },
    }),
  });

  it('gives the pictures, and goes on when a target gives none', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const router = createRouter({
      runtime,
      providers: { a: embedder().provider, b: draws(['AA==', 'BB==']) },
      tiers: { p: ['a/m', 'b/m'] },
    });
    const { images, target } = await router.image('p', 'a box', { count: 2 });
    expect(images.map(({ source }) => source)).toEqual([
      { data: 'AA==', mediaType: 'image/png' },
      { data: 'BB==', mediaType: 'image/png' },
    ]);
    expect(target).toBe('b/m');
  });

  it('that was refused says so', async () => {
    const router = createRouter({ providers: { a: draws([]) }, tiers: { p: ['a/m'] } });
    await expect(router.image('p', 'a box')).rejects.toMatchObject({ code: 'content_filter' });
    await expect(router.image('p', ' ')).rejects.toThrow(/prompt: must be/);
  });
});
