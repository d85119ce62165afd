import type { CircuitSettings } from '../protocol/config.ts';
import type { Unavailability } from '../protocol/events.ts';
import {
  type Circuit,
  circuitAllows,
  closedCircuit,
  enterCircuit,
  recordOutcome,
  releaseCircuit,
} from './circuit.ts';

/** Why a target may not be asked now, and until when (`undefined`: until a probe under way ends). */
export type Refusal = {
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

export type TargetHealth = {
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
  const get = (key: string): TargetHealth => byKey.get(key) ?? healthy;

  function unavailability(key: string): Refusal | undefined {
    const held = Object.entries(get(key).unavailable).filter(([, until]) => until > now());
    if (held.length === 0) return undefined;
    const [kind, until] = held.reduce((a, b) => (a[1] >= b[1] ? a : b));
    return {
      reason: `${reasons[kind as Unavailability]} until ${timestamp(until)}`,
      until,
    };
  }

  function setCircuit(key: string, circuit: Circuit): CircuitChange | undefined {
    const before = get(key);
    byKey.set(key, { ...before, circuit });
    if (before.circuit.state === circuit.state) return undefined;
    return {
      to: circuit.state,
      ...(circuit.state === 'open' && { until: circuit.until }),
    };
  }

  return {
    check(target, provider) {
      const held = unavailability(provider) ?? unavailability(target);
      if (held !== undefined) return held;
      const allows = circuitAllows(get(target).circuit, now());
      if (allows.allowed) return undefined;
      const { until } = allows;
      const reason =
        until === undefined
          ? 'circuit half-open, probe under way'
          : `circuit open until ${timestamp(until)}`;
      return { reason, until };
    },
    enter(target, policy) {
      // Taken against the rules (nothing better is left): the outcome counts, the place is not taken.
      const entered = circuitAllows(get(target).circuit, now()).allowed;
      const change = entered ? setCircuit(target, enterCircuit(get(target).circuit)) : undefined;
      let settled = false;
      return {
        change,
        settle(outcome) {
          if (settled) return undefined;
          settled = true;
          const { circuit } = get(target);
          if (outcome === 'neither') {
            return entered ? setCircuit(target, releaseCircuit(circuit)) : undefined;
          }
          // Success against the rules is as good as a probe's.
          const from = !entered && outcome === 'success' ? enterCircuit(circuit) : circuit;
          return setCircuit(target, recordOutcome(from, outcome, policy, now(), random()));
        },
      };
    },
    withhold(key, kind, until) {
      const before = get(key);
      const later = Math.max(until, before.unavailable[kind] ?? 0);
      byKey.set(key, {
        ...before,
        unavailable: { ...before.unavailable, [kind]: later },
      });
    },
    restore(target, provider) {
      for (const key of [target, provider]) {
        const before = byKey.get(key);
        if (before === undefined) continue;
        // A success in flight before the vendor said "not now" does not take that back.
        const { limited } = before.unavailable;
        byKey.set(key, { ...before, unavailable: limited === undefined ? {} : { limited } });
      }
    },
    get,
  };
}

function timestamp(at: number): string {
  return new Date(at).toISOString();
}

export interface Health {
  /** Why the target may not be asked now; `undefined` when it may. Changes nothing. */
  check(target: string, provider: string): Refusal | undefined;
  /** Takes a place in the target's circuit. */
  enter(target: string, policy: Required<CircuitSettings>): Permit;
  /** Keeps calls away from a target (or all of a provider's, by its name) until a time. */
  withhold(key: string, kind: Unavailability, until: number): void;
  /** A success proves that key, account and model work again. A rate limit still holds until its time. */
  restore(target: string, provider: string): void;
  get(key: string): TargetHealth;
}
