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
import type { CallPlan, World } from './world.ts';

/** What the tiers of a configuration require, and its rules. */
type Routing = {
  readonly requires: Readonly<Record<string, Requires>>;
  readonly rules: readonly Rule[];
  /** By tier: how it orders its targets, and who follows after certain failures. */
  readonly ways: Readonly<Record<string, Pick<TierObject, 'strategy' | 'fallbacks'>>>;
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

const strategies = [
  'priority',
  'weighted',
  'round-robin',
  'least-busy',
  'cheapest',
  'fastest',
  'balanced',
] as const;

const fallbackCodes = [
  'server_error',
  'overloaded',
  'rate_limited',
  'invalid_request',
  'stream_interrupted',
  'timeout',
] as const;

function wayOf(dice: Dice, targets: readonly TargetId[]): Routing['ways'][string] {
  const codes = fallbackCodes.filter(() => dice.chance(0.2));
  const listed = () => dice.shuffled(targets).slice(0, dice.between(1, 3));
  return {
    strategy: dice.oneOf(strategies),
    ...(codes.length > 0 && {
      fallbacks: Object.fromEntries(codes.map((code) => [code, listed()])),
    }),
  };
}

function routingOf(
  dice: Dice,
  world: World,
  targets: readonly TargetId[],
  share: PolicyShare,
): Routing {
  const tiers = Object.keys(world.tiers).filter(() => dice.chance(0.5));
  return {
    requires: Object.fromEntries(tiers.map((name) => [name, requiresOf(dice)])),
    rules: dice.chance(0.6) ? rulesOf(dice, targets) : [],
    ways:
      share === 'every'
        ? Object.fromEntries(Object.keys(world.tiers).map((name) => [name, wayOf(dice, targets)]))
        : {},
  };
}

/** Which worlds have a policy. Where every world has one, strategies and fallbacks are random too. */
export type PolicyShare = 'some' | 'every';

/** The policy of a world; most worlds have none, unless every one has. */
export function policyOf(dice: Dice, world: World, share: PolicyShare): Policy | undefined {
  if (share === 'some' && !dice.chance(0.25)) return undefined;
  const vendors = world.vendors.map(({ name }) => name);
  const targets = vendors.flatMap((name) => models.map((model) => `${name}/${model}` as const));
  const priced = targets.filter(() => dice.chance(0.8));
  const calls = world.calls.filter(() => dice.chance(0.3));
  return {
    compliance: Object.fromEntries(vendors.map((name) => [name, complianceOf(dice)])),
    prices: Object.fromEntries(priced.map((target) => [target, dice.chance(0.7) ? cheap : costly])),
    routing: routingOf(dice, world, targets, share),
    later: routingOf(dice, world, targets, share),
    callRequires: new Map(calls.map(({ number }) => [number, requiresOf(dice)])),
    forkTo: dice.chance(0.4) ? dice.oneOf(targets) : undefined,
    drillAtMs: dice.chance(0.4) ? dice.between(0, 60_000) : undefined,
  };
}

/** The tiers with what they require. Rules send calls to `last`, whose bounds are then those of `main`. */
export function tiersUnder(
  { requires, ways }: Routing,
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
        ...ways[name],
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

/** The rule that the call of a plan meets, worked out from the four kinds of rules that there are. */
export function ruleFor(
  { rules }: Routing,
  { number, tier, wantsObject }: CallPlan,
  at: number,
): Rule | undefined {
  const date = new Date(at);
  const isMidnight = date.getUTCHours() === 0 && date.getUTCMinutes() === 0;
  return rules.find(({ when }) => {
    if (when.tiers !== undefined && !when.tiers.includes(tier)) return false;
    if (when.tags?.plan !== undefined && when.tags.plan !== String(number)) return false;
    if (when.schema === true && !wantsObject) return false;
    return when.hours === undefined || isMidnight;
  });
}
