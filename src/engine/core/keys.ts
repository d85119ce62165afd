import type { ResolvedTarget } from '../../config/resolve.ts';
import { keySuffix } from '../../health/health.ts';
import type { ErrorCode } from '../../protocol/error-code.ts';
import { type Engine, providerOf } from './engine.ts';

/** Failures that speak of the key: with another one the same target may answer. */
const keyFailures: readonly ErrorCode[] = ['rate_limited', 'quota_exhausted', 'auth', 'permission'];

export function isKeyFailure(code: ErrorCode): boolean {
  return keyFailures.includes(code);
}

/**
 * The keys of the target's pool, the one whose turn it is first, and last those that have just refused; `undefined`
 * without a pool.
 */
export function keysOf(engine: Engine, target: ResolvedTarget): readonly number[] | undefined {
  const { keyCount = 1 } = providerOf(engine, target);
  if (keyCount <= 1) return undefined;
  const first = engine.keyTurns.get(target.provider) ?? 0;
  const keys = Array.from({ length: keyCount }, (_, index) => (first + index) % keyCount);
  const { refusals } = engine.health;
  const isAvoided = (key: number): boolean => refusals.isAvoided(target.id + keySuffix(key));
  const avoided = keys.filter(isAvoided);
  if (avoided.length === 0) return keys;
  return [...keys.filter((key) => !isAvoided(key)), ...avoided];
}

/** Lets the next call begin with the next key. */
export function turnKeys(engine: Engine, targets: readonly ResolvedTarget[]): void {
  const pooled = targets.filter(({ key }) => key !== undefined).map(({ provider }) => provider);
  for (const provider of new Set(pooled)) {
    engine.keyTurns.set(provider, (engine.keyTurns.get(provider) ?? 0) + 1);
  }
}

/** What the health of a target's key, and of the key at all its provider's targets, is kept under. */
export function heldUnder(target: ResolvedTarget): {
  readonly target: string;
  readonly provider: string;
} {
  const suffix = target.key === undefined ? '' : keySuffix(target.key);
  return { target: target.id + suffix, provider: target.provider + suffix };
}

/** The number of the key as people count, where there is a choice. */
export function toldKey({ key }: { readonly key?: number }): { readonly key?: number } {
  return key === undefined ? {} : { key: key + 1 };
}
