import { responseCache } from '../../src/cache.ts';
import type { JsonSchema, Plugin, Tool } from '../../src/index.ts';
import { guardTools, redactPii } from '../../src/policies.ts';
import type { Dice } from './dice.ts';
import type { CallPlan, World } from './world.ts';

/** What a call asks and how, besides its plan. */
type Asker = {
  /** The number in its prompt: its own, or that of another call, which asks the same. */
  readonly question: number;
  readonly addresses: readonly string[];
  readonly tenant: string | undefined;
  readonly cacheResponse: boolean | undefined;
  readonly offersTools: boolean;
};

/** The plugins of a world that redact, cache and guard, and the calls that they are about. */
export type LayerPlan = {
  readonly redacts: boolean;
  readonly cache: { readonly hasTenants: boolean; readonly ttlMs: number } | undefined;
  /** Whether what the cache keeps has passed the guard. */
  readonly guard: 'outside the cache' | 'inside the cache' | undefined;
  /** By the number of the call. */
  readonly askers: ReadonlyMap<number, Asker>;
};

/** What vendors call where tools are offered: both, always. */
export const toolNames = ['lookup', 'erase'] as const;

/** The tool that must never be called. */
export const destructiveTool = 'erase';

const to = { type: 'object', properties: { to: { type: 'string' } }, required: ['to'] } as const;

export const tools: readonly Tool<string, JsonSchema>[] = toolNames.map((name) => ({
  name,
  description: name,
  inputSchema: to,
  destructive: name === destructiveTool,
}));

function askerOf(dice: Dice, world: World, number: number): Asker {
  // What is named by one call only is found by the number in its prompt.
  const mayRepeat = Object.keys(world.incidents.ownFaults).length === 0;
  const question = mayRepeat && dice.chance(0.7) ? dice.between(0, 2) : number;
  // Those who ask the same have other addresses, or the same.
  const reader = dice.oneOf(['ann', 'bob', `reader${number}`]);
  const addresses = [`${reader}@mail.example`, `${reader}-at-work@mail.example`];
  return {
    question,
    addresses: addresses.slice(0, question % 3),
    tenant: dice.chance(0.8) ? dice.oneOf(['t1', 't2']) : undefined,
    cacheResponse: dice.chance(0.5) ? dice.chance(0.8) : undefined,
    offersTools: question % 2 === 1,
  };
}

export function layerPlanOf(dice: Dice, world: World): LayerPlan {
  const ttlMs = dice.oneOf([5_000, 25_000, 3_600_000]);
  return {
    redacts: dice.chance(0.7),
    cache: dice.chance(0.8) ? { hasTenants: dice.chance(0.7), ttlMs } : undefined,
    guard: dice.chance(0.7) ? dice.oneOf(['outside the cache', 'inside the cache']) : undefined,
    askers: new Map(world.calls.map(({ number }) => [number, askerOf(dice, world, number)])),
  };
}

/** The world in which vendors cut answers short at first, and many ask at once, in the same way. */
export function worldWithLayers(dice: Dice, world: World): World {
  const shortUntilMs = dice.chance(0.4) ? dice.between(5_000, 60_000) : 0;
  const [first] = world.calls;
  if (first === undefined || dice.chance(0.5)) return { ...world, shortUntilMs };
  const { atMs, tier, mode, transfer } = first;
  const calls = world.calls.map((call) =>
    dice.chance(0.6) ? { ...call, atMs, tier, mode, transfer } : call,
  );
  return { ...world, shortUntilMs, calls };
}

export function layersOf({ redacts, cache, guard }: LayerPlan): readonly Plugin[] {
  const guarding = guardTools({ name: 'guard' });
  return [
    ...(redacts ? [redactPii({ regions: [], kinds: ['email'] })] : []),
    ...(guard === 'outside the cache' ? [guarding] : []),
    ...(cache === undefined
      ? []
      : [responseCache({ ttlMs: cache.ttlMs, namespace: cache.hasTenants ? ['tenant'] : [] })]),
    ...(guard === 'inside the cache' ? [guarding] : []),
  ];
}

/** Whether the call may get the answer of another one, or share its request: with a cache, or if both set `singleFlight`. */
export function mayShare(plan: LayerPlan | undefined, { calls }: World, number: number): boolean {
  if (plan === undefined) return false;
  const questionOf = (call: CallPlan | undefined) => plan.askers.get(call?.number ?? -1)?.question;
  const own = calls.find((call) => call.number === number);
  const alike = calls.filter((call) => call !== own && questionOf(call) === questionOf(own));
  const isOpen = plan.cache !== undefined;
  return alike.some((call) => isOpen || (call.singleFlight && own?.singleFlight === true));
}
