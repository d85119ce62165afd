import type { CheckedFault } from '../../config/drill-options.ts';
import { SignalboxError } from '../../errors.ts';
import type { Departure } from '../../limits/gate.ts';
import type { PluginAttempt } from '../../protocol/plugin.ts';
import type { Runtime } from '../../protocol/runtime.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import type { Unavailable } from '../../routing/candidate.ts';
import { type KeyId, KeyState, TargetRegistry, TargetState } from '../core/target-registry.ts';

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

  protected override makeKey(key: KeyId): KeyState {
    return new DrilledKeyState(() => this.#runtime.now(), this.#real.key(key));
  }
}

/** The state of targets for drilled calls: the drill's for targets that fail, the router's for all others. */
export class DrillRegistry extends TargetRegistry {
  readonly #real: TargetRegistry;
  readonly #failing: ReadonlyMap<string, TargetState>;

  constructor(runtime: Runtime, real: TargetRegistry, failing: ReadonlySet<string>) {
    super(runtime, real);
    this.#real = real;
    const states = [...failing].map(
      (id) => [id, new DrilledTargetState(runtime, real.target(id))] as const,
    );
    this.#failing = new Map(states);
  }

  override target(id: string): TargetState {
    return this.#failing.get(id) ?? this.#real.target(id);
  }

  /** The real answers of drilled calls are as long as those of others. */
  override get forecast() {
    return this.#real.forecast;
  }

  override get quality() {
    return this.#real.quality;
  }

  override provider(name: string) {
    return this.#real.provider(name);
  }

  override unavailability(
    ...[target, key]: Parameters<TargetRegistry['unavailability']>
  ): Unavailable | undefined {
    const real = this.#real.unavailability(target, key);
    if (real?.isolated === true) return real;
    const drilled = this.#failing.has(target.id) ? super.unavailability(target, key) : undefined;
    return drilled === undefined ? real : { ...drilled, reason: drilledReason(drilled.reason) };
  }
}

const mark = 'fire drill';

/** A reason in the trail that a fire drill caused. */
function drilledReason(reason?: string): string {
  return reason === undefined ? mark : `${mark}: ${reason}`;
}

/** The failure that a vendor would have. */
const failures = {
  connection: { message: 'the connection was refused' },
  rate_limited: { message: 'rate limited', status: 429 },
  server_error: { message: 'the vendor failed', status: 500 },
  overloaded: { message: 'the vendor is overloaded', status: 503 },
} as const;

/** Parts that a reader would see; preamble does not count. */
function isVisible(part: ProviderPart): boolean {
  return !['open', 'usage', 'warning', 'finish'].includes(part.type);
}

/** The first parts of the vendor's answer; leaving closes its socket. */
async function* firstParts(
  answer: AsyncIterable<readonly ProviderPart[]>,
  partCount: number,
): AsyncGenerator<readonly ProviderPart[], void> {
  let left = partCount;
  for await (const batch of answer) {
    const kept: ProviderPart[] = [];
    for (const part of batch) {
      if (part.type === 'finish' || (left === 0 && isVisible(part))) {
        if (kept.length > 0) yield kept;
        return;
      }
      kept.push(part);
      if (isVisible(part)) left -= 1;
      // At once: the next part may take long.
      if (partCount > 0 && left === 0) break;
    }
    yield kept;
    if (partCount > 0 && left === 0) return;
  }
}

/** One attempt under the fault: an attempt of a real failing vendor, as far as the engine sees. */
export async function* playFault(
  fault: CheckedFault,
  attempt: PluginAttempt,
  next: () => AsyncIterable<readonly ProviderPart[]>,
  /** Called each time the fault takes effect. */
  onStrike: () => void,
): AsyncGenerator<readonly ProviderPart[], void> {
  const { signal, call } = attempt;
  signal.throwIfAborted();
  switch (fault.type) {
    case 'timeout':
      onStrike();
      attempt.connected();
      return call.runtime.sleep(Number.POSITIVE_INFINITY, signal);
    case 'slow':
      onStrike();
      // The timeout for the first token runs: the vendor was reached and is silent.
      attempt.connected();
      await call.runtime.sleep(fault.delayMs, signal);
      yield* next();
      return;
    case 'cut':
    case 'truncated':
      yield* firstParts(next(), fault.afterParts);
      onStrike();
      if (fault.type === 'truncated') return;
      throw new SignalboxError('stream_interrupted', drilledReason('the answer broke off'));
    case 'invalid_output':
      onStrike();
      attempt.connected();
      yield [
        { type: 'open' },
        {
          type: 'finish',
          finishReason: 'stop',
          // Nothing was sent, so nothing is billed.
          usage: { inputTokens: 0, outputTokens: 0, totalTokens: 0 },
        },
      ];
      return;
    default: {
      onStrike();
      const { message, ...more } = { status: undefined, ...failures[fault.type] };
      const retryAfterMs = 'retryAfterMs' in fault ? fault.retryAfterMs : undefined;
      throw new SignalboxError(fault.type, drilledReason(message), { ...more, retryAfterMs });
    }
  }
}
