import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { google } from '../../src/google.ts';
import { openai, openaiChat } from '../../src/openai.ts';
import { createRouter } from '../../src/router.ts';
import {
  type SimulatedProviders,
  simulateProviders,
} from '../../src/testing/simulate-providers.ts';

let simulators: SimulatedProviders;
const apiKey = 'test-key';

beforeAll(async () => {
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
      openai: ['openai/text-embedding-3-small', 'other/text-embedding-3-small'],
      google: ['google/gemini-embedding-001'],
      image: ['openai/gpt-image-1', 'google/gemini-2.5-flash-image'],
      gemini: ['google/gemini-2.5-flash-image'],
    },
    defaults: { retry: { minMs: 1 }, timeouts: { totalMs: 60_000 } },
  });

describe('vectors over HTTP', () => {
  it('of OpenAI are in the order of the values, with their price', async () => {
    const router = routerOver();
    const result = await router.embed('openai', ['one', 'two', 'three'], { dimensions: 4 });
    const alone = await router.embed('openai', 'two', { dimensions: 4 });
    expect(result.vectors[1]).toEqual(alone.vectors[0]);
    expect(result).toMatchObject({ dimensions: 4, target: 'openai/text-embedding-3-small' });
    expect(result.usage.inputTokens).toBeGreaterThan(0);
    expect(result.cost).toMatchObject({ priced: 'exact' });
    expect(result.cost.usd).toBeGreaterThan(0);
    expect(simulators.openai.log[0]).toMatchObject({
      path: '/v1/embeddings',
      body: { encoding_format: 'float', dimensions: 4, input: ['one', 'two', 'three'] },
    });
  });

  it('of OpenAI fall back to the same model of another provider', async () => {
    simulators.openai.down();
    const result = await routerOver().embed('openai', 'one');
    expect(result.target).toBe('other/text-embedding-3-small');
    expect(result.trail.map(({ verdict }) => verdict)).toEqual(['retry', 'next', 'done']);
  });

  it('of Gemini are requested in batches of 100', async () => {
    const values = Array.from({ length: 205 }, (_, index) => `value ${index}`);
    const router = routerOver();
    const result = await router.embed('google', values);
    expect(result.vectors).toHaveLength(205);
    expect(result.usage.estimated).toBe(true);
    expect(
      simulators.google.log.map(({ body }) => (body.requests as unknown[]).length).sort(),
    ).toEqual([100, 100, 5]);
    expect(simulators.google.log[0]?.path).toContain('gemini-embedding-001:batchEmbedContents');
    expect((await router.embed('google', 'value 204')).vectors[0]).toEqual(result.vectors[204]);
  });

  it.each([
    ['openai', { type: 'status', status: 401 }, 'auth'],
    ['openai', { type: 'html' }, 'invalid_response'],
    ['openai', { type: 'json-error-200', kind: 'server_error' }, 'server_error'],
    ['google', { type: 'status', status: 429, retryAfterSeconds: 9 }, 'rate_limited'],
    ['google', { type: 'html' }, 'invalid_response'],
  ] as const)('over %s fail with the codes of answers: %j', async (tier, fault, code) => {
    simulators[tier].fault(fault);
    simulators.compatible.fault(fault);
    const error: unknown = await routerOver()
      .embed(tier, 'x')
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'all_targets_failed' });
    expect((error as { errors: { code: string }[] }).errors[0]?.code).toBe(code);
  });

  it('close the socket when the caller aborts', async () => {
    simulators.openai.fault({ type: 'silence' });
    const controller = new AbortController();
    const embedding = routerOver().embed('openai', 'x', { signal: controller.signal });
    embedding.catch(() => undefined);
    await expect.poll(() => simulators.openai.openRequests).toBe(1);
    controller.abort();
    await expect(embedding).rejects.toMatchObject({ code: 'aborted' });
    await Promise.all(simulators.openai.log.map((each) => each.done));
    expect(simulators.openai.openRequests).toBe(0);
  });
});

describe('images over HTTP', () => {
  it('of OpenAI have their bytes', async () => {
    const { images, usage } = await routerOver().image('image', 'a box', {
      count: 2,
      size: '1024x1024',
    });
    expect(images).toHaveLength(2);
    expect(images[0]?.source).toMatchObject({ mediaType: 'image/png' });
    expect(usage.outputTokens).toBe(544);
    expect(simulators.openai.log[0]).toMatchObject({
      path: '/v1/images/generations',
      body: { model: 'gpt-image-1', prompt: 'a box', n: 2, size: '1024x1024' },
    });
  });

  it('fall back to Gemini, with warnings for unsupported options', async () => {
    simulators.openai.down();
    const { images, target, warnings } = await routerOver().image('image', 'a box', {
      count: 2,
      size: '1600x900',
    });
    expect(images).toHaveLength(1);
    expect(target).toBe('google/gemini-2.5-flash-image');
    expect(warnings.map(({ param }) => param)).toEqual(['count']);
    expect(simulators.google.log[0]?.body.generationConfig).toMatchObject({
      responseModalities: ['TEXT', 'IMAGE'],
      imageConfig: { aspectRatio: '16:9' },
    });
  });

  it('of a size that Gemini does not support have a warning or fail', async () => {
    const { warnings } = await routerOver().image('gemini', 'a box', { size: '1000x999' });
    expect(warnings.map(({ param }) => param)).toEqual(['size']);
    await expect(
      routerOver().image('gemini', 'a box', { size: '1000x999', onUnsupported: 'error' }),
    ).rejects.toMatchObject({ code: 'unsupported' });
  });
});
