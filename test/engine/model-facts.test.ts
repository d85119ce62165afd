import { describe, expect, it } from 'vitest';
import { anthropic } from '../../src/anthropic.ts';
import { google } from '../../src/google.ts';
import { openai } from '../../src/openai.ts';
import type { TargetObject } from '../../src/protocol/config.ts';
import { createRouter } from '../../src/router.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';

type Name = 'fake' | 'openai' | 'anthropic' | 'google';

function setUp(targets: readonly (TargetObject<Name> | `${Name}/${string}`)[], now = '2026-11-30') {
  const runtime = fakeRuntime({ time: 'auto', now: Date.parse(now) });
  const fake = {
    ...fakeProvider('fine', { runtime, capabilities: ['tools'] }),
    outputLimit: (model: string) => (model === 'small' ? 100 : undefined),
  };
  const providers = {
    fake,
    openai: openai({ apiKey: 'k' }),
    anthropic: anthropic({ apiKey: 'k' }),
    google: google({ apiKey: 'k' }),
  };
  return { fake, runtime, router: createRouter({ runtime, providers, tiers: { t: targets } }) };
}

const image = {
  role: 'user',
  content: [{ type: 'image', source: { url: 'https://a.example/b.png' } }],
} as const;

describe('the output limit of a model', () => {
  const sentBy = (fake: ReturnType<typeof setUp>['fake']) =>
    fake.calls.map(({ request }) => request.maxOutputTokens);

  it('lowers maxOutputTokens to it, with a warning', async () => {
    const { fake, router } = setUp(['fake/small']);
    const { warnings } = await router.complete('t', 'hi', { maxOutputTokens: 500 });
    expect(sentBy(fake)).toEqual([100]);
    expect(warnings).toEqual([
      {
        code: 'adjusted-param',
        param: 'maxOutputTokens',
        message: 'maxOutputTokens was lowered to 100, the limit of this model',
      },
    ]);
  });

  it('changes nothing that fits, and sends nothing that the call does not set', async () => {
    const { fake, router } = setUp(['fake/small']);
    expect((await router.complete('t', 'hi', { maxOutputTokens: 100 })).warnings).toEqual([]);
    expect((await router.complete('t', 'hi')).warnings).toEqual([]);
    expect(sentBy(fake)).toEqual([100, undefined]);
  });

  it('is that of the target, if it has one', async () => {
    const { fake, router } = setUp([{ target: 'fake/small', outputLimit: 300 }]);
    await router.complete('t', 'hi', { maxOutputTokens: 500 });
    expect(sentBy(fake)).toEqual([300]);
    const unknown = setUp([{ target: 'fake/large', outputLimit: 400 }]);
    await unknown.router.complete('t', 'hi', { maxOutputTokens: 500 });
    expect(sentBy(unknown.fake)).toEqual([400]);
  });

  it('is known of the models of OpenAI, Anthropic and Google', () => {
    const { router } = setUp([
      'openai/gpt-5.4-mini',
      'openai/gpt-4.1',
      'openai/o3',
      'openai/mine',
      'anthropic/claude-haiku-4-5',
      'anthropic/claude-opus-5-5',
      'anthropic/mine',
      'google/gemini-3.8-flash',
      'google/gemini-2.5-pro',
      'google/gemma-3-27b-it',
    ]);
    const limits = Object.values(router.snapshot().targets).map(({ model }) => model.outputLimit);
    expect(limits).toEqual([
      128_000,
      32_768,
      100_000,
      undefined,
      64_000,
      128_000,
      undefined,
      65_536,
      65_536,
      undefined,
    ]);
  });
});

describe('the capabilities of a target', () => {
  it('win over what the provider lists', async () => {
    const { fake, router } = setUp([
      { target: 'fake/a', capabilities: [] },
      { target: 'fake/b', capabilities: ['vision'] },
    ]);
    const { target, trail } = await router.complete('t', [image]);
    expect(target).toBe('fake/b');
    expect(trail[0]?.reason).toBe('lacks vision');
    expect(fake.calls).toHaveLength(1);
    const { skipped } = await router.explain('t', 'hi', {
      tools: [{ name: 'a', inputSchema: { type: 'object' } }],
    });
    expect(skipped.map(({ reason }) => reason)).toEqual(['lacks tools', 'lacks tools']);
  });

  it('apply to a target that a rule names, too', async () => {
    const { fake, runtime } = setUp(['fake/a']);
    const router = createRouter({
      runtime,
      providers: { fake },
      tiers: { t: ['fake/a'], other: [{ target: 'fake/b', capabilities: ['vision'] }] },
      rules: [{ name: 'images', when: { images: true }, use: ['fake/b'] }],
    });
    expect((await router.complete('t', [image])).target).toBe('fake/b');
  });
});

describe('the retirement date of a model', () => {
  const warningsOf = async (router: ReturnType<typeof setUp>['router']) =>
    (await router.explain('t', 'hi')).candidates.map(({ warnings }) => warnings);

  it('is shown by explain from 90 days before', async () => {
    const targets = ['openai/gpt-4.1', 'anthropic/claude-sonnet-4-5-20250929'] as const;
    const { router } = setUp(targets);
    expect(await warningsOf(router)).toEqual([
      ['the model "gpt-4.1" will be retired on 2027-01-14'],
      ['the model "claude-sonnet-4-5-20250929" was retired on 2026-11-30'],
    ]);
    expect(await warningsOf(setUp(targets, '2026-10-15').router)).toEqual([
      [],
      ['the model "claude-sonnet-4-5-20250929" will be retired on 2026-11-30'],
    ]);
  });

  it('is that of the target, if it has one', async () => {
    const { router } = setUp([
      { target: 'openai/gpt-4.1', retirementDate: '2028-01-01' },
      { target: 'fake/a', retirementDate: '2026-12-24' },
    ]);
    expect(await warningsOf(router)).toEqual([[], ['the model "a" will be retired on 2026-12-24']]);
  });
});

describe('snapshot', () => {
  it('has the facts of the configuration at once, and the others when the price list is loaded', async () => {
    const { router } = setUp([
      'openai/gpt-5.1',
      { target: 'openai/gpt-4.1', contextWindow: 5_000, retirementDate: '2027-02-01' },
    ]);
    const models = () => Object.values(router.snapshot().targets).map(({ model }) => model);
    const own = { contextWindow: 5_000, outputLimit: 32_768, retirementDate: '2027-02-01' };
    expect(models()).toEqual([{ outputLimit: 128_000 }, own]);
    expect(router.snapshot().priceLists).toEqual([]);
    await router.explain('t', 'hi');
    expect(models()).toEqual([
      { contextWindow: 400_000, outputLimit: 128_000, retirementDate: '2027-04-01' },
      own,
    ]);
    expect(router.snapshot().priceLists).toEqual([
      { source: '@pydantic/genai-prices', date: '2026-09-23' },
      { source: 'signalbox', date: '2026-11-30' },
    ]);
  });

  it('has the prices of the configuration first', () => {
    const { fake } = setUp(['fake/a']);
    const prices = { 'fake/a': { input: 1, output: 1 } };
    const tiers = { t: ['fake/a' as const] };
    const router = createRouter({ providers: { fake }, tiers, prices, pricesDate: '2026-11-01' });
    expect(router.snapshot().priceLists).toEqual([{ source: 'prices', date: '2026-11-01' }]);
  });
});
