import { defaults } from '../../config/defaults.ts';
import { type SignalboxError, summarizeError } from '../../errors.ts';
import type { Sent } from '../../internal/send-window.ts';
import type { AttemptPlan } from '../core/attempt-plan.ts';
import type { Engine } from '../core/engine.ts';
import type { Trail } from '../core/trail.ts';

/** What is known of the attempt that failed. */
export type FailedAttempt = {
  readonly sent: Sent;
  /** When the vendor's quota refills, if its headers reported that nothing is left. */
  readonly emptyUntil: number | undefined;
};

/**
 * Records a 429. It binds the call that received it, and all calls only when too many of the target's latest attempts
 * were rate limited, or when nothing is left. Returns whether the target is limited.
 */
function limit(
  { runtime }: Engine,
  { target, keyState }: AttemptPlan,
  error: SignalboxError,
  { sent, emptyUntil }: FailedAttempt,
  emit: Trail['emit'],
): boolean {
  const now = runtime.now();
  const emptyMs = emptyUntil === undefined ? undefined : emptyUntil - now;
  const until = keyState.rateLimits.limited(
    {
      attempt: sent,
      retryAfterMs: error.retryAfterMs ?? emptyMs,
      nothingLeft: emptyUntil !== undefined,
    },
    { minMs: defaults.limitedMs, maxMs: defaults.retryMaxMs },
  );
  // The other keys of a pool are not affected.
  if (target.key !== undefined) {
    keyState.rateLimits.avoid(now + (error.retryAfterMs ?? defaults.limitedMs));
  }
  if (until === undefined) return false;
  keyState.availability.mark('limited', until);
  emit('rate-limited', { target: target.id, until, kind: 'limited' });
  return true;
}

/**
 * Marks a target, its key or its model as unavailable when the failure asks for that: until the time that the vendor
 * sent, or the usual one. Returns whether the target is rate limited.
 */
export function markUnavailable(
  engine: Engine,
  plan: AttemptPlan,
  error: SignalboxError,
  attempt: FailedAttempt,
  emit: Trail['emit'],
): boolean {
  const { target, state, keyState } = plan;
  const now = engine.runtime.now();
  const retryAt = (usualMs: number): number => now + (error.retryAfterMs ?? usualMs);
  switch (error.code) {
    case 'rate_limited':
      return limit(engine, plan, error, attempt, emit);
    case 'quota_exhausted': {
      // Vendors send the wait of a rate limit for an empty account too: it would be too short.
      const until = Math.max(retryAt(0), now + defaults.exhaustedMs);
      keyState.availability.mark('exhausted', until);
      emit('rate-limited', { target: target.id, until, kind: 'exhausted' });
      break;
    }
    case 'auth':
    case 'permission': {
      // An unknown key fails for all models; one that lacks a permission may work for others.
      const until = retryAt(defaults.credentialMs);
      const { id, provider, key } = target;
      const ofProvider = engine.registry.provider(provider).key(key);
      const availability = error.code === 'auth' ? ofProvider : keyState.availability;
      availability.mark('credential', until);
      const summary = summarizeError(error);
      emit('credential-rejected', { provider, target: id, until, error: summary });
      break;
    }
    case 'model_not_found':
      state.availability.mark('model', retryAt(defaults.modelMs));
      break;
    default:
  }
  return false;
}
