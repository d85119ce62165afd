import { type SignalboxError, summarizeError } from '../errors.ts';
import { addUsd } from '../pricing/money.ts';
import type { Attempt, Verdict } from '../protocol/attempt.ts';
import type { Tags } from '../protocol/completion.ts';
import type { EventName, RouterEvents } from '../protocol/events.ts';
import { drilledReason } from './drill-words.ts';
import type { Call, Engine } from './engine.ts';

/** What every event of a call has, and so need not be said each time. */
type Common = 'type' | 'at' | 'callId' | 'tier' | 'tags';

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
  emit<Name extends EventName>(
    type: Name,
    payload: Omit<RouterEvents[Name], Common>,
    tags?: Tags,
  ): void;
  skip(skipped: { readonly target: string; readonly key?: number }, reason: string): void;
  begin(): number;
  /** Adds an attempt's line; a failure's error goes to `errors`. */
  end(line: Attempt, error?: SignalboxError): void;
  bill(usd: number | null): void;
}

export function openTrail(engine: Engine, call: Call): Trail {
  const lines: Attempt[] = [];
  const errors: SignalboxError[] = [];
  const bills: number[] = [];
  let attempts = 0;
  let hasUnknownCost = false;
  return {
    lines,
    errors,
    get attempts() {
      return attempts;
    },
    get usd() {
      return addUsd(bills);
    },
    get hasUnknownCost() {
      return hasUnknownCost;
    },
    emit(type, payload, tags = call.tags) {
      const common = {
        type,
        at: engine.runtime.now(),
        callId: call.id,
        tier: call.tier.name,
        tags,
      };
      // Name and payload are held together by the parameters' types; a spread forgets that.
      engine.emitter.emit({ ...common, ...payload } as unknown as RouterEvents[typeof type]);
    },
    skip({ target, key }, reason) {
      const startedAt = engine.runtime.now();
      const told = { target, ...(key !== undefined && { key }) };
      lines.push({
        ...told,
        startedAt,
        durationMs: 0,
        outcome: 'skipped',
        reason,
        verdict: 'next',
      });
    },
    begin() {
      attempts += 1;
      return attempts;
    },
    end(line, error) {
      const isDrilled = engine.drill?.targets.has(line.target) === true;
      lines.push(isDrilled ? { ...line, reason: drilledReason(line.reason) } : line);
      if (error !== undefined) errors.push(error);
    },
    bill(usd) {
      if (usd === null) hasUnknownCost = true;
      else bills.push(usd);
    },
  };
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
