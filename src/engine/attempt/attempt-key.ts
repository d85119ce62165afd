import { defaults } from '../../config/defaults.ts';
import type { ResolvedTarget } from '../../config/resolve.ts';
import { isSignalboxError, SignalboxError } from '../../errors.ts';
import type { AttemptPlan } from '../core/attempt-plan.ts';
import { targetLabel } from '../core/engine.ts';
import type { OwnKey } from '../core/own-key.ts';
import type { Run } from './run.ts';

/**
 * Gets the key of the next attempt where it depends on the call's tags. Never rejects. `undefined` when there is nothing to
 * wait for.
 */
export function prepareKey(
  { engine: { runtime }, call, scope }: Run,
  { ownKey }: AttemptPlan,
): Promise<void> | undefined {
  const { connectMs = defaults.connectMs } = { ...call.tier.timeouts, ...call.options.timeouts };
  return ownKey?.prepare({ runtime, scope, connectMs });
}

/** The key of the attempt. @throws SignalboxError when there is none */
export function takeKey({ scope }: Run, { target }: AttemptPlan, ownKey: OwnKey) {
  try {
    return ownKey.take();
  } catch (error) {
    throw noKey(target, error, scope.reason);
  }
}

/** Whether the vendor has not just rejected the key. */
export function maySendKey({ engine }: Run, { target }: AttemptPlan, fingerprint: string): boolean {
  const { untils } = engine.registry.provider(target.provider).key(fingerprint);
  return (untils.credential ?? 0) <= engine.runtime.now();
}

/** The vendor has just rejected the key. */
export function keyStillRejected(): SignalboxError {
  return new SignalboxError(
    'auth',
    'not sent: the function for the key still returns the one that was rejected',
  );
}

/** Why there is no key, as an error of the target. `ended` is why the call ended, if it did. */
export function noKey(
  target: ResolvedTarget,
  raw: unknown,
  ended: SignalboxError | undefined,
): SignalboxError {
  const error = isSignalboxError(raw)
    ? raw
    : new SignalboxError('auth', 'keyFor() of the provider threw', { cause: raw });
  const what = error === ended ? 'not sent, the function for its key had not returned; ' : '';
  const message = `${targetLabel(target)}: ${what}${error.message}`;
  return error.with({ target: target.id, message });
}
