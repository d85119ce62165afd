import type { CircuitSettings } from '../protocol/config.ts';

/**
 * A target's circuit: each state holds what exists only in it.
 * `closed` lets all calls through and watches; `open` lets none through until a time; `half-open` lets one
 * probe through at a time and closes after enough of them.
 */
export type Circuit =
  | {
      readonly state: 'closed';
      readonly failuresInRow: number;
      /** The last outcomes, oldest first; `true` is a failure. */
      readonly recent: readonly boolean[];
    }
  | {
      readonly state: 'open';
      readonly until: number;
      readonly openings: number;
    }
  | {
      readonly state: 'half-open';
      readonly probing: boolean;
      readonly successes: number;
      readonly openings: number;
    };

type Policy = Required<CircuitSettings>;

export const closedCircuit: Circuit = {
  state: 'closed',
  failuresInRow: 0,
  recent: [],
};

/** Whether a call may pass now, and from when on otherwise (`undefined`: when the probe under way is done). */
export function circuitAllows(
  circuit: Circuit,
  now: number,
): { readonly allowed: true } | { readonly allowed: false; readonly until: number | undefined } {
  if (circuit.state === 'closed') return { allowed: true };
  if (circuit.state === 'open') {
    return now >= circuit.until ? { allowed: true } : { allowed: false, until: circuit.until };
  }
  return circuit.probing ? { allowed: false, until: undefined } : { allowed: true };
}

/** Lets a call through: a probe takes the only place there is. Ask {@link circuitAllows} first. */
export function enterCircuit(circuit: Circuit): Circuit {
  if (circuit.state === 'closed') return circuit;
  const successes = circuit.state === 'half-open' ? circuit.successes : 0;
  return {
    state: 'half-open',
    probing: true,
    successes,
    openings: circuit.openings,
  };
}

/**
 * How long the `openings`-th opening in a row lasts. The first is exact; later ones double, with up to a
 * fifth taken off by chance so that many processes do not probe at once, and never exceed the maximum.
 */
function openForMs(openings: number, policy: Policy, random: number): number {
  const doubled = policy.openMs * 2 ** (openings - 1);
  const capped = Math.min(policy.maxOpenMs, doubled);
  return openings === 1 ? capped : capped * (1 - random / 5);
}

function opened(openings: number, policy: Policy, now: number, random: number): Circuit {
  return {
    state: 'open',
    until: now + openForMs(openings, policy, random),
    openings,
  };
}

function shouldOpen(failuresInRow: number, recent: readonly boolean[], policy: Policy): boolean {
  if (failuresInRow >= policy.consecutiveFailures) return true;
  if (recent.length < policy.minimumCalls) return false;
  return recent.filter(Boolean).length / recent.length >= policy.failureRate;
}

/** The circuit after a call ended. An outcome that comes in late, while open, changes nothing. */
export function recordOutcome(
  circuit: Circuit,
  outcome: 'success' | 'failure',
  policy: Policy,
  now: number,
  random: number,
): Circuit {
  const failed = outcome === 'failure';
  switch (circuit.state) {
    case 'closed': {
      const failuresInRow = failed ? circuit.failuresInRow + 1 : 0;
      const recent = [...circuit.recent, failed].slice(-policy.window);
      if (failed && shouldOpen(failuresInRow, recent, policy))
        return opened(1, policy, now, random);
      return { state: 'closed', failuresInRow, recent };
    }
    case 'open':
      return circuit;
    case 'half-open': {
      if (failed) return opened(circuit.openings + 1, policy, now, random);
      const successes = circuit.successes + 1;
      if (successes >= policy.successesToClose) return closedCircuit;
      return { ...circuit, probing: false, successes };
    }
    default:
      return circuit satisfies never;
  }
}

/** The circuit after a call that tells nothing (the caller left): a probe gives its place back. */
export function releaseCircuit(circuit: Circuit): Circuit {
  return circuit.state === 'half-open' ? { ...circuit, probing: false } : circuit;
}
