import type { ResolvedTarget } from '../../config/resolve.ts';
import type { ErrorCode } from '../../protocol/error-code.ts';
import { type Engine, providerOf } from './engine.ts';

/** Failures of the key: with another one the same target may answer. */
const keyFailures: readonly ErrorCode[] = ['rate_limited', 'quota_exhausted', 'auth', 'permission'];

export function isKeyFailure(code: ErrorCode): boolean {
  return keyFailures.includes(code);
}

/** The target once for each key of its provider's pool; made once, because the gates of each are kept by it. */
function withEachKey(engine: Engine, target: ResolvedTarget, count: number): ResolvedTarget[] {
  let keyed = engine.keyedTargets.get(target);
  if (keyed === undefined) {
    keyed = Array.from({ length: count }, (_, key) => ({ ...target, key }));
    engine.keyedTargets.set(target, keyed);
  }
  return keyed;
}

/**
 * The target with each key of its provider's pool, in the order to try them: those that were rate limited just now come
 * last. The target itself without a pool.
 */
export function keyedTargets(engine: Engine, target: ResolvedTarget): readonly ResolvedTarget[] {
  const { keyCount = 1 } = providerOf(engine, target);
  if (keyCount <= 1) return [target];
  const keyed = withEachKey(engine, target, keyCount);
  const first = engine.registry.provider(target.provider).nextKey % keyCount;
  const inTurn = [...keyed.slice(first), ...keyed.slice(0, first)];
  const state = engine.registry.target(target.id);
  const isAvoided = ({ key }: ResolvedTarget): boolean => state.key(key).rateLimits.isAvoided;
  const avoided = inTurn.filter(isAvoided);
  if (avoided.length === 0) return inTurn;
  return [...inTurn.filter((each) => !isAvoided(each)), ...avoided];
}

/** Makes the next call start with the next key. */
export function rotateKeys(engine: Engine, targets: readonly ResolvedTarget[]): void {
  const pooled = targets.filter(({ key }) => key !== undefined).map(({ provider }) => provider);
  for (const name of new Set(pooled)) engine.registry.provider(name).nextKey += 1;
}

/** The target's name in messages; the key is part of it where there are several. */
export function targetLabel({ id, key }: Pick<ResolvedTarget, 'id' | 'key'>): string {
  return key === undefined ? id : `${id} key ${key + 1}`;
}

/** The number of the key in events and trails, from 1; nothing without a pool. */
export function keyLabel({ key }: { readonly key?: number }): { readonly key?: number } {
  return key === undefined ? {} : { key: key + 1 };
}
