import { defaults } from '../../config/defaults.ts';
import { SignalboxError } from '../../errors.ts';
import type { Timeouts } from '../../protocol/call-options.ts';
import type { TimeoutPhase } from '../../protocol/error-code.ts';
import type { Reasoning } from '../../protocol/request.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import type { AttemptPlan } from '../core/attempt-plan.ts';
import { charactersPerToken, tokensOf } from '../core/token-estimate.ts';
import type { Run } from './run.ts';

/** The timeouts of one attempt, by the phase in which they run. */
export type DuePhase = Extract<TimeoutPhase, 'connect' | 'first-token' | 'idle'>;

/** In milliseconds; one that is `undefined` does not run. */
export type AttemptTimeouts = {
  readonly connectMs: number;
  readonly firstTokenMs: number | undefined;
  readonly idleMs: number;
};

/** When an attempt runs out of time, and which timeout it is. Sets no timer. */
export class AttemptDeadline {
  readonly #timeouts: AttemptTimeouts;
  #startedAt: number;
  #phase: 'connecting' | 'waiting' | 'answering' = 'connecting';
  #lastBytesAt: number;
  #isReading = true;

  constructor(timeouts: AttemptTimeouts, startedAt: number) {
    this.#timeouts = timeouts;
    this.#startedAt = startedAt;
    this.#lastBytesAt = startedAt;
  }

