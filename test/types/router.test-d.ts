import {
  type Attempt,
  type Completion,
  type CompletionStream,
  createRouter,
  type Demotion,
  type DrillReport,
  defineConfig,
  type Explanation,
  type Isolation,
  type Router,
  type RoutingConfig,
  type Snapshot,
  type ToolCallPart,
} from '../../src/index.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import { type Equal, expectType } from './expect-type.ts';

const providers = { openai: fakeProvider(), anthropic: fakeProvider() };

const router = createRouter({
  providers,
  tiers: {
    fast: ['openai/gpt-5.4-mini', 'anthropic/claude-haiku-4-5'],
    'cheap-summarize': {
      targets: ['openai/gpt-5.4-nano', { target: 'anthropic/vendor/model', maxOutputTokens: 800 }],
      strategy: 'cheapest',
      fallbackTier: 'fast',
      timeouts: { totalMs: 20_000 },
    },
  },
  providerLimits: {
    openai: { concurrency: 8, rpm: 500, tpm: 100_000, maxQueue: 50, maxQueueMs: 9 },
  },
});

// Tier and provider names are inferred from the configuration.
expectType<Equal<typeof router, Router<'fast' | 'cheap-summarize', 'openai' | 'anthropic'>>>(true);
type Next = Parameters<typeof router.reconfigure>[0];
type Whole = RoutingConfig<'openai' | 'anthropic', 'fast' | 'cheap-summarize'>;
expectType<Next extends Whole ? true : false>(true);
expectType<Whole extends Next ? true : false>(true);

// A provider may depend on a condition.
declare const hasKey: boolean;
const conditional = createRouter({
  providers: { openai: fakeProvider(), ...(hasKey && { anthropic: fakeProvider() }) },
  tiers: { fast: ['openai/gpt', ...(hasKey ? (['anthropic/claude'] as const) : [])] },
});
expectType<Equal<typeof conditional, Router<'fast', 'openai' | 'anthropic'>>>(true);
createRouter({
  providers: { openai: fakeProvider(), google: hasKey ? fakeProvider() : undefined },
  // @ts-expect-error a provider that is not configured
  tiers: { fast: ['openai/gpt', 'mistral/small'] },
});

// `tier` of a completion is the called tier.
const fast = await router.complete('fast', 'hello');
expectType<Equal<typeof fast.tier, 'fast'>>(true);
expectType<Equal<typeof fast.text, string>>(true);
expectType<Equal<typeof fast.cost.usd, number | null>>(true);
expectType<Equal<typeof fast.trail, readonly Attempt[]>>(true);
expectType<Equal<Attempt['verdict'], 'done' | 'retry' | 'next' | 'stop'>>(true);

await router.complete('fast', 'hello', { priority: 'low' });
// @ts-expect-error
await router.complete('fast', 'hello', { priority: 'urgent' });

// A misspelled tier does not compile in any method.
// @ts-expect-error
await router.complete('fats', 'hello');
// @ts-expect-error
router.stream('cheap-sumarize', 'hello');
// @ts-expect-error
await router.explain('slow', 'hello');

// @ts-expect-error
router.drill({ tier: 'fats', fault: 'slow', share: 1, forMs: 1 });

// A drill is typed by tier and provider names, and requires `share` or `tag`.
const drill = router.drill({ tier: 'fast', fault: 'cut', share: 0.1, forMs: 60_000 });
expectType<Equal<Awaited<typeof drill.report>, DrillReport<'fast'>>>(true);
router.drill({ tier: 'fast', fault: { type: 'slow', delayMs: 5 }, tag: { a: 'b' }, forMs: 1 });
// @ts-expect-error
router.drill({ tier: 'fast', fault: 'cut', forMs: 1 });
// @ts-expect-error
router.drill({ tier: 'fast', fault: 'fire', share: 1, forMs: 1 });
// @ts-expect-error
router.drill({ tier: 'fast', fault: { type: 'cut', delayMs: 1 }, share: 1, forMs: 1 });
// @ts-expect-error
router.drill({ tier: 'fast', fault: 'cut', share: 1, forMs: 1, targets: ['mistral/x'] });

// Targets to isolate are typed by provider names. The handle can be disposed of.
const isolation = router.isolate('openai/gpt-5.4-mini');
expectType<Equal<typeof isolation, Isolation<'openai' | 'anthropic'>>>(true);
isolation.restore();
{
  using isolated = router.isolate('anthropic/vendor/model');
  expectType<Equal<typeof isolated.target, `openai/${string}` | `anthropic/${string}`>>(true);
}
// @ts-expect-error
router.isolate('mistral/x');
// @ts-expect-error
router.isolate('openai');

