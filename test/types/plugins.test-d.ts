import { expectTypeOf } from 'vitest';
import {
  createRouter,
  defineConfig,
  type Plugin,
  type PluginAnswer,
  type PluginRequest,
  type Provider,
  type Strategy,
  type StrategyContext,
} from '../../src/index.ts';

declare const a: Provider;
declare const mine: Strategy;

// The names of strategies are inferred, and those of tiers are checked against them.
const router = createRouter({
  providers: { a },
  strategies: { mine },
  defaults: { strategy: 'mine' },
  tiers: {
    t: { targets: ['a/m'], strategy: 'mine' },
    u: { targets: ['a/m'], strategy: 'cheapest' },
  },
});
router.reconfigure({ tiers: { t: { targets: ['a/m'], strategy: 'mine' }, u: ['a/m'] } });
// @ts-expect-error there is no such strategy
router.reconfigure({ tiers: { t: { targets: ['a/m'], strategy: 'yours' }, u: ['a/m'] } });

createRouter({
  providers: { a },
  strategies: { mine },
  // @ts-expect-error there is no such strategy
  tiers: { t: { targets: ['a/m'], strategy: 'yours' } },
});
createRouter({
  providers: { a },
  // @ts-expect-error no strategy is defined
  tiers: { t: { targets: ['a/m'], strategy: 'mine' } },
});
createRouter({
  providers: { a },
  // @ts-expect-error a strategy has a function order
  strategies: { mine: {} },
  tiers: { t: ['a/m'] },
});
defineConfig({
  providers: { a },
  strategies: { mine },
  tiers: { t: { targets: ['a/m'], strategy: 'mine' } },
});

const strategy: Strategy = {
  needs: ['prices'],
  order(candidates, context) {
    expectTypeOf(context).toEqualTypeOf<StrategyContext>();
    expectTypeOf(context.call.remainingMs).toBeNumber();
    const [first] = candidates;
    if (first !== undefined) {
      expectTypeOf(first.id).toBeString();
      expectTypeOf(context.knowledge(first).price?.input).toEqualTypeOf<number | undefined>();
    }
    return candidates;
  },
};
expectTypeOf(strategy.needs).toEqualTypeOf<readonly ('prices' | 'usage')[] | undefined>();
// @ts-expect-error nothing else can be needed
const needy: Strategy = { ...strategy, needs: ['weather'] };
void needy;

// The hooks of a plugin get their types from it.
const plugin: Plugin = {
  name: 'p',
  onRequest(request, call) {
    expectTypeOf(request).toEqualTypeOf<PluginRequest>();
    expectTypeOf(call.kind).toEqualTypeOf<'chat' | 'embed' | 'image'>();
    if (request.kind === 'embed') {
      expectTypeOf(request.values).toEqualTypeOf<readonly string[]>();
      // @ts-expect-error an embedding has no messages
      request.messages;
    }
    return { block: { rule: 'r' } };
  },
  async accept(answer) {
    expectTypeOf(answer).toEqualTypeOf<PluginAnswer>();
    return { reason: 'no' };
  },
  onToolCall: ({ input }) => ({ replace: input }),
  eligible: ({ provider }) => provider === 'a' || 'no',
  wrapCall: (call, next) => {
    expectTypeOf(call.innermost.answer).toEqualTypeOf<PluginAnswer | undefined>();
    return next();
  },
};
createRouter({ providers: { a }, tiers: { t: ['a/m'] }, plugins: [plugin] });

// @ts-expect-error a plugin has a name
const nameless: Plugin = { onRequest: (request) => request };
void nameless;
// @ts-expect-error an excluded target needs a reason
const silent: Plugin = { name: 'p', eligible: () => false };
void silent;
// @ts-expect-error a block names its rule
const ruleless: Plugin = { name: 'p', onRequest: () => ({ block: {} }) };
void ruleless;
// @ts-expect-error there is no such hook
const misspelt: Plugin = { name: 'p', onRequests: () => undefined };
void misspelt;

// A built-in strategy takes its own settings.
createRouter({
  providers: { a },
  defaults: { strategy: { type: 'balanced', cost: 2 } },
  tiers: {
    t: { targets: [{ target: 'a/m', weight: 3 }], strategy: { type: 'fastest', by: 'total' } },
    // @ts-expect-error settings of another strategy
    u: { targets: ['a/m'], strategy: { type: 'fastest', cost: 2 } },
    // @ts-expect-error no such setting
    v: { targets: ['a/m'], strategy: { type: 'weighted', by: 'total' } },
    // @ts-expect-error no such strategy
    w: { targets: ['a/m'], strategy: { type: 'quickest' } },
  },
});
