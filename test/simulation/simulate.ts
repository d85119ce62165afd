// Beforehand: while the engine loads it, virtual time would pass.
import 'jsonrepair';
import {
  createRouter,
  type Explanation,
  type Plugin,
  type RouterEvent,
  type Snapshot,
} from '../../src/index.ts';
import { answerSchema, promptOf } from './answers.ts';
import {
  askingPlugin,
  type BudgetPlan,
  type Budgets,
  budgetPlanOf,
  payingCallOf,
  worldWithBudgets,
} from './budgets.ts';
import { makeCall, type Outcome } from './caller.ts';
import { createDice } from './dice.ts';
import { type Change, limitsAfter, tiersWithout } from './incidents.ts';
import { violationsIn } from './invariants.ts';
import { type LayerPlan, layerPlanOf, layersOf, worldWithLayers } from './layers.ts';
import { pluginsOf } from './plugins.ts';
import { forkingPlugin, type Policy, policyOf, tiersUnder } from './policies.ts';
import { routingViolationsIn } from './routing-invariants.ts';
import { createVendor, type Entry, type Ledger } from './vendor.ts';
import { virtualTime } from './virtual-time.ts';
import { type WatchedStore, watchedStore } from './watched-store.ts';
import { type CallPlan, createWorld, type World } from './world.ts';

/** What every world has that otherwise only some have. */
export type Focus = 'policies' | 'budgets' | 'plugins';

/** Everything that happened in one run. */
export type Run = {
  readonly world: World;
  /** The plugins around its calls; they must change nothing that the invariants are about. */
  readonly plugins: readonly Plugin[];
  /** Who may serve which call; `undefined` when anyone may. */
  readonly policy: Policy | undefined;
  /** `undefined` where there are none. */
  readonly budgets: BudgetPlan | undefined;
  readonly store: WatchedStore | undefined;
  /** Plugins that redact, cache or guard, and the calls that they are about. `undefined` where there are none. */
  readonly layers: LayerPlan | undefined;
  /** The budgets of each call, by its number. */
  readonly budgetsOf: ReadonlyMap<string, Budgets>;
  readonly beganAt: number;
  readonly events: readonly RouterEvent[];
  readonly ledger: Ledger;
  /** One per settled call. */
  readonly outcomes: readonly Outcome[];
  /** The router's state and the pending timers when the last call settled. */
  readonly quiet: { readonly pending: number; readonly snapshot: Snapshot } | undefined;
  readonly pendingAfterClose: number;
  readonly queuedAfterChange: readonly QueuedAfterChange[];
  /** What the router said that calls would do, at the time of each call. Only where there is a policy. */
  readonly explained: readonly Explained[];
  /** When the configuration was replaced by the later one: not on time after a freeze. */
  readonly reconfiguredAt: number | undefined;
  /** Unhandled rejections. */
  readonly strays: readonly unknown[];
};

/** One millisecond after a change: the calls that wait for the provider, and its requests. */
type QueuedAfterChange = {
  readonly change: Change;
  readonly queued: number;
  readonly open: number;
};

type Explained = {
  readonly plan: CallPlan;
  readonly at: number;
  readonly explanation: Explanation;
};

const price = { input: 1, output: 10 };

/** A call that waits for room looks at least that often whether there is some. */
const reviewMs = 1_500;

/** Half of the worlds in which every one has a policy replace it. */
function reconfigured(world: World, seed: number): World {
  if (world.incidents.changes !== undefined) return { ...world, reconfigureAtMs: undefined };
  const dice = createDice(seed * 11 + 5);
  return dice.chance(0.5) ? { ...world, reconfigureAtMs: dice.between(0, 90_000) } : world;
}

