import type { Unavailable } from '../../health/circuit-breaker.ts';
import type { Departure } from '../../limits/gate.ts';
import type { Runtime } from '../../protocol/runtime.ts';
import { KeyState, TargetRegistry, TargetState } from '../core/target-registry.ts';
import { drilledReason } from './drill-fault.ts';

/** A key of a target that a drill makes fail: its limits are the real ones. */
class DrilledKeyState extends KeyState {
  readonly #real: KeyState;

  constructor(now: () => number, real: KeyState) {
    super(now);
    this.#real = real;
  }

  override get limits() {
    return this.#real.limits;
  }
}

/** A target that a drill makes fail. What is learned of it is forgotten with the drill. */
class DrilledTargetState extends TargetState {
  readonly #runtime: Runtime;
  readonly #real: TargetState;

  constructor(runtime: Runtime, real: TargetState) {
    super(runtime);
    this.#runtime = runtime;
    this.#real = real;
    this.usualOutputTokens = real.usualOutputTokens;
  }

  /** The real limits learn nothing from failures that a drill made. */
  override learnedFrom(departure: Departure): Departure {
    return { ...departure, outcome: 'other' };
  }

  override describe(reason: string | undefined): string {
    return drilledReason(reason);
  }

  protected override makeKey(index: number | undefined): KeyState {
    return new DrilledKeyState(() => this.#runtime.now(), this.#real.key(index));
  }
}

/**
 * What drilled calls know of targets: of those that fail, a state of the drill's; of all others the real one, to which
 * their requests are requests like any.
 */
export class DrillRegistry extends TargetRegistry {
  readonly #real: TargetRegistry;
  readonly #failing: ReadonlyMap<string, TargetState>;

  constructor(runtime: Runtime, real: TargetRegistry, failing: ReadonlySet<string>) {
    super(runtime);
    this.#real = real;
    const states = [...failing].map(
      (id) => [id, new DrilledTargetState(runtime, real.target(id))] as const,
    );
    this.#failing = new Map(states);
  }

  override target(id: string): TargetState {
    return this.#failing.get(id) ?? this.#real.target(id);
  }

  override provider(name: string) {
    return this.#real.provider(name);
  }

  override unavailability(
    target: Parameters<TargetRegistry['unavailability']>[0],
  ): Unavailable | undefined {
    const real = this.#real.unavailability(target);
    const drilled = this.#failing.has(target.id) ? super.unavailability(target) : undefined;
    return drilled === undefined ? real : { ...drilled, reason: drilledReason(drilled.reason) };
  }
}
