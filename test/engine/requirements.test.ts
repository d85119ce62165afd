import { describe, expect, it } from 'vitest';
import { isSignalboxError, type Plugin, type SignalboxError } from '../../src/index.ts';
import type { CallOptions } from '../../src/protocol/call-options.ts';
import type { RouterConfig, Tier, TierObject } from '../../src/protocol/config.ts';
import type { PreparedCall } from '../../src/protocol/provider.ts';
import type { Compliance } from '../../src/protocol/requires.ts';
import { createRouter } from '../../src/router.ts';
import { type FakeScript, fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';

type Name = 'us' | 'eu' | 'none';

const us: Compliance = { region: 'us', zeroRetention: true, noTraining: true };
const eu: Compliance = { region: 'eu', zeroRetention: true };

/** Vectors, or an image: what a request that was sent is answered with. */
function prepared(onSent: () => unknown): PreparedCall {
  return {
    warnings: [],
    async *send() {
      onSent();
      const usage = { inputTokens: 1_000, outputTokens: 0, totalTokens: 1_000 };
      yield [{ type: 'vectors', vectors: [[1]] }];
      yield [{ type: 'finish', finishReason: 'stop', usage }];
    },
  };
}

function setUp({
  scripts = {},
  tier = {},
  other = ['us/m'],
  more = {},
  maxEmbeddingBatch = 100,
}: {
  readonly scripts?: Partial<Record<Name, FakeScript>>;
  readonly tier?: Partial<TierObject<Name, 'other' | 't'>>;
  readonly other?: Tier<Name, 'other' | 't'>;
  readonly more?: Partial<Omit<RouterConfig<Name, 'other' | 't'>, 'tiers'>>;
  readonly maxEmbeddingBatch?: number;
} = {}) {
  const runtime = fakeRuntime({ time: 'auto' });
  const others: Name[] = [];
  const vendor = (name: Name, compliance: Compliance | undefined) => ({
    ...fakeProvider(scripts[name] ?? name, { runtime, compliance }),
    maxEmbeddingBatch,
    prepareEmbedding: () => prepared(() => others.push(name)),
    prepareImage: () => prepared(() => others.push(name)),
  });
  const providers = { us: vendor('us', us), eu: vendor('eu', eu), none: vendor('none', undefined) };
  const router = createRouter({
    runtime,
    providers,
    prices: { 'us/m': { input: 1, output: 1 }, 'eu/m': { input: 100, output: 100 } },
    ...more,
    tiers: {
      other,
      t: { targets: ['none/m', 'us/m', 'eu/m'], retry: { attempts: 0 }, ...tier },
    },
  });
  const asked = () => [
    ...Object.entries(providers).flatMap(([name, { calls }]) => calls.map(() => name)),
    ...others,
  ];
  return { router, providers, asked, runtime };
}

async function failureOf(answer: Promise<unknown>): Promise<SignalboxError> {
  const error = await answer.then(
    () => undefined,
    (raw: unknown) => raw,
  );
  if (!isSignalboxError(error)) throw new Error('it did not fail');
  return error;
}

describe('requires', () => {
  it('excludes targets that do not declare what is required, with the reason in the trail', async () => {
    const { router, asked } = setUp({ tier: { requires: { regions: ['eu'] } } });
    const { text, trail } = await router.complete('t', 'hi');
    expect(text).toBe('eu');
    expect(asked()).toEqual(['eu']);
    expect(trail.map(({ target, reason }) => [target, reason])).toEqual([
      ['none/m', 'it declares no region, and requires.regions has "eu"'],
      ['us/m', 'its region is "us", and requires.regions has "eu"'],
      ['eu/m', undefined],
    ]);
  });

  it('holds for the call and for its tier', async () => {
    const { router } = setUp({ tier: { requires: { zeroRetention: true } } });
    const { text } = await router.complete('t', 'hi', { requires: { regions: ['eu', 'nowhere'] } });
    expect(text).toBe('eu');
    const loose = { requires: { zeroRetention: false } };
    expect((await router.complete('t', 'hi', loose)).text).toBe('us');
    const error = await failureOf(
      router.complete('t', 'hi', { requires: { noTraining: true, regions: ['eu'] } }),
    );
    expect(error.code).toBe('all_targets_failed');
    expect(error.message).toContain('eu/m: passed over, it does not declare noTraining');
    expect(error.message).toContain('us/m: passed over, its region is "us"');
    expect(error.retryAfterMs).toBeUndefined();
  });

  it("lets a target's declaration win over its provider's, field by field", async () => {
    const { router } = setUp({
      tier: {
        requires: { regions: ['de'], zeroRetention: true },
        targets: [
          { target: 'us/m', compliance: { region: 'de', zeroRetention: false } },
          { target: 'us/n', compliance: { region: 'de', zeroRetention: undefined } },
        ],
      },
    });
    const { target } = await router.complete('t', 'hi');
    expect(target).toBe('us/n');
  });

  it('counts what another tier declares of a target that `fallbacks` names', async () => {
    const { router, asked } = setUp({
      scripts: { eu: { error: 'content_filter' } },
      other: [{ target: 'us/m', compliance: { noTraining: false } }],
      tier: {
        targets: [{ target: 'eu/m', compliance: { noTraining: true } }],
        fallbacks: { content_filter: ['us/m'] },
        requires: { noTraining: true },
      },
    });
    expect((await failureOf(router.complete('t', 'hi'))).code).toBe('content_filter');
    expect(asked()).toEqual(['eu']);
  });

  it("merges a tier's fields over those of defaults", async () => {
    const { router } = setUp({
      more: { defaults: { requires: { regions: ['us'], noTraining: true } } },
      tier: { requires: { regions: ['eu'] } },
    });
    const { skipped } = await router.explain('t', 'hi');
    expect(skipped.at(-1)?.reason).toBe('it does not declare noTraining (requires.noTraining)');
  });

  it('holds for the targets of a fallback tier, which may require more', async () => {
    const { router, asked } = setUp({
      scripts: { us: { error: 'server_error' }, eu: { error: 'server_error' } },
      tier: { targets: ['us/m', 'eu/m'], fallbackTier: 'other', requires: { zeroRetention: true } },
      other: { targets: ['us/last', 'eu/last'], requires: { noTraining: true } },
    });
    const { skipped, candidates } = await router.explain('t', 'hi');
    expect(candidates.map(({ target }) => target)).toEqual(['us/m', 'eu/m', 'us/last']);
    expect(skipped.map(({ target }) => target)).toEqual(['eu/last']);
    await failureOf(router.complete('t', 'hi'));
    expect(asked()).toEqual(['us', 'us', 'eu']);
  });

  it('holds for hedges, continued answers and drills', async () => {
    const cut = { chunks: ['one ', 'two'], cutAfter: 1 };
    const { router, asked } = setUp({
      scripts: { us: [{ ...cut, firstTokenDelayMs: 500 }, 'us'] },
      tier: {
        requires: { regions: ['us'] },
        targets: ['us/m', 'none/m', 'eu/m'],
        midStream: 'continue',
        hedge: { afterMs: 10, maxExtra: 1 },
        timeouts: { totalMs: 5_000 },
      },
    });
    const parts = [];
    await failureOf(
      (async () => {
        for await (const part of router.stream('t', 'hi')) parts.push(part);
      })(),
    );
    const drill = router.drill({ tier: 't', fault: 'server_error', share: 1, forMs: 1_000 });
    const error = await failureOf(router.complete('t', 'hi'));
    await drill.stop();
    expect(error.trail.map(({ target }) => target)).toContain('eu/m');
    expect(new Set(asked())).toEqual(new Set(['us']));
  });

  it('holds for calls that plugins make on behalf of a call', async () => {
    const reasons: string[] = [];
    const plugin: Plugin = {
      name: 'maker',
      async *wrapCall(call, next) {
        reasons.push((await failureOf(call.fork({ target: 'us/m' }))).message);
        reasons.push((await failureOf(call.fork({ target: 'none/unlisted' }))).message);
        reasons.push((await failureOf(call.ask('other', 'hi'))).message);
        reasons.push((await failureOf(call.embed('other', 'hi'))).message);
        yield* next();
      },
    };
    const { router, asked } = setUp({
      tier: { requires: { regions: ['eu'] } },
      more: {
        plugins: [{ ...plugin, exceptTiers: ['other'] }],
      },
    });
    const { text } = await router.complete('t', 'hi');
    expect(text).toBe('eu');
    expect(asked()).toEqual(['eu']);
    expect(reasons).toHaveLength(4);
    for (const reason of reasons) expect(reason).toContain('requires.regions has "eu"');
  });

  it('holds for images and for vectors', async () => {
    const { router, asked } = setUp({ tier: { requires: { regions: ['mars'] } } });
    const image = await failureOf(router.image('t', 'a cat'));
    const embed = await failureOf(router.embed('t', 'hi'));
    for (const { message } of [image, embed]) expect(message).toContain('requires.regions');
    const options = { requires: { maxEstimatedUsd: 0.001 } };
    const dear = await failureOf(setUp().router.image('t', 'a cat', options));
    expect(dear.message).toContain('us/m: passed over, it is estimated at $0.001292');
    expect(asked()).toEqual([]);
    const free = setUp();
    await free.router.embed('t', 'hi', { requires: { regions: ['eu'] } });
    expect(free.asked()).toEqual(['eu']);
  });

  it('is checked with the configuration and with each call', async () => {
    expect(() => setUp({ tier: { requires: { regions: [], maxUsd: 1 } as never } })).toThrow(
      /requires\.regions.*\n.*requires\.maxUsd: unknown option/s,
    );
    expect(() =>
      setUp({ tier: { targets: [{ target: 'us/m', compliance: { regoin: 'eu' } as never }] } }),
    ).toThrow('compliance.regoin: unknown option; did you mean "region"?');
    const { router, providers, runtime } = setUp();
    const bad: CallOptions<Name> = { requires: { zeroRetntion: true } as never };
    const { message } = await failureOf(router.complete('t', 'hi', bad));
    expect(message).toContain('did you mean "zeroRetention"?');
    const provider = { ...providers.us, compliance: { regoin: 'eu' } as never };
    expect(() =>
      createRouter({ runtime, providers: { us: provider }, tiers: { t: ['us/m'] } }),
    ).toThrow('providers.us.compliance: must be an object that can contain region');
    expect(() => fakeProvider('a', { compliance: { region: 1 } as never })).toThrow('compliance');
  });
});

describe('maxEstimatedUsd', () => {
  // 1 token costs a millionth of a dollar at us/m, and a ten-thousandth at eu/m.
  const prompt = 'word '.repeat(1_000);

  it('excludes targets of a higher or unknown price, and the error says so', async () => {
    const { router, asked } = setUp();
    const options = { requires: { maxEstimatedUsd: 0.001 } };
    const error = await failureOf(router.complete('t', prompt, options));
    expect(error.code).toBe('all_targets_failed');
    expect(error.message).toContain(
      'none/m: passed over, its price is unknown, and requires.maxEstimatedUsd is $0.001',
    );
    // About 1,000 tokens of input, and 256 of output as long as no answer is known.
    expect(error.message).toContain('us/m: passed over, it is estimated at $0.0012');
    expect(error.message).toContain('eu/m: passed over, it is estimated at $0.12');
    expect(asked()).toEqual([]);
    expect((await router.complete('t', 'hi', options)).text).toBe('us');
  });

  it('loads the price list before the plan, once a price is needed', async () => {
    // On real time, which passes while the list is loaded.
    const listed = fakeProvider('listed', { priceList: 'openai' });
    const router = createRouter({
      providers: { openai: listed },
      tiers: { t: { targets: ['openai/gpt-4o'], requires: { maxEstimatedUsd: 0.01 } } },
    });
    expect((await router.complete('t', 'hi')).text).toBe('listed');
    const { message } = await failureOf(router.complete('t', 'word '.repeat(10_000)));
    expect(message).toContain('openai/gpt-4o: passed over, it is estimated at $0.0');
  });

  it('is about all batches of embed together', async () => {
    const { router } = setUp({
      tier: { targets: ['us/m'], requires: { maxEstimatedUsd: 0.0025 } },
      maxEmbeddingBatch: 1,
    });
    const two = await router.embed('t', [prompt, prompt]);
    expect(two.vectors).toHaveLength(2);
    const { message } = await failureOf(router.embed('t', [prompt, prompt, prompt]));
    expect(message).toContain('it is estimated at $0.003');
  });
});

describe('a required latency', () => {
  const slow = { text: 'slow', firstTokenDelayMs: 900 };
  const quick = { text: 'quick', firstTokenDelayMs: 10 };

  it('puts a slow target behind the others, and excludes none', async () => {
    const { router } = setUp({
      scripts: { us: slow, eu: quick, none: quick },
      tier: { targets: ['us/m', 'eu/m', 'none/m'], requires: { p95FirstTokenMs: 300 } },
    });
    const texts = [];
    for (let each = 0; each < 8; each += 1) texts.push((await router.complete('t', 'hi')).text);
    expect(texts).toEqual([...Array(5).fill('slow'), ...Array(3).fill('quick')]);
    const { candidates, skipped } = await router.explain('t', 'hi');
    expect(candidates.map(({ target }) => target)).toEqual(['eu/m', 'none/m', 'us/m']);
    expect(skipped).toEqual([]);
    const { target } = await router.complete('t', 'hi', { route: { only: ['us'] } });
    expect(target).toBe('us/m');
  });

  it('forgives one slow answer of several, and a target that was not asked for a minute', async () => {
    const { router, runtime } = setUp({
      scripts: {
        us: (_, attempt) => (attempt === 3 ? slow : attempt < 10 ? quick : slow),
        eu: quick,
      },
      tier: { targets: ['us/m', 'eu/m'], requires: { p95FirstTokenMs: 300 } },
    });
    const asked = async (count: number) => {
      const targets = [];
      for (let each = 0; each < count; each += 1) {
        targets.push((await router.complete('t', 'hi')).target);
      }
      return targets;
    };
    expect(new Set(await asked(9))).toEqual(new Set(['us/m']));
    expect((await asked(12)).at(-1)).toBe('eu/m');
    await runtime.sleep(60_000);
    expect(await asked(2)).toEqual(['us/m', 'eu/m']);
  });
});
