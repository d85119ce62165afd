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
  | HalfOpen;

type HalfOpen = {
  readonly state: 'half-open';
  /** The number of the probe under way; `undefined` when there is none. */
  readonly probe: number | undefined;
  readonly successes: number;
  readonly openings: number;
};

/**
 * How a call got past the circuit: as one of many while it was closed, as the probe of that number, or
 * against the rules, because nothing better was left.
 */
export type Passage =
  | { readonly as: 'regular' | 'forced' }
  | { readonly as: 'probe'; readonly probe: number };

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
  return circuit.probe === undefined ? { allowed: true } : { allowed: false, until: undefined };
}

function halfOpened(circuit: Exclude<Circuit, { state: 'closed' }>): HalfOpen {
  if (circuit.state === 'half-open') return circuit;
  return { state: 'half-open', probe: undefined, successes: 0, openings: circuit.openings };
}

/** Lets a call through; while not closed, as the probe of that number. Ask {@link circuitAllows} first. */
export function enterCircuit(circuit: Circuit, probe: number): Circuit {
  return circuit.state === 'closed' ? circuit : { ...halfOpened(circuit), probe };
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

/** One success more; the probe's own gives its place back. */
function succeeded(circuit: HalfOpen, passage: Passage, policy: Policy): Circuit {
  const successes = circuit.successes + 1;
  if (successes >= policy.successesToClose) return closedCircuit;
  const probe = passage.as === 'probe' ? undefined : circuit.probe;
  return { ...circuit, probe, successes };
}

/**
 * The circuit after a call ended. What comes in late changes nothing: the outcome of a call that got through
 * before the circuit opened, or of a probe before it opened again. A success against the rules is as good as
 * a probe's.
 */
export function recordOutcome(
  circuit: Circuit,
  call: { readonly passage: Passage; readonly outcome: 'success' | 'failure' },
  policy: Policy,
  now: number,
  random: number,
): Circuit {
  const { passage } = call;
  const failed = call.outcome === 'failure';
  switch (circuit.state) {
    case 'closed': {
      // One success more among successes: the usual case, and nothing to write down.
      const isFull = circuit.recent.length === policy.window;
      if (!failed && isFull && !circuit.recent.includes(true)) return circuit;
      const failuresInRow = failed ? circuit.failuresInRow + 1 : 0;
      const recent = [...circuit.recent, failed].slice(-policy.window);
      if (failed && shouldOpen(failuresInRow, recent, policy))
        return opened(1, policy, now, random);
      return { state: 'closed', failuresInRow, recent };
    }
    case 'open':
      if (passage.as !== 'forced' || failed) return circuit;
      return succeeded(halfOpened(circuit), passage, policy);
    case 'half-open':
      if (passage.as === 'regular') return circuit;
      if (passage.as === 'probe' && passage.probe !== circuit.probe) return circuit;
      return failed
        ? opened(circuit.openings + 1, policy, now, random)
        : succeeded(circuit, passage, policy);
    default:
      return circuit satisfies never;
  }
}

/** The circuit after a call that tells nothing (the caller left): a probe gives its place back. */
export function releaseCircuit(circuit: Circuit, passage: Passage): Circuit {
  if (circuit.state !== 'half-open' || passage.as !== 'probe') return circuit;
  return passage.probe === circuit.probe ? { ...circuit, probe: undefined } : circuit;
}
