import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { anthropic } from '../../src/anthropic.ts';
import { createRouter, type Plugin, type Requires, type TierObject } from '../../src/index.ts';
import { openai, openaiChat } from '../../src/openai.ts';
import {
  type SimulatedProviders,
  simulateProviders,
} from '../../src/testing/simulate-providers.ts';

let simulators: SimulatedProviders;
beforeAll(async () => {
  simulators = await simulateProviders();
});
afterEach(() => simulators.reset());
afterAll(() => simulators.close());

const main = 'eu/claude-haiku-4-5';
const forbidden = 'us/llama-4';
const spare = 'spare/gpt-5.4-mini';
const inEurope: Requires = { regions: ['eu'], zeroRetention: true };

type Setting = {
  readonly requires: Requires | undefined;
  readonly tier?: Partial<TierObject<'eu' | 'us' | 'spare', 'last'>>;
  readonly plugins?: readonly Plugin[];
  readonly rule?: true;
};

/** Two vendors in Europe that store nothing, and between them one that is elsewhere. */
function routerOf({ requires, tier = {}, plugins = [], rule }: Setting) {
  const settings = { apiKey: 'test-key' };
  const allowed = { region: 'eu', zeroRetention: true };
  const elsewhere = { region: 'us', zeroRetention: true };
  const { baseURL } = simulators.compatible;
  const use = [forbidden, spare] as const;
  return createRouter({
    providers: {
      eu: anthropic({ ...settings, baseURL: simulators.anthropic.baseURL, compliance: allowed }),
      us: openaiChat({ ...settings, baseURL, compliance: elsewhere }),
      spare: openai({ ...settings, baseURL: simulators.openai.baseURL, compliance: allowed }),
    },
    tiers: {
      t: { targets: [main, forbidden, spare], retry: { attempts: 0 }, requires, ...tier },
      last: { targets: [forbidden, spare] },
      vectors: { targets: ['us/embedder', 'spare/text-embedding-3-small'] },
    },
    plugins,
    ...(rule && { rules: [{ name: 'elsewhere', when: { tags: { to: 'us' } }, use }] }),
  });
}

const settled = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    () => undefined,
  );
const failMain = () => simulators.anthropic.fault({ type: 'status', status: 500 });
const asking = (
  ask: (call: Parameters<NonNullable<Plugin['wrapCall']>>[0]) => Promise<unknown>,
) => {
  const plugin: Plugin = {
    name: 'asking',
    exceptTiers: ['last', 'vectors'],
    async *wrapCall(call, next) {
      await settled(ask(call));
      yield* next();
    },
  };
  return [plugin];
};

/** Every way in which a request can reach another target than the first. */
const doors: Readonly<Record<string, (requires: Requires | undefined) => Promise<void>>> = {
  async 'the first choice'(requires) {
    const router = routerOf({ requires, tier: { targets: [forbidden, main] } });
    await router.complete('t', 'hi');
  },
  async failover(requires) {
    failMain();
    await routerOf({ requires }).complete('t', 'hi');
  },
  async 'a fallback tier'(requires) {
    failMain();
    const tier = { targets: [main], fallbackTier: 'last' } as const;
    await routerOf({ requires, tier }).complete('t', 'hi');
  },
  async 'fallbacks by failure'(requires) {
    simulators.anthropic.fault({ type: 'status', status: 500 });
    const tier = { targets: [main], fallbacks: { server_error: [forbidden, spare] } } as const;
    await routerOf({ requires, tier }).complete('t', 'hi');
  },
  async 'a hedge'(requires) {
    simulators.anthropic.fault({ type: 'slow-first-token', ms: 300 });
    const tier = { hedge: { afterMs: 20, maxExtra: 1 } };
    for await (const part of routerOf({ requires, tier }).stream('t', 'hi')) void part;
  },
  async 'a fire drill'(requires) {
    const router = routerOf({ requires });
    const drill = router.drill({ tier: 't', fault: 'server_error', share: 1, forMs: 60_000 });
    await router.complete('t', 'hi');
    await drill.stop();
  },
  async 'a continued answer'(requires) {
    simulators.anthropic.answer({ text: 'one two', chunks: ['one', ' two'] });
    simulators.anthropic.fault({ type: 'cut', afterEvents: 4 });
    const router = routerOf({ requires, tier: { midStream: 'continue' } });
    for await (const part of router.stream('t', 'hi')) void part;
  },
  async 'an answer that cannot be used'(requires) {
    simulators.anthropic.answer('no JSON');
    const schema = { type: 'object', properties: { a: { type: 'string' } } };
    const router = routerOf({ requires, tier: { repairAttempts: 0 } });
    await settled(router.complete('t', 'hi', { schema }));
  },
  async 'an isolated target'(requires) {
    const router = routerOf({ requires });
    router.isolate(main);
    await router.complete('t', 'hi');
  },
  async 'a rule'(requires) {
    await routerOf({ requires, rule: true }).complete('t', 'hi', { tags: { to: 'us' } });
  },
  async 'call.ask'(requires) {
    const plugins = asking((call) => call.ask('last', 'is this fine?'));
    await routerOf({ requires, plugins }).complete('t', 'hi');
  },
  async 'call.embed'(requires) {
    const plugins = asking((call) => call.embed('vectors', 'hi'));
    await routerOf({ requires, plugins }).complete('t', 'hi');
  },
  async 'call.fork'(requires) {
    const plugins = asking((call) => call.fork({ target: forbidden }));
    await routerOf({ requires, plugins }).complete('t', 'hi');
  },
};

describe('a vendor elsewhere receives nothing of a call that must stay in Europe, through', () => {
  it.each(Object.entries(doors))('%s', async (_, open) => {
    await open(inEurope);
    expect(simulators.compatible.log).toEqual([]);
    expect(simulators.anthropic.log.length + simulators.openai.log.length).toBeGreaterThan(0);
    // Without the requirement, this is a way to that vendor.
    simulators.reset();
    await open(undefined);
    expect(simulators.compatible.log.length).toBeGreaterThan(0);
  });
});