// The same holds for targets to demote.
const demotion = router.demote('openai/gpt-5.4-mini', { weight: 0.1 });
expectType<Equal<typeof demotion, Demotion<'openai' | 'anthropic'>>>(true);
demotion.restore();
{
  using demoted = router.demote('anthropic/vendor/model');
  expectType<Equal<typeof demoted.target, `openai/${string}` | `anthropic/${string}`>>(true);
}
// @ts-expect-error
router.demote('mistral/x');
// @ts-expect-error
router.demote('openai/gpt-5.4-mini', { wieght: 1 });

// Feedback names a call by the `callId` of its result.
expectType<Equal<typeof fast.callId, string>>(true);
expectType<Equal<Awaited<ReturnType<typeof router.embed>>['callId'], string>>(true);
expectType<Equal<Awaited<ReturnType<typeof router.image>>['callId'], string>>(true);
const isKnown = router.feedback(fast.callId, { score: 1, reason: undefined });
expectType<Equal<typeof isKnown, boolean>>(true);
// @ts-expect-error
router.feedback(fast.callId, { reason: 'good' });
// @ts-expect-error
router.feedback(fast.callId, { score: 'good' });
router.on('feedback', ({ tier, score, reason }) => {
  expectType<Equal<typeof tier, 'fast' | 'cheap-summarize'>>(true);
  expectType<Equal<typeof score, number>>(true);
  expectType<Equal<typeof reason, string | undefined>>(true);
});

// A tier name of type `string` must be narrowed first.
declare const anyName: string;
// @ts-expect-error
await router.complete(anyName, 'hello');

// A target of a provider that is not configured does not compile anywhere.
createRouter({
  providers,
  // @ts-expect-error
  tiers: { fast: ['opnai/gpt-5.4-mini'] },
});
createRouter({
  providers,
  // @ts-expect-error
  tiers: { fast: { targets: ['openai/gpt-5.4-mini', 'google/gemini-3-flash'] } },
});
createRouter({
  providers,
  // @ts-expect-error
  tiers: { fast: [{ target: 'google/gemini-3-flash' }] },
});
createRouter({
  providers,
  tiers: { fast: ['openai/gpt-5.4-mini'] },
  // @ts-expect-error
  providerLimits: { google: { concurrency: 1 } },
});

// A target without a provider does not compile.
createRouter({
  providers,
  // @ts-expect-error
  tiers: { fast: ['gpt-5.4-mini'] },
});

// A misspelled `fallbackTier` does not compile.
createRouter({
  providers,
  tiers: {
    fast: ['openai/gpt-5.4-mini'],
    // @ts-expect-error
    slow: { targets: ['anthropic/claude-opus-4-6'], fallbackTier: 'fats' },
  },
});

// `fallbacks` name any target of a configured provider, by known codes.
createRouter({
  providers,
  tiers: {
    fast: {
      targets: ['openai/gpt-5.4-mini'],
      fallbacks: { context_length: ['anthropic/claude-opus-4-6'], content_filter: ['openai/o'] },
      validators: { minLength: 5, pattern: '^a', jsonSchema: { type: 'object' } },
      slowMs: 5_000,
      minTokensPerSecond: 2.5,
    },
  },
  defaults: { slowMs: 9_000, validators: { minLength: 1 } },
});
createRouter({
  providers,
  tiers: {
    // @ts-expect-error
    fast: { targets: ['openai/m'], fallbacks: { context_length: ['mistral/m'] } },
  },
});
createRouter({
  providers,
  tiers: {
    // @ts-expect-error
    fast: { targets: ['openai/m'], fallbacks: { aborted: ['openai/m'] } },
  },
});
createRouter({
  providers,
  tiers: {
    // @ts-expect-error
    fast: { targets: ['openai/m'], validators: { minWords: 5 } },
  },
});

// Unknown options of a tier, a target, `defaults` and the router do not compile.
createRouter({
  providers,
  // @ts-expect-error
  tiers: { fast: { targets: ['openai/gpt-5.4-mini'], stratgy: 'cheapest' } },
});
createRouter({
  providers,
  // @ts-expect-error
  tiers: { fast: { targets: [{ target: 'openai/gpt-5.4-mini', maxTokens: 5 }] } },
});
createRouter({
  providers,
  tiers: { fast: ['openai/gpt-5.4-mini'] },
  // @ts-expect-error
  defaults: { timeout: 5 },
});
createRouter({
  providers,
  tiers: { fast: ['openai/gpt-5.4-mini'] },
  // @ts-expect-error
  fallback: 'fast',
});
createRouter({
  providers,
  // @ts-expect-error
  tiers: { fast: { targets: ['openai/gpt-5.4-mini'], strategy: 'random' } },
});

