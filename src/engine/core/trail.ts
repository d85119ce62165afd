import { type SignalboxError, summarizeError } from '../../errors.ts';
import type { CircuitChange } from '../../health/circuit.ts';
import { addUsd } from '../../pricing/rate-card.ts';
import type { Attempt, Verdict } from '../../protocol/attempt.ts';
import type { Tags } from '../../protocol/completion.ts';
import type { ErrorCode } from '../../protocol/error-code.ts';
import type { EventName, RouterEvents } from '../../protocol/events.ts';
import type { AttemptPlan } from './attempt-plan.ts';
import type { Call, Engine } from './engine.ts';

/** What every event of a call has in common. */
type Common = 'type' | 'at' | 'callId' | 'tier' | 'tags';

/** What an event of a call has besides. */
export type Payload<Name extends EventName> = Omit<RouterEvents[Name], Common>;

/** The history of one call: emitted as events while it happens, and recorded as lines for the result. */
export class Trail {
  readonly lines: Attempt[] = [];
  /** The failed attempts' errors, in order. */
  readonly errors: SignalboxError[] = [];
  /** Attempts started so far. */
  attempts = 0;
  /** Whether something was billed at an unknown price. */
  hasUnknownCost = false;
  readonly #engine: Engine;
  readonly #call: Call;
  readonly #bills: number[] = [];

  constructor(engine: Engine, call: Call) {
    this.#engine = engine;
    this.#call = call;
  }

  /** US dollars billed so far, as far as prices are known. */
  get usd(): number {
    return addUsd(this.#bills);
  }

  /** `tags` are the call's by default; an attempt's have those of its target too. */
  emit<Name extends EventName>(
    type: Name,
    payload: Payload<Name>,
    tags: Tags = this.#call.tags,
  ): void {
    const { emitter, runtime } = this.#engine;
    if (!emitter.isHeard(type)) return;
    const { id: callId, called } = this.#call;
    const common = { type, at: Math.round(runtime.now()), callId, tier: called.name, tags };
    // The parameters' types tie the payload to the name; a spread loses that.
    emitter.emit({ ...common, ...payload } as unknown as RouterEvents[typeof type]);
  }

  /** Emits the event of a circuit that changed; `cause` is the code of the failure that changed it. */
  emitCircuit(
    { target: { id: target }, tags }: AttemptPlan,
    change: CircuitChange | undefined,
    cause: ErrorCode = 'server_error',
  ): void {
    if (change?.to === 'half-open') this.emit('circuit-half-open', { target }, tags);
    if (change?.to === 'closed') this.emit('circuit-close', { target }, tags);
    if (change?.to !== 'open') return;
    const until = change.until ?? this.#engine.runtime.now();
    this.emit('circuit-open', { target, until, cause }, tags);
  }

  /** Records a target that is passed over. */
  skip({ target, key }: { readonly target: string; readonly key?: number }, reason: string): void {
    this.lines.push({
      target,
      ...(key !== undefined && { key }),
      startedAt: this.#engine.runtime.now(),
      durationMs: 0,
      outcome: 'skipped',
      reason,
      verdict: 'next',
    });
  }

  /** Counts an attempt. Returns its number. */
  start(): number {
    this.attempts += 1;
    return this.attempts;
  }

  /** Records an attempt's line; a failure's error goes to `errors`. */
  end(line: Attempt, error?: SignalboxError): void {
    this.lines.push(line);
    if (error !== undefined) this.errors.push(error);
  }

  bill(usd: number | null): void {
    if (usd === null) this.hasUnknownCost = true;
    else this.#bills.push(usd);
  }
}

/** How an attempt failed, for its line in the trail. */
export function failureOf(error: SignalboxError, verdict: Verdict, reason: string | undefined) {
  return {
    outcome: error.code === 'aborted' || error.code === 'closed' ? 'aborted' : 'error',
    error: summarizeError(error),
    verdict,
    ...(reason !== undefined && { reason }),
  } as const;
}
