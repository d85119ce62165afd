import { timestamp } from '../internal/timestamp.ts';
import type { CircuitSettings } from '../protocol/config.ts';

/**
 * The circuit of a target. `closed`: all calls pass and are counted. `open`: no call passes until a time. `half-open`:
 * one probe passes at a time, and the circuit closes after enough successes.
 */
export type Circuit =
  | {
      readonly state: 'closed';
      readonly consecutiveFailures: number;
      /** The last outcomes, oldest first. `true` is a failure. */
      readonly recent: readonly boolean[];
    }
  | {
      readonly state: 'open';
      /** Epoch milliseconds. */
      readonly until: number;
      /** Consecutive openings, without closing in between. */
      readonly openings: number;
    }
  | HalfOpen;

type HalfOpen = {
  readonly state: 'half-open';
  /** Number of the probe in flight; `undefined` if there is none. */
  readonly probe: number | undefined;
  readonly successes: number;
  readonly openings: number;
};

/**
 * How a call passed the circuit. `regular`: the circuit was closed. `probe`: as the probe with that number. `forced`:
 * the circuit was open, but no other target was available.
 */
export type Passage =
  | { readonly as: 'regular' | 'forced' }
  | { readonly as: 'probe'; readonly probe: number };

/** The settings with their defaults. */
export type CircuitPolicy = {
  readonly [Name in keyof CircuitSettings]-?: NonNullable<CircuitSettings[Name]>;
};

export const closedCircuit: Circuit = {
  state: 'closed',
  consecutiveFailures: 0,
  recent: [],
};

/** Whether a call may pass now; otherwise, when it may. `until` is `undefined` while a probe is in flight. */
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

/** Lets a call pass; if not closed, as the probe with that number. Call {@link circuitAllows} first. */
export function enterCircuit(circuit: Circuit, probe: number): Circuit {
  return circuit.state === 'closed' ? circuit : { ...halfOpened(circuit), probe };
}

/**
 * How long the circuit stays open after `openings` consecutive openings. The time doubles with each opening, up to the
 * maximum. From the second opening on, up to a fifth of it is subtracted at random, so that many processes do not probe
 * at the same time.
 */
function openForMs(openings: number, policy: CircuitPolicy, random: number): number {
  const doubled = policy.openMs * 2 ** (openings - 1);
  const capped = Math.min(policy.maxOpenMs, doubled);
  return openings === 1 ? capped : capped * (1 - random / 5);
}

function opened(openings: number, policy: CircuitPolicy, now: number, random: number): Circuit {
  return {
    state: 'open',
    until: now + openForMs(openings, policy, random),
    openings,
  };
}

function shouldOpen(
  consecutiveFailures: number,
  recent: readonly boolean[],
  policy: CircuitPolicy,
): boolean {
  if (consecutiveFailures >= policy.consecutiveFailures) return true;
  if (recent.length < policy.minimumCalls) return false;
  return recent.filter(Boolean).length / recent.length >= policy.failureRate;
}

/** Counts a success. The success of a probe frees the slot for the next probe. */
function succeeded(circuit: HalfOpen, passage: Passage, policy: CircuitPolicy): Circuit {
  const successes = circuit.successes + 1;
  if (successes >= policy.successesToClose) return closedCircuit;
  const probe = passage.as === 'probe' ? undefined : circuit.probe;
  return { ...circuit, probe, successes };
}

/**
 * The circuit after a call ended. Late outcomes change nothing: those of calls that passed before the circuit opened,
 * and of probes that started before it opened again. The success of a forced call counts like a probe's.
 */
export function recordOutcome(
  circuit: Circuit,
  call: { readonly passage: Passage; readonly outcome: 'success' | 'failure' },
  policy: CircuitPolicy,
  now: number,
  random: number,
): Circuit {
  const { passage } = call;
  const failed = call.outcome === 'failure';
  switch (circuit.state) {
    case 'closed': {
      // The usual case: only successes in the window, and nothing changes.
      const isFull = circuit.recent.length === policy.window;
      if (!failed && isFull && !circuit.recent.includes(true)) return circuit;
      const consecutiveFailures = failed ? circuit.consecutiveFailures + 1 : 0;
      const recent = [...circuit.recent, failed].slice(-policy.window);
      if (failed && shouldOpen(consecutiveFailures, recent, policy))
        return opened(1, policy, now, random);
      return { state: 'closed', consecutiveFailures, recent };
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

/** The circuit after a call that its caller aborted: a probe frees its slot. */
export function releaseCircuit(circuit: Circuit, passage: Passage): Circuit {
  if (circuit.state !== 'half-open' || passage.as !== 'probe') return circuit;
  return passage.probe === circuit.probe ? { ...circuit, probe: undefined } : circuit;
}

/** Why a target cannot be tried now, and until when. `until` is `undefined` while a probe is in flight. */
export type Unavailable = {
  readonly reason: string;
  readonly until: number | undefined;
};

export type CircuitChange = {
  readonly to: Circuit['state'];
  readonly until?: number;
};

/** How an attempt ended. `neither`: the caller aborted it, so it shows nothing about the target. */
export type Outcome = 'success' | 'failure' | 'neither';

/** An attempt that passed the circuit. Call `settle` once; further calls do nothing. */
export interface Permit {
  /** Set if the attempt changed the circuit's state. */
  readonly change: CircuitChange | undefined;
  /** Records the outcome. Returns the change of the circuit's state, if any. */
  settle(outcome: Outcome): CircuitChange | undefined;
}

/** The circuit of one target. */
export class CircuitBreaker {
  readonly #now: () => number;
  readonly #random: () => number;
  #circuit: Circuit = closedCircuit;
  #probes = 0;

  constructor(now: () => number, random: () => number) {
    this.#now = now;
    this.#random = random;
  }

  get circuit(): Circuit {
    return this.#circuit;
  }

  /** Why no attempt may pass now; `undefined` if one may. Changes nothing. */
  check(): Unavailable | undefined {
    const allows = circuitAllows(this.#circuit, this.#now());
    if (allows.allowed) return undefined;
    const { until } = allows;
    const reason =
      until === undefined
        ? 'circuit half-open, probe in flight'
        : `circuit open until ${timestamp(until)}`;
    return { reason, until };
  }

  /** Lets an attempt pass, whatever {@link check} returns. */
  enter(policy: CircuitPolicy): Permit {
    const passage = this.#passage();
    const change =
      passage.as === 'probe' ? this.#set(enterCircuit(this.#circuit, passage.probe)) : undefined;
    let isSettled = false;
    return {
      change,
      settle: (outcome) => {
        if (isSettled) return undefined;
        isSettled = true;
        return this.#set(
          outcome === 'neither'
            ? releaseCircuit(this.#circuit, passage)
            : recordOutcome(
                this.#circuit,
                { passage, outcome },
                policy,
                this.#now(),
                this.#random(),
              ),
        );
      },
    };
  }

  #passage(): Passage {
    if (this.#circuit.state === 'closed') return { as: 'regular' };
    if (!circuitAllows(this.#circuit, this.#now()).allowed) return { as: 'forced' };
    this.#probes += 1;
    return { as: 'probe', probe: this.#probes };
  }

  #set(circuit: Circuit): CircuitChange | undefined {
    const before = this.#circuit;
    this.#circuit = circuit;
    if (before.state === circuit.state) return undefined;
    return { to: circuit.state, ...(circuit.state === 'open' && { until: circuit.until }) };
  }
}
