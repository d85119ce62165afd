import { defaults } from '../../config/defaults.ts';
import type { ResolvedTarget } from '../../config/resolve.ts';
import type { Reasoning } from '../../protocol/request.ts';
import { optionsFor } from '../core/engine.ts';
import type { Clocks } from './attempt-deadline.ts';
import type { Run } from './run.ts';
import { createPace, type Pace } from './slow-stream-guard.ts';

const patientEfforts: readonly Reasoning['effort'][] = ['medium', 'high', 'xhigh', 'max'];

/** While another target could be asked, one attempt's silence may use up half of what is left, no more. */
const silentShare = 0.5;

/** It may have used up its share before the answer began: half as much again is left for stalling. */
const stallShare = 0.5;

/** A target that is usually slower than that gets more than it usually needs, so that usual is not late. */
const headroom = 1.5;

/** But this much of what is left is kept for the others. */
const keptForOthers = 0.2;

/** How long the target may say nothing, so that there is time left to ask another one. */
function shareOf({ engine, scope }: Run, target: ResolvedTarget): number {
  const remainingMs = scope.remainingMs();
  const usualMs = engine.statistics(target.id).percentile('firstTokenMs', 0.95) ?? 0;
  const share = Math.max(remainingMs * silentShare, usualMs * headroom);
  return Math.ceil(Math.min(share, remainingMs * (1 - keptForOthers)));
}

/** How much of its share an answer may stall for, where another one could still take its place. */
function idleShareOf({ call: { mode, tier } }: Run, shareMs: number): number {
  const isFinal = mode === 'stream' && tier.midStream === 'fail';
  return isFinal ? Number.POSITIVE_INFINITY : Math.ceil(shareMs * stallShare);
}

/** What was set, and defaults that depend on what was asked, within its share of the call. */
function clocksWithin(run: Run, target: ResolvedTarget, shareMs: number): Clocks {
  const { call } = run;
  const set = { ...call.tier.timeouts, ...call.options.timeouts };
  const options = optionsFor(call, target);
  const usual = patientEfforts.includes(options.reasoning?.effort)
    ? defaults.reasoningFirstTokenMs
    : defaults.firstTokenMs;
  // In one piece, the first part comes with the last: only a limit that was asked for makes sense.
  const firstTokenMs =
    set.firstTokenMs ?? (call.task.transferFor(options) === 'unary' ? undefined : usual);
  return {
    connectMs: set.connectMs ?? defaults.connectMs,
    firstTokenMs: firstTokenMs === undefined ? undefined : Math.min(firstTokenMs, shareMs),
    idleMs: Math.min(set.idleMs ?? defaults.idleMs, idleShareOf(run, shareMs)),
  };
}

/** The watch over how fast the target answers, where the answer is wanted whole and its usual length is known. */
function paceOf({ engine, call, scope }: Run, target: ResolvedTarget): Pace | undefined {
  if (call.mode === 'stream') return undefined;
  const usualTokens = engine.statistics(target.id).percentile('outputTokens', 0.5);
  if (usualTokens === undefined) return undefined;
  return createPace(usualTokens, engine.runtime.now() + scope.remainingMs());
}

/** What an attempt may take of its call's time. Where no other target could be asked any more, all of it. */
export function timingOf(
  run: Run,
  target: ResolvedTarget,
): { readonly clocks: Clocks; readonly pace?: Pace | undefined } {
  if (!run.chain.othersFree(target, 'timeout')) {
    return { clocks: clocksWithin(run, target, Number.POSITIVE_INFINITY) };
  }
  const clocks = clocksWithin(run, target, shareOf(run, target));
  return { clocks, pace: paceOf(run, target) };
}
