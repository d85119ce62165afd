import { describe, expect, it } from 'vitest';
import { SignalboxError } from '../../src/errors.ts';
import type { Provider } from '../../src/protocol/provider.ts';
import { createRouter } from '../../src/router.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { recordEvents } from '../../src/testing/record-events.ts';

type Script = { readonly fails?: number; readonly length?: number; readonly batch?: number };

/** An embedding provider. Each vector starts with its value, so that tests can check the order. */
function embedder({ fails = 0, length = 3, batch = 2 }: Script = {}) {
  const requests: (readonly string[])[] = [];
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
        requests.push(values);
        if (requests.length <= fails) throw new SignalboxError('overloaded', 'overloaded');
        const vectors = values.map((value) => [Number(value), ...Array(dimensions - 1).fill(0)]);
        yield [{ type: 'vectors', vectors }];
        const inputTokens = values.length;
        const usage = { inputTokens, outputTokens: 0, totalTokens: inputTokens };
        yield [{ type: 'finish', finishReason: 'stop', usage }];
      },
    }),
  };
  return { provider, requests };
}

const prices = { 'a/m': { input: 1, output: 0 } };

describe('embed', () => {
  it('tries only those fallbacks for a failure whose vectors are comparable', async () => {
    const [a, c, d] = [embedder({ fails: 9 }), embedder(), embedder()];
    const router = createRouter({
      providers: { a: a.provider, c: c.provider, d: d.provider },
      tiers: {
        v: {
          targets: ['a/m'],
          retry: { attempts: 0 },
          fallbacks: { overloaded: ['c/other', 'd/m'] },
        },
      },
    });
    expect((await router.embed('v', '1')).target).toBe('d/m');
    expect(c.requests).toEqual([]);
  });

  it('uses the batch size of each model', async () => {
    const { provider, requests } = embedder();
    const limits: Readonly<Record<string, number>> = { one: 1, three: 3 };
    const maxEmbeddingBatch = (model: string) => limits[model] ?? 0;
    const router = createRouter({
      providers: { a: { ...provider, maxEmbeddingBatch } },
      tiers: { v: ['a/three'], w: ['a/three', 'a/one'] },
    });
    await router.embed('v', ['1', '2', '3', '4']);
    expect(requests).toEqual([['1', '2', '3'], ['4']]);
    await router.embed('w', ['1', '2'], { concurrency: 1 });
    expect(requests.slice(2)).toEqual([['1'], ['2']]);
  });

  it('takes the vectors of one call from one model, although the tier allows any', async () => {
    const a = embedder({ fails: 1 });
    const b = embedder({ length: 5 });
    const router = createRouter({
      runtime: fakeRuntime({ time: 'auto' }),
      providers: { a: a.provider, b: b.provider },
      tiers: { v: { targets: ['a/m', 'b/other'], vectors: 'any', retry: { attempts: 0 } } },
    });
    const { vectors, target } = await router.embed('v', ['1', '2', '3', '4'], { concurrency: 1 });
    expect(vectors.map(({ length }) => length)).toEqual([5, 5, 5, 5]);
    expect(vectors.map(([first]) => first)).toEqual([1, 2, 3, 4]);
    expect(target).toBe('b/other');
  });

  it('fails when the batches of one call cannot come from one model', async () => {
    let calls = 0;
    const { provider } = embedder();
    const changing: Provider = {
      ...provider,
      prepareEmbedding: (request) => {
        calls += 1;
        const made = embedder({ length: calls + 2 }).provider.prepareEmbedding?.(request);
        if (made === undefined) throw new Error('it embeds');
        return made;
      },
    };
    const router = createRouter({ providers: { a: changing }, tiers: { v: ['a/m'] } });
    await expect(router.embed('v', ['1', '2', '3', '4'])).rejects.toMatchObject({
      code: 'invalid_response',
      message: expect.stringContaining('different models'),
    });
  });

  it('splits values into batches, keeps their order, and sums usage and cost', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const { provider, requests } = embedder();
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
    expect(requests).toEqual([['1', '2'], ['3', '4'], ['5']]);
    expect(result).toMatchObject({ dimensions: 3, target: 'a/m', usage: { inputTokens: 5 } });
    expect(result.cost.usd).toBe(0.000005);
    expect(events.costUsd({ feature: 'index' })).toBe(0.000005);
    expect(result.trail).toHaveLength(3);
    expect(runtime.pending).toBe(0);
  });

  it('accepts a single string', async () => {
    const router = createRouter({ providers: { a: embedder().provider }, tiers: { v: ['a/m'] } });
    expect((await router.embed('v', '7', { dimensions: 5 })).vectors).toEqual([[7, 0, 0, 0, 0]]);
  });

  it('falls back to the same model of another provider', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const router = createRouter({
      runtime,
      providers: { a: embedder({ fails: 9 }).provider, b: embedder().provider },
      tiers: { v: ['a/m', 'b/org/m'] },
    });
    expect((await router.embed('v', '1')).target).toBe('b/org/m');
  });

  it('does not fall back to another model, whose vectors are not comparable', async () => {
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
    expect(other.requests).toEqual([]);
    expect((await router.embed('any', '1')).target).toBe('b/other');
  });

  it('uses the family of a target', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const router = createRouter({
      runtime,
      providers: { a: embedder({ fails: 9 }).provider, b: embedder().provider },
      tiers: { v: ['a/m', { target: 'b/our-deployment', family: 'm' }] },
    });
    expect((await router.embed('v', '1')).target).toBe('b/our-deployment');
  });

  it('skips a provider without embeddings', async () => {
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

  it('rejects vectors of another length or number', async () => {
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

  it('aborts the other batches when one fails, and all when the caller aborts', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const { provider, requests } = embedder({ batch: 1, fails: 99 });
    const router = createRouter({ runtime, providers: { a: provider }, tiers: { v: ['a/m'] } });
    const values = Array.from({ length: 50 }, (_, index) => String(index));
    await expect(router.embed('v', values, { concurrency: 1 })).rejects.toThrow();
    expect(requests.length).toBeLessThan(10);
    const aborted = router.embed('v', values, { signal: AbortSignal.abort(new Error('gone')) });
    await expect(aborted).rejects.toMatchObject({ code: 'aborted', cause: { message: 'gone' } });
    expect(router.snapshot().callsInFlight).toBe(0);
  });

  it.each([
    [[], /values: must be/],
    [['a', ' '], /values\[1\]: must be/],
  ])('throws for %j', async (values, message) => {
    const router = createRouter({ providers: { a: embedder().provider }, tiers: { v: ['a/m'] } });
    await expect(router.embed('v', values)).rejects.toThrow(message);
  });

  it('throws for an unknown option', async () => {
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

  it('returns the images and skips a target that generates none', async () => {
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

  it('fails with content_filter when the vendor blocks it', async () => {
    const router = createRouter({ providers: { a: draws([]) }, tiers: { p: ['a/m'] } });
    await expect(router.image('p', 'a box')).rejects.toMatchObject({ code: 'content_filter' });
    await expect(router.image('p', ' ')).rejects.toThrow(/prompt: must be/);
  });
});
