import { longestWaitMs } from '../internal/believed-wait.ts';
import { timestamp } from '../internal/timestamp.ts';
import type { CircuitSettings } from '../protocol/config.ts';
import type { Unavailability } from '../protocol/events.ts';
import {
  type Circuit,
  circuitAllows,
  closedCircuit,
  enterCircuit,
  type Passage,
  recordOutcome,
  releaseCircuit,
} from './circuit.ts';
import { createRefusalRecords, type RefusalRecords } from './refusal-records.ts';

/** Why a target may not be asked now, and until when (`undefined`: until a probe under way ends). */
type Refusal = {
  readonly reason: string;
  readonly until: number | undefined;
};

export type CircuitChange = {
  readonly to: Circuit['state'];
  readonly until?: number;
};

/** What a permit's holder says at the end. `neither`: the caller left, so nothing was learned. */
export type Outcome = 'success' | 'failure' | 'neither';

/** A place in the circuit: settle it exactly once. */
export interface Permit {
  /** Set when taking the place moved the circuit. */
  readonly change: CircuitChange | undefined;
  settle(outcome: Outcome): CircuitChange | undefined;
}

type TargetHealth = {
  readonly circuit: Circuit;
  /** For each reason to stay away that is not a failure, the time until which it holds. */
  readonly unavailable: Readonly<Partial<Record<Unavailability, number>>>;
};

const reasons: Record<Unavailability, string> = {
  limited: 'rate limited',
  exhausted: 'quota exhausted',
  credential: 'key rejected',
  model: 'model not found',
};

const healthy: TargetHealth = { circuit: closedCircuit, unavailable: {} };

/**
 * The health of targets: three separate facts, each with its own clock. Being limited or exhausted is no
 * failure, and does not touch the circuit. Keyed by target, or by provider for what concerns its key.
 */
export function createHealth(now: () => number, random: () => number): Health {
  const byKey = new Map<string, TargetHealth>();
  const refusals = createRefusalRecords(now);
  let probes = 0;
  const get = (key: string): TargetHealth => byKey.get(key) ?? healthy;

  /** Nothing speaks against it, as hardly ever anything does: asked several times for each call. */
  function isSpotless(key: string): boolean {
    const { circuit, unavailable } = get(key);
    if (circuit.state !== 'closed') return false;
    for (const _ in unavailable) return false;
    return true;
  }

  function unavailability(key: string): Refusal | undefined {
    const held = Object.entries(get(key).unavailable).filter(([, until]) => until > now());
    if (held.length === 0) return undefined;
    const [kind, until] = held.reduce((a, b) => (a[1] >= b[1] ? a : b));
    return {
      reason: `${reasons[kind as Unavailability]} until ${timestamp(until)}`,
      until,
    };
  }

  function circuitRefusal(target: string): Refusal | undefined {
    const allows = circuitAllows(get(target).circuit, now());
    if (allows.allowed) return undefined;
    const { until } = allows;
    const reason =
      until === undefined
        ? 'circuit half-open, probe under way'
        : `circuit open until ${timestamp(until)}`;
    return { reason, until };
  }

  /** How a call that comes now gets past the circuit. */
  function passageAt(circuit: Circuit): Passage {
    if (circuit.state === 'closed') return { as: 'regular' };
    if (!circuitAllows(circuit, now()).allowed) return { as: 'forced' };
    probes += 1;
    return { as: 'probe', probe: probes };
  }

  function setCircuit(key: string, circuit: Circuit): CircuitChange | undefined {
    const before = get(key);
    if (before.circuit === circuit) return undefined;
    byKey.set(key, { ...before, circuit });
    if (before.circuit.state === circuit.state) return undefined;
    return {
      to: circuit.state,
      ...(circuit.state === 'open' && { until: circuit.until }),
    };
  }

  return {
    check(target, provider, key) {
      if (key === undefined && isSpotless(target) && isSpotless(provider)) return undefined;
      const pooled = key === undefined ? '' : keySuffix(key);
      // All of them must have passed, so the last one counts; a probe has no time to compare.
      const when = (refusal: Refusal): number => refusal.until ?? 0;
      const held = [provider + pooled, target + pooled, target].map(unavailability);
      return [...held, circuitRefusal(target)]
        .filter((each) => each !== undefined)
        .reduce<Refusal | undefined>(
          (last, each) => (last === undefined || when(each) > when(last) ? each : last),
          undefined,
        );
    },
    enter(target, policy) {
      const before = get(target).circuit;
      const passage = passageAt(before);
      const change =
        passage.as === 'probe'
          ? setCircuit(target, enterCircuit(before, passage.probe))
          : undefined;
      let settled = false;
      return {
        change,
        settle(outcome) {
          if (settled) return undefined;
          settled = true;
          const { circuit } = get(target);
          const after =
            outcome === 'neither'
              ? releaseCircuit(circuit, passage)
              : recordOutcome(circuit, { passage, outcome }, policy, now(), random());
          return setCircuit(target, after);
        },
      };
    },
    withhold(key, kind, until) {
      const before = get(key);
      const believed = Math.min(until, now() + longestWaitMs);
      const later = Math.max(believed, before.unavailable[kind] ?? 0);
      byKey.set(key, {
        ...before,
        unavailable: { ...before.unavailable, [kind]: later },
      });
    },
    restore(target, provider, key) {
      if (key === undefined && isSpotless(target) && isSpotless(provider)) return;
      const pooled = key === undefined ? '' : keySuffix(key);
      for (const held of [target, target + pooled, provider + pooled]) {
        const before = byKey.get(held);
        if (before === undefined) continue;
        // A success in flight before the vendor said "not now" does not take that back.
        const { limited } = before.unavailable;
        byKey.set(held, { ...before, unavailable: limited === undefined ? {} : { limited } });
      }
    },
    get,
    prune(isNamed) {
      const isKept = (key: string): boolean => isNamed(key) || isNamed(withoutKeySuffix(key));
      for (const key of byKey.keys()) if (!isKept(key)) byKey.delete(key);
      refusals.prune(isKept);
    },
    refusals,
  };
}

/** What tells the keys of a pool apart, behind the name of the target or the provider. */
export function keySuffix(key: number): string {
  return ` key ${key + 1}`;
}

/** The name that a key's suffix may stand behind. */
export function withoutKeySuffix(name: string): string {
  return name.replace(/ key \d+$/, '');
}

export interface Health {
  /**
   * Why the target may not be asked now; `undefined` when it may. Changes nothing. With a pool, `key` says
   * which: what one key may not do, another may, but the circuit is the target's.
   */
  check(target: string, provider: string, key?: number): Refusal | undefined;
  /** Takes a place in the target's circuit. */
  enter(target: string, policy: Required<CircuitSettings>): Permit;
  /** Keeps calls away from a target (or all of a provider's, by its name) until a time, a day at most. */
  withhold(key: string, kind: Unavailability, until: number): void;
  /** A success proves that key, account and model work again. A rate limit still holds until its time. */
  restore(target: string, provider: string, key?: number): void;
  get(key: string): TargetHealth;
  /** Forgets targets and providers whose name does not count any more. */
  prune(isNamed: (name: string) => boolean): void;
  /** What each target refused of late, by target and key. */
  readonly refusals: RefusalRecords;
}
