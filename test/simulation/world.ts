import type { Hedge, Limits, TierObject, Timeouts } from '../../src/index.ts';
import { createDice, type Dice } from './dice.ts';
import {
  asHealthy,
  changesOf,
  freezeOf,
  hedgeThatBreaksOff,
  type Incidents,
  inBurst,
  initialConcurrency,
  noIncidents,
  ownFaultsOf,
  tierOfOne,
} from './incidents.ts';

/** Kinds of temporary trouble of a vendor. */
const troubles = [
  'down',
  'error',
  'overloaded',
  'slow',
  'silent',
  'limited',
  'limited-with-time',
  'stall',
  'cut',
  'truncated',
  'garbage',
  'bad-output',
  'auth',
  'quota',
  'rejects-request',
  'flapping',
] as const;
export type Trouble = (typeof troubles)[number];

/** Trouble from `fromMs` to `toMs` since the start. */
type Weather = {
  readonly fromMs: number;
  readonly toMs: number;
  readonly trouble: Trouble;
};

export type VendorPlan = {
  readonly name: string;
  readonly weather: readonly Weather[];
  readonly firstTokenMs: number;
  readonly chunkMs: number;
  /** Words of an answer in one chunk. */
  readonly wordsPerChunk: number;
  /** Whether it also reports usage at the beginning, as some vendors do. */
  readonly reportsUsageEarly: boolean;
  /** Whether it continues a prefill; `rejects` claims to but fails. */
  readonly prefill: 'yes' | 'rejects' | 'no';
  /** Requests per minute that it accepts. */
  readonly quota: number | undefined;
  readonly reportsLimits: boolean;
  readonly keys: number;
};

export type CallPlan = {
  /** Its number, which is in the prompt and determines the correct answer. */
  readonly number: number;
  readonly atMs: number;
  readonly tier: string;
  readonly mode: 'complete' | 'stream';
  readonly transfer: 'stream' | 'unary';
  readonly wantsObject: boolean;
  readonly totalMs: number | undefined;
  readonly abortAfterMs: number | undefined;
  /** Stops reading after this many parts. */
  readonly leaveAfter: number | undefined;
  /** How long the reader waits between two parts. */
  readonly readMs: number;
  readonly priority: 'high' | 'normal' | 'low';
  readonly singleFlight: boolean;
};

/** The setup of one run, determined by the seed. */
export type World = {
  readonly seed: number;
  readonly vendors: readonly VendorPlan[];
  readonly tiers: Readonly<Record<string, TierObject>>;
  readonly providerLimits: Readonly<Record<string, Limits>>;
  readonly calls: readonly CallPlan[];
  readonly reconfigureAtMs: number | undefined;
  readonly closeAtMs: number | undefined;
  readonly incidents: Incidents;
  readonly billing: Billing;
  /** Until then, since the start, vendors end answers in the middle, for their length. */
  readonly shortUntilMs: number;
};

/** What vendors bill. */
type Billing = {
  /** Input tokens of the first request; of each other one, one more than of the one before. */
  readonly inputTokens: number;
  /** Output tokens besides the answer, by vendor. */
  readonly hidden: Readonly<Record<string, number>>;
};

const runMs = 90_000;

const plainKinds = Array.from({ length: 8 }, () => 'plain' as const);

function weatherOf(dice: Dice): Weather[] {
  const kinds = dice.shuffled(troubles).slice(0, dice.between(1, 3));
  return kinds.map((trouble) => {
    const fromMs = dice.between(0, runMs);
    return { fromMs, toMs: fromMs + dice.between(2_000, 40_000), trouble };
  });
}

function vendorOf(dice: Dice, name: string, isHealthy: boolean): VendorPlan {
  return {
    name,
    weather: isHealthy ? [] : weatherOf(dice),
    firstTokenMs: dice.between(20, 300),
    chunkMs: dice.between(0, 40),
    wordsPerChunk: dice.between(1, 5),
    reportsUsageEarly: dice.chance(0.5),
    prefill: dice.oneOf(['yes', 'yes', 'no', 'rejects']),
    quota: !isHealthy && dice.chance(0.15) ? dice.between(2, 20) : undefined,
    reportsLimits: dice.chance(0.5),
    keys: dice.chance(0.15) ? dice.between(2, 3) : 1,
  };
}

function hedgeOf(dice: Dice): Hedge {
  if (dice.chance(0.3)) return { percentile: 0.9, maxExtra: 0.3 };
  return { afterMs: dice.between(50, 1_000), maxExtra: dice.oneOf([0.1, 0.5, 1]) };
}

function timeoutsOf(dice: Dice): Timeouts {
  const totalMs = dice.between(4_000, 60_000);
  return {
    connectMs: 500,
    firstTokenMs: dice.between(600, 5_000),
    idleMs: dice.between(600, 4_000),
    totalMs,
  };
}

function limitsOf(dice: Dice): Limits {
  if (dice.chance(0.6)) return { concurrency: dice.between(1, 3) };
  return {
    rpm: dice.between(1, 10),
    ...(dice.chance(0.3) && { tpm: dice.between(15, 60) * 1_000 }),
  };
}

