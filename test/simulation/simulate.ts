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
import { makeCall, type Outcome } from './caller.ts';
import { createDice } from './dice.ts';
import { type Change, limitsAfter, tiersWithout } from './incidents.ts';
import { violationsIn } from './invariants.ts';
import { pluginsOf } from './plugins.ts';
import { forkingPlugin, type Policy, type PolicyShare, policyOf, tiersUnder } from './policies.ts';
import { routingViolationsIn } from './routing-invariants.ts';
import { createVendor, type Entry, type Ledger } from './vendor.ts';
import { virtualTime } from './virtual-time.ts';
import { type CallPlan, createWorld, type World } from './world.ts';

/** Everything that happened in one run. */
export type Run = {
  readonly world: World;
  /** The plugins around its calls; they must change nothing that the invariants are about. */
  readonly plugins: readonly Plugin[];
  /** Who may serve which call; `undefined` when anyone may. */
  readonly policy: Policy | undefined;
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

/** Half of the worlds in which every one has a policy replace it. */
function reconfigured(world: World, seed: number): World {
  if (world.incidents.changes !== undefined) return { ...world, reconfigureAtMs: undefined };
  const dice = createDice(seed * 11 + 5);
  return dice.chance(0.5) ? { ...world, reconfigureAtMs: dice.between(0, 90_000) } : world;
}

/** Runs the world of a seed on the real router. The same seed produces the same run. */
export async function runWorld(seed: number, share: PolicyShare = 'some'): Promise<Run> {
  const plain = createWorld(seed);
  const made = share === 'every' ? reconfigured(plain, seed) : plain;
  const policy = policyOf(createDice(-seed), made, share);
  // As the tiers are at first.
  const world =
    policy === undefined ? made : { ...made, tiers: tiersUnder(policy.routing, made.tiers) };
  // Dice of their own, so that plugins change nothing else about the world of a seed.
  const plugins = [
    ...pluginsOf(createDice(seed * 2 + 2)),
    ...(policy?.forkTo === undefined ? [] : [forkingPlugin(policy.forkTo)]),
  ];
  const time = virtualTime(seed);
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
          ['m1', 'm2'].map((model) => [`${name}/${model}`, price]),
        ),
      ),
    ...(policy !== undefined && { rules: policy.routing.rules }),
  };
  const next =
    policy === undefined
      ? routing
      : { ...routing, tiers: tiersUnder(policy.later, made.tiers), rules: policy.later.rules };
  const vendors = world.vendors.map((plan) => [
    plan.name,
    {
      ...createVendor(plan, world.incidents, time, ledger),
      compliance: policy?.compliance[plan.name],
    },
  ]);
  const router = createRouter({
    ...routing,
    providers: Object.fromEntries(vendors),
    runtime: time,
    plugins,
  });
  router.on('*', (event) => void events.push(event));

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
    router.reconfigure(next);
  });
  later(world.closeAtMs, () => router.close());
  const { freeze, changes } = world.incidents;
  later(freeze?.atMs, () => time.freeze(freeze?.forMs ?? 0));
  const queuedAfterChange: QueuedAfterChange[] = [];
  for (const change of changes?.list ?? []) {
    const { provider } = changes ?? { provider: '' };
    later(change.atMs, () =>
      router.reconfigure({
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
  later(policy?.drillAtMs, () => {
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
    void makeCall(router, time, plan, policy?.callRequires.get(plan.number)).then((outcome) => {
      if (outcomes.push(outcome) < world.calls.length) return;
      quiet = { pending: time.pending - scheduled, snapshot: router.snapshot() };
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
export async function simulate(
  seed: number,
  share: PolicyShare = 'some',
): Promise<readonly string[]> {
  const run = await runWorld(seed, share);
  return share === 'every' ? routingViolationsIn(run) : violationsIn(run);
}
