import type { Limits, SignalboxError, TierObject } from '../../src/index.ts';
import { openAIHttpError } from '../../src/wires/openai-shared/response.ts';
import type { Dice } from './dice.ts';
import type { CallPlan, VendorPlan } from './world.ts';

/** What one call names, and its vendor or a firewall does not accept. */
const faults = ['file', 'item', 'page'] as const;
type Fault = (typeof faults)[number];

/** The process stands still. */
export type Freeze = {
  readonly atMs: number;
  readonly forMs: number;
  /** The vendors have closed their connections meanwhile. */
  readonly losesConnections: boolean;
};

/** A new configuration: other limits of a provider, and perhaps no target of it. */
export type Change = {
  readonly atMs: number;
  readonly concurrency: number;
  readonly dropsTargets: boolean;
};

/** What happens to the state of the router besides the vendors' trouble. */
export type Incidents = {
  /** Calls that a vendor rejects for something that only they name, by their number. */
  readonly ownFaults: Readonly<Record<number, { readonly vendor: string; readonly fault: Fault }>>;
  readonly freeze: Freeze | undefined;
  /** A provider whose limits change while calls are in flight and wait. */
  readonly changes: { readonly provider: string; readonly list: readonly Change[] } | undefined;
};

/** Of a provider whose limits change. */
export const initialConcurrency = 2;

export const noIncidents: Incidents = { ownFaults: {}, freeze: undefined, changes: undefined };

/** Shortly after a burst of calls, when many are in flight. */
function duringBurst(dice: Dice, burstMs: number): number {
  return burstMs + (dice.chance(0.5) ? dice.between(1, 4) : dice.between(1, 400));
}

/** Most calls come in one burst. */
export function inBurst(dice: Dice, burstMs: number, calls: readonly CallPlan[]): CallPlan[] {
  return calls.map((call) => (dice.chance(0.7) ? { ...call, atMs: burstMs } : call));
}

export function freezeOf(dice: Dice, burstMs: number): Freeze {
  const losesConnections = dice.chance(0.5);
  // A connection is lost only in a freeze that is longer than any timeout.
  const forMs = losesConnections ? dice.between(6_000, 60_000) : dice.between(500, 8_000);
  return { atMs: duringBurst(dice, burstMs), forMs, losesConnections };
}

export function ownFaultsOf(
  dice: Dice,
  vendors: readonly VendorPlan[],
  calls: readonly CallPlan[],
): Incidents['ownFaults'] {
  const { name: vendor } = dice.oneOf(vendors);
  const faulty = calls.filter(() => dice.chance(0.4));
  return Object.fromEntries(
    faulty.map(({ number }) => [number, { vendor, fault: dice.oneOf(faults) }]),
  );
}

export function changesOf(
  dice: Dice,
  burstMs: number,
  provider: string,
): NonNullable<Incidents['changes']> {
  const list = Array.from({ length: dice.between(1, 3) }, () => ({
    atMs: duringBurst(dice, burstMs),
    concurrency: dice.between(1, 4),
    dropsTargets: dice.chance(0.3),
  }));
  return { provider, list: list.toSorted((a, b) => a.atMs - b.atMs) };
}

export function asHealthy(vendor: VendorPlan): VendorPlan {
  return { ...vendor, weather: [], quota: undefined, keys: 1 };
}

/** A tier whose second target answers first, and always breaks off. */
export function hedgeThatBreaksOff(
  dice: Dice,
  tier: TierObject,
  [first, second]: readonly VendorPlan[],
): { readonly vendors: readonly VendorPlan[]; readonly tier: TierObject } | undefined {
  if (first === undefined || second === undefined) return undefined;
  const { limits: _, fallbackOn: __, fallbackTier: ___, ...others } = tier;
  const trouble = dice.oneOf(['cut', 'truncated'] as const);
  const always = { fromMs: 0, toMs: Number.POSITIVE_INFINITY, trouble };
  return {
    vendors: [
      { ...asHealthy(first), firstTokenMs: dice.between(250, 300) },
      { ...asHealthy(second), weather: [always], firstTokenMs: 20 },
    ],
    tier: {
      ...others,
      targets: [`${first.name}/m1`, `${second.name}/m1`],
      hedge: { afterMs: dice.between(50, 150), maxExtra: 1 },
      maxAttempts: 8,
    },
  };
}

/** A tier with one target, so that calls wait for it. */
export function tierOfOne(
  { limits: _, fallbackTier: __, hedge: ___, ...tier }: TierObject,
  provider: string,
): TierObject {
  return { ...tier, targets: [`${provider}/m1`] };
}

/** The limits after a change. */
export function limitsAfter(
  before: Readonly<Record<string, Limits>>,
  provider: string,
  { concurrency }: Change,
): Readonly<Record<string, Limits>> {
  return { ...before, [provider]: { concurrency } };
}

/** The tiers without targets of the provider; a tier that has no others keeps them. */
export function tiersWithout(
  tiers: Readonly<Record<string, TierObject>>,
  provider: string,
): Readonly<Record<string, TierObject>> {
  const without = ({ targets, ...tier }: TierObject): TierObject => {
    const rest = targets.filter((each) => {
      const target = typeof each === 'string' ? each : each.target;
      return !target.startsWith(`${provider}/`);
    });
    return { ...tier, targets: rest.length === 0 ? targets : rest };
  };
  return Object.fromEntries(Object.entries(tiers).map(([name, tier]) => [name, without(tier)]));
}

/** As an adapter reads it from the vendor's answer. */
export function ownFault(fault: Fault): SignalboxError {
  const headers = new Headers();
  const of = (status: number, message: string) =>
    openAIHttpError({ status, headers, body: { error: { message } } });
  switch (fault) {
    case 'file':
      return of(403, 'You do not have permission to access the File x or it may not exist.');
    case 'item':
      return of(404, "Item with id 'rs_1' not found.");
    case 'page':
      return openAIHttpError({ status: 403, headers, body: '<html>You have been blocked</html>' });
  }
}