function tierOf(dice: Dice, vendors: readonly VendorPlan[], fallbackTier?: string): TierObject {
  const names = dice.shuffled(vendors).slice(0, dice.between(1, vendors.length));
  const targets = names.map(({ name }) => {
    const target = `${name}/m${dice.between(1, 2)}` as const;
    return dice.chance(0.15) ? { target, limits: limitsOf(dice) } : target;
  });
  return {
    targets,
    timeouts: timeoutsOf(dice),
    maxAttempts: dice.between(2, 8),
    midStream: dice.oneOf(['fail', 'restart', 'continue']),
    whenAllOpen: dice.oneOf(['try-least-bad', 'fail-fast']),
    repairAttempts: dice.between(0, 2),
    ...(dice.chance(0.3) && { hedge: hedgeOf(dice) }),
    ...(dice.chance(0.3) && { retry: { attempts: dice.between(0, 3) } }),
    ...(dice.chance(0.3) && {
      circuit: { consecutiveFailures: dice.between(1, 4), openMs: dice.between(500, 5_000) },
    }),
    ...(dice.chance(0.1) && { limits: { concurrency: dice.between(1, 4) } }),
    ...(dice.chance(0.2) && { fallbackOn: ['invalid_request'] as const }),
    ...(fallbackTier !== undefined && { fallbackTier }),
  };
}

function callOf(dice: Dice, number: number, tiers: readonly string[]): CallPlan {
  const maybe = (probability: number, low: number, high: number): number | undefined =>
    dice.chance(probability) ? dice.between(low, high) : undefined;
  return {
    number,
    // Half of the calls come in bursts.
    atMs: dice.chance(0.5) ? dice.between(0, 8) * 10_000 : dice.between(0, runMs),
    tier: dice.oneOf(tiers),
    mode: dice.oneOf(['complete', 'stream']),
    transfer: dice.chance(0.1) ? 'unary' : 'stream',
    wantsObject: dice.chance(0.1),
    totalMs: maybe(0.2, 1_000, 20_000),
    abortAfterMs: maybe(0.12, 0, 3_000),
    leaveAfter: maybe(0.08, 0, 4),
    readMs: maybe(0.08, 1, 400) ?? 0,
    priority: dice.oneOf(['high', 'normal', 'normal', 'low']),
    singleFlight: dice.chance(0.1),
  };
}

function plainWorld(seed: number): World {
  const dice = createDice(seed * 2 + 1);
  const healthy = dice.chance(0.6) ? dice.between(0, 2) : -1;
  const vendors = ['a', 'b', 'c', 'd']
    .slice(0, dice.between(2, 4))
    .map((name, index) => vendorOf(dice, name, index === healthy));
  const tiers = {
    main: tierOf(dice, vendors, dice.chance(0.3) ? 'last' : undefined),
    last: tierOf(dice, vendors),
  };
  const calls = Array.from({ length: dice.between(4, 16) }, (_, number) =>
    callOf(dice, number, Object.keys(tiers)),
  );
  const limited = vendors.filter(() => dice.chance(0.08));
  return {
    seed,
    vendors,
    tiers,
    providerLimits: Object.fromEntries(
      limited.map(({ name }) => [
        name,
        { concurrency: dice.between(1, 4), ...(dice.chance(0.5) && { maxQueueMs: 2_000 }) },
      ]),
    ),
    calls,
    reconfigureAtMs: dice.chance(0.05) ? dice.between(0, runMs) : undefined,
    closeAtMs: dice.chance(0.05) ? dice.between(0, runMs) : undefined,
    incidents: noIncidents,
    billing: { inputTokens: 10_000, hidden: {} },
    shortUntilMs: 0,
  };
}

/** One world in three has an incident. */
export function createWorld(seed: number): World {
  const world = plainWorld(seed);
  // Dice of their own, so that incidents change nothing else about the world of a seed.
  const dice = createDice(seed * 7 + 900_001);
  const { vendors, incidents } = world;
  const burstMs = dice.between(0, 8) * 10_000;
  const calls = inBurst(dice, burstMs, world.calls);
  const kind = dice.oneOf(['own-faults', 'freeze', 'changes', 'hedge', ...plainKinds] as const);
  switch (kind) {
    case 'own-faults':
      return {
        ...world,
        incidents: { ...incidents, ownFaults: ownFaultsOf(dice, vendors, world.calls) },
      };
    case 'freeze':
      return {
        ...world,
        calls,
        // Nothing but the freeze is to blame for failures in half of these worlds.
        vendors: dice.chance(0.5) ? vendors.map(asHealthy) : vendors,
        incidents: { ...incidents, freeze: freezeOf(dice, burstMs) },
      };
    case 'changes': {
      const changed = dice.oneOf(vendors);
      const { name } = changed;
      const { main, last } = world.tiers;
      return {
        ...world,
        calls,
        vendors: vendors.map((each) => (each === changed ? asHealthy(each) : each)),
        tiers: { ...(main && { main: tierOfOne(main, name) }), ...(last && { last }) },
        providerLimits: {
          ...world.providerLimits,
          [name]: { concurrency: initialConcurrency },
        },
        incidents: { ...incidents, changes: changesOf(dice, burstMs, name) },
      };
    }
    case 'hedge': {
      const main = world.tiers.main;
      const hedged = main && hedgeThatBreaksOff(dice, main, vendors);
      if (hedged === undefined) return world;
      const others = vendors.slice(hedged.vendors.length);
      const tiers = { ...world.tiers, main: hedged.tier };
      return { ...world, vendors: [...hedged.vendors, ...others], tiers };
    }
    default:
      return world;
  }
}
