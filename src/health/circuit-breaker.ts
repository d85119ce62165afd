import { timestamp } from '../internal/timestamp.ts';
import type { CircuitSettings } from '../protocol/config.ts';
import {
  type Circuit,
  circuitAllows,
  closedCircuit,
  enterCircuit,
  type Passage,
  recordOutcome,
  releaseCircuit,
} from './circuit.ts';

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
    if (this.#circuit.state === 'closed') return undefined;
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
  enter(policy: Required<CircuitSettings>): Permit {
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
