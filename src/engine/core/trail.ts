import { type SignalboxError, summarizeError } from '../../errors.ts';
import type { CircuitChange } from '../../health/health.ts';
import { addUsd } from '../../pricing/money.ts';
import type { Attempt, Verdict } from '../../protocol/attempt.ts';
import type { Tags } from '../../protocol/completion.ts';
import type { EventName, RouterEvents } from '../../protocol/events.ts';
import { drilledReason } from './drill-words.ts';
import type { Call, Engine } from './engine.ts';

/** What every event of a call has, and so need not be said each time. */
type Common = 'type' | 'at' | 'callId' | 'tier' | 'tags';

/** What is to be said of an event of a call. */
export type Payload<Name extends EventName> = Omit<RouterEvents[Name], Common>;

/** The story of one call: told as events while it happens, kept as lines for the result. */
export interface Trail {
  readonly lines: readonly Attempt[];
  /** The failed attempts' errors, in order. */
  readonly errors: readonly SignalboxError[];
  /** Attempts begun so far. */
  readonly attempts: number;
  /** US dollars billed so far, as far as prices are known. */
  readonly usd: number;
  /** Whether something was billed at a price that nobody knows. */
  readonly hasUnknownCost: boolean;
  /** `tags` are the call's, unless said otherwise (those of a target come on top for its attempts). */
  emit<Name extends EventName>(type: Name, payload: Payload<Name>, tags?: Tags): void;
  /** Tells of a circuit that has changed, and what changed it. */
  tellCircuit(
    target: string,
    change: CircuitChange | undefined,
    tags: Tags,
    cause?: SignalboxError,
  ): void;
  skip(skipped: { readonly target: string; readonly key?: number }, reason: string): void;
  begin(): number;
  /** Adds an attempt's line; a failure's error goes to `errors`. */
  end(line: Attempt, error?: SignalboxError): void;
  bill(usd: number | null): void;
}

/** A class, since an object with getters of its own has a hidden class of its own too, which outlives the call. */
class CallTrail implements Trail {
  readonly #engine: Engine;
  readonly #call: Call;
  readonly #bills: number[] = [];
  readonly lines: Attempt[] = [];
  readonly errors: SignalboxError[] = [];
  attempts = 0;
  hasUnknownCost = false;

  constructor(engine: Engine, call: Call) {
    this.#engine = engine;
    this.#call = call;
  }

  get usd(): number {
    return addUsd(this.#bills);
  }

  emit<Name extends EventName>(
    type: Name,
    payload: Payload<Name>,
    tags: Tags = this.#call.tags,
  ): void {
    const { emitter, runtime } = this.#engine;
    if (!emitter.isHeard(type)) return;
    const { id: callId, tier } = this.#call;
    const common = { type, at: runtime.now(), callId, tier: tier.name, tags };
    // Name and payload are held together by the parameters' types; a spread forgets that.
    emitter.emit({ ...common, ...payload } as unknown as RouterEvents[typeof type]);
  }

  tellCircuit(
    target: string,
    change: CircuitChange | undefined,
    tags: Tags,
    cause?: SignalboxError,
  ): void {
    if (change?.to === 'half-open') this.emit('circuit-half-open', { target }, tags);
    if (change?.to === 'closed') this.emit('circuit-close', { target }, tags);
    if (change?.to !== 'open') return;
    const until = change.until ?? this.#engine.runtime.now();
    this.emit('circuit-open', { target, until, cause: cause?.code ?? 'server_error' }, tags);
  }

  skip({ target, key }: Parameters<Trail['skip']>[0], reason: string): void {
    const startedAt = this.#engine.runtime.now();
    const told = { target, ...(key !== undefined && { key }) };
    this.lines.push({
      ...told,
      startedAt,
      durationMs: 0,
      outcome: 'skipped',
      reason,
      verdict: 'next',
    });
  }

  begin(): number {
    this.attempts += 1;
    return this.attempts;
  }

  end(line: Attempt, error?: SignalboxError): void {
    const isDrilled = this.#engine.drill?.targets.has(line.target) === true;
    this.lines.push(isDrilled ? { ...line, reason: drilledReason(line.reason) } : line);
    if (error !== undefined) this.errors.push(error);
  }

  bill(usd: number | null): void {
    if (usd === null) this.hasUnknownCost = true;
    else this.#bills.push(usd);
  }
}

export function openTrail(engine: Engine, call: Call): Trail {
  return new CallTrail(engine, call);
}

/** The parts of a trail line that say how an attempt failed. */
export function failureOf(error: SignalboxError, verdict: Verdict, reason: string | undefined) {
  return {
    outcome: error.code === 'aborted' || error.code === 'closed' ? 'aborted' : 'error',
    error: summarizeError(error),
    verdict,
    ...(reason !== undefined && { reason }),
  } as const;
}
