import { defaults } from '../config/defaults.ts';
import type { ResolvedTarget } from '../config/resolve.ts';
import { type SignalboxError, summarizeError } from '../errors.ts';
import type { Engine } from './engine.ts';
import { heldUnder } from './keys.ts';
import type { Trail } from './trail.ts';

/** Keeps calls away from a target that said "not now" or "not you", for as long as it said or as is usual. */
export function withhold(
  engine: Engine,
  target: ResolvedTarget,
  error: SignalboxError,
  emit: Trail['emit'],
): void {
  const { health } = engine;
  const held = heldUnder(target);
  const now = engine.runtime.now();
  const toldOr = (usualMs: number): number => now + (error.retryAfterMs ?? usualMs);
  switch (error.code) {
    case 'rate_limited': {
      const until = toldOr(defaults.limitedMs);
      health.withhold(held.target, 'limited', until);
      emit('rate-limited', { target: target.id, until, kind: 'limited' });
      break;
    }
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
}
