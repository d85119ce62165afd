import type {
  Compliance,
  Message,
  Plugin,
  Price,
  Requires,
  Rule,
  TargetId,
  TierObject,
} from '../../src/index.ts';
import type { Dice } from './dice.ts';
import type { World } from './world.ts';

/** What the tiers of a configuration require, and its rules. */
type Routing = {
  readonly requires: Readonly<Record<string, Requires>>;
  readonly rules: readonly Rule[];
};

/** Who may serve which call of a world. */
export type Policy = {
  readonly compliance: Readonly<Record<string, Compliance>>;
  readonly prices: Readonly<Record<string, Price>>;
  /** At first, and after the configuration was replaced. */
  readonly routing: Routing;
  readonly later: Routing;
  /** By the number of the call. */
  readonly callRequires: ReadonlyMap<number, Requires>;
  /** The target that a plugin sends a copy of each call to. */
  readonly forkTo: TargetId | undefined;
  readonly drillAtMs: number | undefined;
};

/** Every answer costs more than `maxUsd` at a target of this price, and none at a cheap one. */
const costly: Price = { input: 1_000_000, output: 1_000_000 };
const cheap: Price = { input: 0.001, output: 0.001 };
const maxUsd = 0.5;

const models = ['m1', 'm2'];

function complianceOf(dice: Dice): Compliance {
  return {
    ...(dice.chance(0.7) && { region: dice.oneOf(['eu', 'us']) }),
    ...(dice.chance(0.7) && { zeroRetention: dice.chance(0.8) }),
    ...(dice.chance(0.7) && { noTraining: dice.chance(0.8) }),
  };
}

function requiresOf(dice: Dice): Requires {
  return {
    ...(dice.chance(0.3) && { regions: dice.oneOf([['eu'], ['us'], ['eu', 'us']]) }),
    ...(dice.chance(0.3) && { zeroRetention: true }),
    ...(dice.chance(0.3) && { noTraining: true }),
    ...(dice.chance(0.3) && { maxEstimatedUsd: maxUsd }),
    ...(dice.chance(0.3) && { p95FirstTokenMs: dice.between(50, 500) }),
  };
}

function rulesOf(dice: Dice, targets: readonly TargetId[]): readonly Rule[] {
  const use = () =>
    dice.chance(0.5) ? 'last' : dice.shuffled(targets).slice(0, dice.between(1, 4));
  const rules: Rule[] = [
    { name: 'one call', when: { tags: { plan: String(dice.between(0, 9)) } }, use: use() },
    { name: 'some minutes', when: { tiers: ['main'], hours: '00:00-00:01' }, use: use() },
    { name: 'objects', when: { schema: true }, use: use() },
    { name: 'rest', when: { tiers: ['main'] }, use: use() },
  ];
  return rules.filter(() => dice.chance(0.4));
}

function routingOf(dice: Dice, world: World, targets: readonly TargetId[]): Routing {
  const tiers = Object.keys(world.tiers).filter(() => dice.chance(0.5));
  return {
    requires: Object.fromEntries(tiers.map((name) => [name, requiresOf(dice)])),
    rules: dice.chance(0.6) ? rulesOf(dice, targets) : [],
  };
}

/** The policy of a world; most worlds have none. */
export function policyOf(dice: Dice, world: World): Policy | undefined {
  if (!dice.chance(0.25)) return undefined;
  const vendors = world.vendors.map(({ name }) => name);
  const targets = vendors.flatMap((name) => models.map((model) => `${name}/${model}` as const));
  const priced = targets.filter(() => dice.chance(0.8));
  const calls = world.calls.filter(() => dice.chance(0.3));
  return {
    compliance: Object.fromEntries(vendors.map((name) => [name, complianceOf(dice)])),
    prices: Object.fromEntries(priced.map((target) => [target, dice.chance(0.7) ? cheap : costly])),
    routing: routingOf(dice, world, targets),
    later: routingOf(dice, world, targets),
    callRequires: new Map(calls.map(({ number }) => [number, requiresOf(dice)])),
    forkTo: dice.chance(0.4) ? dice.oneOf(targets) : undefined,
    drillAtMs: dice.chance(0.4) ? dice.between(0, 60_000) : undefined,
  };
}

/** The tiers with what they require. Rules send calls to `last`, whose bounds are then those of `main`. */
export function tiersUnder(
  { requires }: Routing,
  tiers: World['tiers'],
): Readonly<Record<string, TierObject>> {
  const { maxAttempts, timeouts } = tiers.main ?? {};
  return Object.fromEntries(
    Object.entries(tiers).map(([name, tier]) => [
      name,
      {
        ...tier,
        ...(maxAttempts !== undefined && { maxAttempts }),
        ...(timeouts !== undefined && { timeouts }),
        ...(requires[name] !== undefined && { requires: requires[name] }),
      },
    ]),
  );
}

/** Sends a copy of each call elsewhere, and asks another tier. */
export function forkingPlugin(target: TargetId): Plugin {
  return {
    name: 'fork',
    async *wrapCall(call, next) {
      call.fork({ target }).catch(() => undefined);
      if (call.request.kind === 'chat') {
        call.ask('last', call.request.messages as readonly Message[]).catch(() => undefined);
      }
      yield* next();
    },
  };
}

/** Whether the target must not serve a call that requires this, whatever else holds. */
export function isForbidden(
  { compliance, prices }: Policy,
  target: string,
  requires: Requires | undefined,
): boolean {
  if (requires === undefined) return false;
  const [vendor = ''] = target.split('/');
  const { region = '', zeroRetention, noTraining } = compliance[vendor] ?? {};
  return (
    requires.regions?.includes(region) === false ||
    (requires.zeroRetention === true && zeroRetention !== true) ||
    (requires.noTraining === true && noTraining !== true) ||
    (requires.maxEstimatedUsd !== undefined && prices[target] !== cheap)
  );
}
