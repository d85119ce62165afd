import { defaults } from '../../config/defaults.ts';
import type { ResolvedTarget } from '../../config/resolve.ts';
import { type SignalboxError, summarizeError } from '../../errors.ts';
import type { Sent } from '../../internal/send-window.ts';
import type { Engine } from '../core/engine.ts';
import { heldUnder } from '../core/keys.ts';
import type { Trail } from '../core/trail.ts';

/** What is known of the attempt that failed. */
export type FailedAttempt = {
  readonly sent: Sent;
  /** When there is more again, if the vendor's headers said that nothing is left. */
  readonly emptyUntil: number | undefined;
};

/**
 * Books a rate limit. It binds the call that received it, and all calls only when too many of the target's last
 * attempts were refused, or when nothing is left. Returns whether the target is limited.
 */
function limit(
  { health, runtime }: Engine,
  target: ResolvedTarget,
  error: SignalboxError,
  { sent, emptyUntil }: FailedAttempt,
  emit: Trail['emit'],
): boolean {
  const held = heldUnder(target).target;
  const now = runtime.now();
  const emptyMs = emptyUntil === undefined ? undefined : emptyUntil - now;
  const until = health.refusals.refused(
    held,
    {
      attempt: sent,
      retryAfterMs: error.retryAfterMs ?? emptyMs,
      nothingLeft: emptyUntil !== undefined,
    },
    { minMs: defaults.limitedMs, maxMs: defaults.retryMaxMs },
  );
  // The other keys of a pool are no worse for it.
  if (target.key !== undefined) {
    health.refusals.avoid(held, now + (error.retryAfterMs ?? defaults.limitedMs));
  }
  if (until === undefined) return false;
  health.withhold(held, 'limited', until);
  emit('rate-limited', { target: target.id, until, kind: 'limited' });
  return true;
}

/**
 * Keeps calls away from a target that said "not now" or "not you", for as long as it said or as is usual. Returns
 * whether the target is rate limited.
 */
export function withhold(
  engine: Engine,
  target: ResolvedTarget,
  error: SignalboxError,
  attempt: FailedAttempt,
  emit: Trail['emit'],
): boolean {
  const { health } = engine;
  const held = heldUnder(target);
  const now = engine.runtime.now();
  const toldOr = (usualMs: number): number => now + (error.retryAfterMs ?? usualMs);
  switch (error.code) {
    case 'rate_limited':
      return limit(engine, target, error, attempt, emit);
    case 'quota_exhausted': {
      // Vendors send the wait of a rate limit along with an empty account too: it would be too short.
      const until = Math.max(toldOr(0), now + defaults.exhaustedMs);
      health.withhold(held.target, 'exhausted', until);
      emit('rate-limited', { target: target.id, until, kind: 'exhausted' });
      break;
    }
    case 'auth':
    case 'permission': {
      // A key that is not known is bad for all models; one that lacks a right may be good for others.
      const until = toldOr(defaults.credentialMs);
      const { id, provider } = target;
      health.withhold(error.code === 'auth' ? held.provider : held.target, 'credential', until);
      const summary = summarizeError(error);
      emit('credential-rejected', { provider, target: id, until, error: summary });
      break;
    }
    case 'model_not_found':
      health.withhold(target.id, 'model', toldOr(defaults.modelMs));
      break;
    default:
  }
  return false;
}