// `providerOptions` of the configuration accept configured providers only.
createRouter({
  providers,
  tiers: {
    fast: {
      targets: ['openai/gpt-5.4-mini'],
      providerOptions: { openai: { service_tier: 'flex' } },
    },
  },
});
createRouter({
  providers,
  // @ts-expect-error
  tiers: { fast: { targets: ['openai/gpt-5.4-mini'], providerOptions: { opnai: { a: 1 } } } },
});

// `reconfigure` accepts routing data with the same names, without providers.
router.reconfigure({
  tiers: { fast: ['anthropic/claude-haiku-4-5'], 'cheap-summarize': ['openai/gpt-5.4-nano'] },
});
router.reconfigure({
  // @ts-expect-error
  tiers: { fast: ['google/gemini-3-flash'], 'cheap-summarize': ['openai/gpt-5.4-nano'] },
});
// @ts-expect-error
router.reconfigure({ tiers: { fast: ['anthropic/claude-haiku-4-5'] } });

// `explain` and `snapshot`.
expectType<Equal<Awaited<ReturnType<typeof router.explain<'fast'>>>, Explanation<'fast'>>>(true);
const { candidates, skipped } = await router.explain('fast', 'hello', {
  route: { ignore: ['openai'] },
});
expectType<Equal<(typeof candidates)[number]['target'], string>>(true);
expectType<Equal<(typeof skipped)[number]['until'], number | undefined>>(true);
expectType<Equal<ReturnType<typeof router.snapshot>, Snapshot>>(true);
const circuit = router.snapshot().targets['openai/gpt-5.4-mini']?.circuit;
expectType<Equal<typeof circuit, 'closed' | 'open' | 'half-open' | undefined>>(true);

// `defineConfig` keeps the names, so that a configuration in a separate file is typed the same.
const config = defineConfig({
  providers,
  tiers: {
    fast: ['openai/gpt-5.4-mini'],
    slow: { targets: ['anthropic/claude-opus-4-6'], fallbackTier: 'fast' },
  },
});
const configured = createRouter(config);
expectType<Equal<typeof configured, Router<'fast' | 'slow', 'openai' | 'anthropic'>>>(true);
defineConfig({
  providers,
  // @ts-expect-error
  tiers: { fast: ['opnai/gpt-5.4-mini'] },
});

// A stream has the same completion type.
const stream = router.stream('fast', 'hello');
expectType<Equal<typeof stream, CompletionStream<Completion<undefined, ToolCallPart, 'fast'>>>>(
  true,
);
expectType<Equal<typeof fast, Completion<undefined, ToolCallPart, 'fast'>>>(true);

// A router with more tiers than a function needs can be passed to it.
declare const wider: Router<'fast' | 'slow', 'openai' | 'anthropic'>;
const narrower: Router<'fast', 'openai' | 'anthropic'> = wider;
const withoutNames: Router<'fast'> = wider;
const withAnyTier: Router = wider;
void [narrower, withoutNames, withAnyTier];
// Each of its names is checked where it is known.
router.reconfigure({
  // @ts-expect-error there is no tier "slow"
  tiers: { fast: ['openai/m'], 'cheap-summarize': { targets: ['openai/m'], fallbackTier: 'slow' } },
});
router.reconfigure({
  // @ts-expect-error there is no tier "slow"
  tiers: { fast: ['openai/m'], 'cheap-summarize': ['openai/m'], slow: ['openai/m'] },
});
// @ts-expect-error the router lacks a tier
const lacking: Router<'fast' | 'slow' | 'huge', 'openai' | 'anthropic'> = wider;
void lacking;
// Rules name configured tiers and providers; requirements and compliance have no other fields.
const ruled = {
  providers,
  tiers: { fast: ['openai/m'], smart: ['anthropic/m'] },
} as const;
createRouter({
  ...ruled,
  defaults: { requires: { zeroRetention: true, regions: undefined } },
  rules: [
    {
      name: 'a',
      when: { tiers: ['fast'], tags: { plan: 'free' }, weekdays: ['mon'] },
      use: 'smart',
    },
    { name: 'b', when: {}, use: ['openai/any', { target: 'anthropic/m', maxOutputTokens: 5 }] },
  ],
});
createRouter({
  ...ruled,
  // @ts-expect-error
  rules: [{ name: 'a', when: {}, use: 'smrt' }],
});
createRouter({
  ...ruled,
  // @ts-expect-error
  rules: [{ name: 'a', when: {}, use: ['opnai/m'] }],
});
createRouter({
  ...ruled,
  // @ts-expect-error
  rules: [{ name: 'a', when: { tiers: ['smrt'] }, use: 'smart' }],
});
createRouter({
  ...ruled,
  // @ts-expect-error
  defaults: { requires: { zeroRetntion: true } },
});
