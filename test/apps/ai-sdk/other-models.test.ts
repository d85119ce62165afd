import { embed, embedMany, generateImage } from 'ai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { tierEmbeddingModel, tierImageModel } from '../../../src/ai-sdk.ts';
import { google } from '../../../src/google.ts';
import { createRouter, isSignalboxError } from '../../../src/index.ts';
import { openai, openaiChat } from '../../../src/openai.ts';
import {
  type SimulatedProviders,
  simulateProviders,
} from '../../../src/testing/simulate-providers.ts';

let simulators: SimulatedProviders;
const apiKey = 'test-key';

beforeAll(async () => {
  Reflect.set(globalThis, 'AI_SDK_LOG_WARNINGS', false);
  simulators = await simulateProviders();
});
beforeEach(() => simulators.reset());
afterAll(() => simulators.close());

const routerOver = () =>
  createRouter({
    providers: {
      openai: openai({ apiKey, baseURL: simulators.openai.baseURL }),
      other: openaiChat({ apiKey, baseURL: simulators.compatible.baseURL }),
      google: google({ apiKey, baseURL: simulators.google.baseURL }),
    },
    tiers: {
      vectors: ['openai/text-embedding-3-small', 'other/text-embedding-3-small'],
      gemini: ['google/gemini-embedding-001'],
      image: ['openai/gpt-image-1', 'google/gemini-2.5-flash-image'],
    },
    defaults: { retry: { attempts: 0 } },
  });

describe('tierEmbeddingModel', () => {
  it('embeds one value', async () => {
    const model = tierEmbeddingModel(routerOver(), 'vectors', { tags: { feature: 'search' } });
    const result = await embed({ model, value: 'one', dimensions: 4 });
    expect(result.embedding).toHaveLength(4);
    expect(result.usage.tokens).toBeGreaterThan(0);
    expect(result.providerMetadata?.signalbox).toMatchObject({
      target: 'openai/text-embedding-3-small',
      cost: { priced: 'exact' },
    });
  });

  it("embeds many values in batches of the vendor's size", async () => {
    const router = routerOver();
    const values = Array.from({ length: 205 }, (_, index) => `value ${index}`);
    const { embeddings } = await embedMany({ model: tierEmbeddingModel(router, 'gemini'), values });
    expect(embeddings).toHaveLength(205);
    expect(simulators.google.log).toHaveLength(3);
  });

  it('fails over, and fails once', async () => {
    simulators.openai.down();
    const model = tierEmbeddingModel(routerOver(), 'vectors');
    const { providerMetadata } = await embed({ model, value: 'one' });
    expect(providerMetadata?.signalbox).toMatchObject({ target: 'other/text-embedding-3-small' });
    simulators.compatible.down();
    const error = await embed({ model, value: 'two' }).catch((thrown: unknown) => thrown);
    expect(isSignalboxError(error, 'all_targets_failed')).toBe(true);
  });

  it('rejects options of a chat', async () => {
    const model = tierEmbeddingModel(routerOver(), 'vectors');
    const providerOptions = { signalbox: { transfer: 'unary' } };
    const error = await embed({ model, value: 'a', providerOptions }).catch((thrown) => thrown);
    expect(isSignalboxError(error, 'config')).toBe(true);
  });

  it('closes the socket of the vendor at an abort', async () => {
    simulators.openai.fault({ type: 'silence' });
    const controller = new AbortController();
    const failed = embed({
      model: tierEmbeddingModel(routerOver(), 'vectors'),
      value: 'one',
      abortSignal: controller.signal,
    }).catch((thrown: unknown) => thrown);
    await expect.poll(() => simulators.openai.openRequests).toBe(1);
    controller.abort();
    expect(await failed).toMatchObject({ name: 'AbortError' });
    await expect.poll(() => simulators.openai.openRequests).toBe(0);
  });
});

describe('tierImageModel', () => {
  it('generates images, each with a call of the router', async () => {
    const result = await generateImage({
      model: tierImageModel(routerOver(), 'image'),
      prompt: 'A lighthouse',
      n: 2,
      size: '1024x1024',
      aspectRatio: '1:1',
    });
    expect(result.images).toHaveLength(2);
    expect(result.image.uint8Array.length).toBeGreaterThan(0);
    expect(result.usage.outputTokens).toBeGreaterThan(0);
    expect(result.warnings).toContainEqual(
      expect.objectContaining({ type: 'unsupported', feature: 'aspectRatio' }),
    );
    expect(result.calls[0]?.providerMetadata?.signalbox).toMatchObject({
      target: 'openai/gpt-image-1',
      trail: [{ outcome: 'ok' }],
      images: [{ target: 'openai/gpt-image-1' }],
    });
    expect(simulators.openai.log).toHaveLength(2);
  });

  it('fails over', async () => {
    simulators.openai.down();
    const model = tierImageModel(routerOver(), 'image');
    const { calls } = await generateImage({ model, prompt: 'A lighthouse' });
    expect(calls[0]?.providerMetadata?.signalbox).toMatchObject({
      target: 'google/gemini-2.5-flash-image',
    });
  });

  it('does not generate another image instead of an edited one', async () => {
    const error = await generateImage({
      model: tierImageModel(routerOver(), 'image'),
      prompt: { text: 'Without the dog', images: [new Uint8Array([137, 80, 78, 71])] },
    }).catch((thrown: unknown) => thrown);
    expect(isSignalboxError(error, 'unsupported')).toBe(true);
    expect(simulators.openai.log).toEqual([]);
  });
});