/** Runs the world of a seed on the real router. The same seed produces the same run. */
export async function runWorld(seed: number, focus?: Focus): Promise<Run> {
  const plain = createWorld(seed);
  const changing = focus === 'policies' ? reconfigured(plain, seed) : plain;
  const policy =
    focus === 'plugins'
      ? undefined
      : policyOf(createDice(-seed), changing, focus === 'policies' ? 'every' : 'some');
  const moneyDice = createDice(seed * 13 + 7);
  const hasBudgets =
    moneyDice.chance(0.15) && focus !== 'plugins' ? focus !== 'policies' : focus === 'budgets';
  const budgets = hasBudgets ? budgetPlanOf(moneyDice, changing, policy) : undefined;
  const layerDice = createDice(seed * 19 + 11);
  // Who may serve and who pays is about calls that are sent.
  const mayHaveLayers = policy === undefined && budgets === undefined;
  const hasLayers = mayHaveLayers && (layerDice.chance(0.2) || focus === 'plugins');
  const layers = hasLayers ? layerPlanOf(layerDice, changing) : undefined;
  const layered = layers === undefined ? changing : worldWithLayers(layerDice, changing);
  const made = budgets === undefined ? layered : worldWithBudgets(moneyDice, layered, budgets);
  // As the tiers are at first.
  const world =
    policy === undefined ? made : { ...made, tiers: tiersUnder(policy.routing, made.tiers) };
  // Dice of their own, so that plugins change nothing else about the world of a seed.
  const around = pluginsOf(createDice(seed * 2 + 2));
  const inner = layers === undefined ? [] : layersOf(layers);
  const plugins = [
    ...(layerDice.chance(0.5) ? [...around, ...inner] : [...inner, ...around]),
    ...(policy?.forkTo === undefined ? [] : [forkingPlugin(policy.forkTo)]),
    ...(budgets?.asks === undefined ? [] : [askingPlugin(budgets.asks)]),
  ];
  const time = virtualTime(seed, budgets?.beganAt);
  const store = budgets === undefined ? undefined : watchedStore(time, budgets.storeMs);
  const beganAt = time.now();
  const ledger: Ledger = [];
  const events: RouterEvent[] = [];
  const outcomes: Outcome[] = [];
  const strays: unknown[] = [];
  const note = (reason: unknown): void => void strays.push(reason);
  process.on('unhandledRejection', note);

  const routing = {
    tiers: world.tiers,
    providerLimits: world.providerLimits,
    prices:
      policy?.prices ??
      Object.fromEntries(
        world.vendors.flatMap(({ name }) =>
          ['m1', 'm2', 'e1']
            .map((model) => `${name}/${model}`)
            .flatMap((target) => (budgets?.unpriced.has(target) ? [] : [[target, price]])),
        ),
      ),
    ...(budgets !== undefined && { budgets: budgets.budgets }),
    ...(policy !== undefined && { rules: policy.routing.rules }),
  };
  const next =
    policy === undefined
      ? routing
      : { ...routing, tiers: tiersUnder(policy.later, made.tiers), rules: policy.later.rules };
  const vendors = world.vendors.map((plan) => [
    plan.name,
    {
      ...createVendor(plan, world, time, ledger),
      compliance: policy?.compliance[plan.name],
    },
  ]);
  const router = createRouter({
    ...routing,
    providers: Object.fromEntries(vendors),
    runtime: time,
    plugins,
    ...(store !== undefined && { store: store.store }),
  });
  let budgetsNow = budgets?.budgets ?? {};
  let routingNow: typeof routing = routing;
  /** Replaces the configuration, except for the budgets. */
  function reroute(replaced: typeof routing): void {
    routingNow = { ...replaced, budgets: budgetsNow };
    router.reconfigure(routingNow);
  }
  const budgetsOf = new Map<string, Budgets>();
  router.on('*', (event) => {
    events.push(event);
    const number = payingCallOf(event) ?? '';
    if (event.type === 'call-start' && !budgetsOf.has(number)) budgetsOf.set(number, budgetsNow);
    store?.seen(event, budgetsOf.get(number) ?? budgetsNow);
  });

  let scheduled = 0;
  function later(ms: number | undefined, run: () => unknown): void {
    if (ms === undefined) return;
    scheduled += 1;
    void time.sleep(ms).then(() => {
      scheduled -= 1;
      return run();
    });
  }
  let reconfiguredAt: number | undefined;
  later(world.reconfigureAtMs, () => {
    reconfiguredAt = time.now();
    reroute(next);
  });
  later(budgets?.changeAtMs, () => {
    budgetsNow = budgets?.later ?? {};
    reroute(routingNow);
  });
  later(world.closeAtMs, () => router.close());
  const { freeze, changes } = world.incidents;
  later(freeze?.atMs, () => time.freeze(freeze?.forMs ?? 0));
  const queuedAfterChange: QueuedAfterChange[] = [];
  for (const change of changes?.list ?? []) {
    const { provider } = changes ?? { provider: '' };
    later(change.atMs, () =>
      reroute({
        ...routing,
        tiers: change.dropsTargets ? tiersWithout(world.tiers, provider) : world.tiers,
        providerLimits: limitsAfter(world.providerLimits, provider, change),
      }),
    );
    later(change.atMs + 1, () => {
      const targets = Object.entries(router.snapshot().targets);
      const queued = targets
        .filter(([id]) => id.startsWith(`${provider}/`))
        .reduce((sum, [, { limits }]) => sum + (limits?.queued ?? 0), 0);
      const isOpen = (each: Entry) => each.vendor === provider && each.endedAt === undefined;
      queuedAfterChange.push({ change, queued, open: ledger.filter(isOpen).length });
    });
  }
  later(policy?.drillAtMs ?? budgets?.drillAtMs, () => {
    if (world.closeAtMs !== undefined) return;
    scheduled += 1;
    const drill = router.drill({ tier: 'main', fault: 'cut', share: 0.5, forMs: 20_000 });
    void drill.report.then(() => {
      scheduled -= 1;
    });
  });

  const explained: Explained[] = [];
  for (const plan of policy === undefined ? [] : world.calls) {
    later(plan.atMs, async () => {
      const at = time.now();
      const requires = policy?.callRequires.get(plan.number);
      const explanation = await router.explain(plan.tier, promptOf(plan.number), {
        tags: { plan: String(plan.number) },
        ...(requires !== undefined && { requires }),
        ...(plan.wantsObject && { schema: answerSchema }),
      });
      explained.push({ plan, at, explanation });
    });
  }

  let quiet: Run['quiet'];
  for (const plan of world.calls) {
    const requires = policy?.callRequires.get(plan.number);
    void makeCall(router, time, plan, { requires, budgets, layers }).then((outcome) => {
      const waitedMs = time.now() - (store?.settledAt ?? time.now());
      const waits = outcome.error?.message.includes('waited for room') === true;
      // In a freeze all that it waits for comes late.
      const isFrozen = world.incidents.freeze !== undefined;
      if (waits && !isFrozen && store?.open() === 0 && waitedMs > reviewMs) {
        store.violations.push(`call ${plan.number} waited for room that there was`);
      }
      if (outcomes.push(outcome) < world.calls.length) return;
      const pending = time.pending - scheduled - (store?.pending ?? 0);
      quiet = { pending, snapshot: router.snapshot() };
    });
  }
  await time.run();
  await router.close();
  await time.run();
  process.off('unhandledRejection', note);
  return {
    world,
    plugins,
    policy,
    budgets,
    store,
    layers,
    budgetsOf,
    beganAt,
    events,
    ledger,
    outcomes,
    quiet,
    pendingAfterClose: time.pending,
    queuedAfterChange,
    explained,
    reconfiguredAt,
    strays,
  };
}

/** Runs a seed, and returns its violations. Where every world has a policy, only those of it: who may serve, and the rules. */
export async function simulate(seed: number, focus?: Focus): Promise<readonly string[]> {
  const run = await runWorld(seed, focus);
  return focus === 'policies' ? routingViolationsIn(run) : violationsIn(run);
}
