import { checkFeedback } from '../../config/check.ts';
import { splitTarget } from '../../config/cross-check.ts';
import type { Engine } from '../core/engine.ts';

/** Characters. A longer reason is cut. */
const maxReasonLength = 1_000;

/** The beginning of a text, without half a character at its end. */
function beginningOf(text: string): string {
  return text.length <= maxReasonLength ? text : text.slice(0, maxReasonLength).toWellFormed();
}

/**
 * Counts a score for the target that answered a call. Returns whether the call is known.
 * @throws SignalboxError `config` for bad arguments
 */
export function takeFeedback(
  { answered, registry, emitter, runtime }: Engine,
  ...given: readonly [callId: unknown, feedback: unknown]
): boolean {
  const { callId, score, reason } = checkFeedback(...given);
  const now = runtime.now();
  const call = answered.find(callId, now);
  if (call === undefined) return false;
  registry.quality.record(call, score, now);
  if (!emitter.isHeard('feedback')) return true;
  const { tier, target, servedModel, tags, drill } = call;
  emitter.emit({
    type: 'feedback',
    at: Math.round(now),
    callId,
    tier,
    tags,
    ...(drill !== undefined && { drill }),
    target,
    model: splitTarget(target).model,
    servedModel,
    score,
    ...(reason !== undefined && { reason: beginningOf(reason) }),
  });
  return true;
}