  connected(): void {
    if (this.#phase === 'connecting') this.#phase = 'waiting';
  }

  /** The first part of the answer: the idle timeout starts. */
  firstPart(now: number): void {
    this.#phase = 'answering';
    this.#lastBytesAt = now;
  }

  bytes(now: number): void {
    this.#lastBytesAt = now;
  }

  /** We wait for the vendor. While our reader is slow the vendor is not idle. */
  reading(now: number): void {
    if (!this.#isReading) this.#lastBytesAt = now;
    this.#isReading = true;
  }

  paused(): void {
    this.#isReading = false;
  }

  /** The process stood still for so long: that time is not the vendor's. */
  excuse(ms: number): void {
    this.#startedAt += ms;
    this.#lastBytesAt += ms;
  }

  /** The next timeout unless something happens; `undefined` when none runs. */
  due(now: number): { readonly at: number; readonly phase: DuePhase } | undefined {
    const { connectMs, firstTokenMs = Number.POSITIVE_INFINITY, idleMs } = this.#timeouts;
    if (this.#phase === 'answering') {
      return { at: (this.#isReading ? this.#lastBytesAt : now) + idleMs, phase: 'idle' };
    }
    const connectAt = this.#startedAt + connectMs;
    const firstTokenAt = this.#startedAt + firstTokenMs;
    if (this.#phase === 'connecting' && connectAt <= firstTokenAt) {
      return { at: connectAt, phase: 'connect' };
    }
    return Number.isFinite(firstTokenAt) ? { at: firstTokenAt, phase: 'first-token' } : undefined;
  }
}

/** A rate over less time means nothing: answers come in bursts. */
const shortestMeasureMs = 1_000;

/** So much of an answer shows how many characters make a token. */
const sampleLength = 1_000;

/** How many tokens the deltas of an answer have, estimated. */
export class DeltaCount {
  #characters = 0;
  /** The start of the answer. */
  #sample = '';

  add(delta: string): void {
    this.#characters += delta.length;
    if (this.#sample.length < sampleLength) this.#sample += delta;
  }

  /** Costs nothing. */
  get roughTokens(): number {
    return this.#characters / charactersPerToken;
  }

  /** Some languages have far fewer characters in a token. */
  get tokens(): number {
    if (this.#characters === 0) return 0;
    const sampled = this.#sample.slice(0, sampleLength);
    return (tokensOf([sampled]) * this.#characters) / sampled.length;
  }
}

/** Ends an answer that comes too slowly to be whole before the call's deadline. */
class SlowStreamGuard {
  readonly #usualTokens: number;
  readonly #endsAt: number;
  readonly #count = new DeltaCount();
  #startedAt: number | undefined;

  /** `usualTokens` is the usual length of the target's answers; `endsAt` the call's deadline. */
  constructor(usualTokens: number, endsAt: number) {
    this.#usualTokens = usualTokens;
    this.#endsAt = endsAt;
  }

  /** @throws SignalboxError `timeout` of phase `pace` when the answer cannot be whole in time at this rate */
  see(part: ProviderPart, now: number): void {
    if (!('delta' in part) || part.delta === '') return;
    // The first part took none of the time that is measured.
    if (this.#startedAt === undefined) {
      this.#startedAt = now;
      return;
    }
    this.#count.add(part.delta);
    const measuredMs = now - this.#startedAt;
    if (measuredMs < shortestMeasureMs) return;
    if (this.#isInTime(this.#count.roughTokens, measuredMs, now)) return;
    const { tokens } = this.#count;
    if (this.#isInTime(tokens, measuredMs, now)) return;
    const tokensPerMs = tokens / measuredMs;
    const perSecond = Math.round(tokensPerMs * 10_000) / 10;
    throw new SignalboxError(
      'timeout',
      `${perSecond} tokens a second are too slow to be whole within totalMs`,
      { phase: 'pace' },
    );
  }

  /** Whether an answer of usual length is whole before the deadline, when `tokens` took so long. */
  #isInTime(tokens: number, measuredMs: number, now: number): boolean {
    return now + ((this.#usualTokens - tokens) * measuredMs) / tokens <= this.#endsAt;
  }
}

const slowEfforts: readonly Reasoning['effort'][] = ['medium', 'high', 'xhigh', 'max'];

/** While another target is available, the share of the time left that an attempt may be silent. */
const silentShare = 0.5;

/** The share of that time for which an answer may stall after it began: it may have used up all of it before. */
const stallShare = 0.5;

/** A slow target gets so much more than its usual time. */
const headroom = 1.5;

/** The share of the time left that is kept for other targets in any case. */
const keptForOthers = 0.2;

/** How long the target may be silent, so that there is time left for another one. */
function silenceOf(remainingMs: number, { state }: AttemptPlan): number {
  const usualMs = state.statistics.percentile('firstTokenMs', 0.95) ?? 0;
  const share = Math.max(remainingMs * silentShare, usualMs * headroom);
  return Math.ceil(Math.min(share, remainingMs * (1 - keptForOthers)));
}

/** How long an answer may stall while another target could replace it. */
function stallOf({ call: { mode, tier } }: Run, silentMs: number): number {
  const isFinal = mode === 'stream' && tier.midStream === 'fail';
  return isFinal ? Number.POSITIVE_INFINITY : Math.ceil(silentMs * stallShare);
}

/** The timeouts that were set, or the defaults, within `silentMs`. */
function timeoutsWithin(
  run: Run,
  { options }: AttemptPlan,
  set: Timeouts,
  silentMs: number,
): AttemptTimeouts {
  const { call } = run;
  const usual = slowEfforts.includes(options.reasoning?.effort)
    ? defaults.reasoningFirstTokenMs
    : defaults.firstTokenMs;
  // A unary answer has its first part with its last: only a timeout that was set makes sense.
  const firstTokenMs =
    set.firstTokenMs ?? (call.task.transferFor(options) === 'unary' ? undefined : usual);
  return {
    connectMs: set.connectMs ?? defaults.connectMs,
    firstTokenMs: firstTokenMs === undefined ? undefined : Math.min(firstTokenMs, silentMs),
    idleMs: Math.min(set.idleMs ?? defaults.idleMs, stallOf(run, silentMs)),
  };
}

/** Where the answer is wanted whole and its usual length is known. */
function slowStreamGuardFor(
  { engine, call, scope }: Run,
  { state }: AttemptPlan,
): SlowStreamGuard | undefined {
  if (call.mode === 'stream') return undefined;
  const usualTokens = state.statistics.percentile('outputTokens', 0.5);
  if (usualTokens === undefined) return undefined;
  return new SlowStreamGuard(usualTokens, engine.runtime.now() + scope.remainingMs());
}

/** What limits the time of an attempt. */
export type Timing = {
  readonly timeouts: AttemptTimeouts;
  readonly slowStream?: SlowStreamGuard | undefined;
  /** Whether the timeout is shorter than the tier's, because this call set it or its `totalMs`: not the target's fault. */
  isShortened(phase: TimeoutPhase | undefined): boolean;
};

function isShorter(timeouts: AttemptTimeouts, usual: AttemptTimeouts, phase: DuePhase): boolean {
  const names = { connect: 'connectMs', 'first-token': 'firstTokenMs', idle: 'idleMs' } as const;
  const infinite = Number.POSITIVE_INFINITY;
  return (timeouts[names[phase]] ?? infinite) < (usual[names[phase]] ?? infinite);
}

/** How much of its call's time an attempt may take: all of it when no other target is available. */
export function timingOf(run: Run, plan: AttemptPlan): Timing {
  const { call, scope, engine } = run;
  const isAlone = !run.chain.othersFree(plan, 'timeout');
  const within = (set: Timeouts, remainingMs: number): AttemptTimeouts => {
    const silentMs = isAlone ? Number.POSITIVE_INFINITY : silenceOf(remainingMs, plan);
    return timeoutsWithin(run, plan, set, silentMs);
  };
  const set = { ...call.tier.timeouts, ...call.options.timeouts };
  const timeouts = within(set, scope.remainingMs());
  return {
    timeouts,
    slowStream: isAlone ? undefined : slowStreamGuardFor(run, plan),
    isShortened(phase) {
      if (call.options.timeouts === undefined) return false;
      if (phase !== 'connect' && phase !== 'first-token' && phase !== 'idle') return false;
      const { totalMs = defaults.totalMs } = call.tier.timeouts;
      const remainingMs = totalMs - (engine.runtime.now() - scope.startedAt);
      return isShorter(timeouts, within(call.tier.timeouts, remainingMs), phase);
    },
  };
}
