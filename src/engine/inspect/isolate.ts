import { demotedWeightOf } from '../../config/check.ts';
import { configError } from '../../config/problems.ts';
import { type ResolvedConfig, targetsOf } from '../../config/resolve.ts';
import { quoted } from '../../internal/quoted.ts';
import type { TargetId } from '../../protocol/call-options.ts';
import type { Demotion, Isolation } from '../../protocol/router.ts';
import type { Engine } from '../core/engine.ts';

/** @throws SignalboxError `config` when no tier lists the target: a misspelled name would change nothing */
function checkTarget(config: ResolvedConfig, target: string, what: string): void {
  const known = [...config.tiers.values()].flatMap((tier) => targetsOf(tier).map(({ id }) => id));
  if (known.includes(target)) return;
  const name = typeof target === 'string' ? target : '';
  const hint = { name, known: [...new Set(known)], otherwise: 'list' } as const;
  const message = `no tier has the target ${quoted(target)}`;
  throw configError([{ path: ['target'], message, hint }], what);
}

/** Takes a target out of service until the handle is restored. @throws SignalboxError `config` for an unknown target */
export function isolateTarget(
  { registry, emitter, runtime }: Engine,
  config: () => ResolvedConfig,
  target: TargetId,
): Isolation {
  checkTarget(config(), target, 'isolation');
  const emit = (type: 'target-isolate' | 'target-restore'): void => {
    const at = Math.round(runtime.now());
    emitter.emit({ type, at, callId: null, tier: null, tags: config().tags, target });
  };
  let isRestored = false;
  function restore(): void {
    if (isRestored) return;
    isRestored = true;
    if (registry.isolated.remove(target)) emit('target-restore');
  }
  if (registry.isolated.add(target)) emit('target-isolate');
  return { target, restore, [Symbol.dispose]: restore };
}

/**
 * Gives a target fewer calls until the handle is restored.
 * @throws SignalboxError `config` for an unknown target, or bad options
 */
export function demoteTarget(
  { registry: { demoted }, emitter, runtime }: Engine,
  config: () => ResolvedConfig,
  target: TargetId,
  options: unknown,
): Demotion {
  checkTarget(config(), target, 'demotion');
  const weight = demotedWeightOf(options);
  const change = (apply: () => void): void => {
    const before = demoted.maxWeight(target);
    apply();
    const after = demoted.maxWeight(target);
    if (after === before) return;
    const at = Math.round(runtime.now());
    const fields = { at, callId: null, tier: null, tags: config().tags, target } as const;
    if (after === undefined) emitter.emit({ type: 'target-demote-end', ...fields });
    else emitter.emit({ type: 'target-demote', ...fields, weight: after });
  };
  let isRestored = false;
  function restore(): void {
    if (isRestored) return;
    isRestored = true;
    change(() => demoted.remove(target, weight));
  }
  change(() => demoted.add(target, weight));
  return { target, restore, [Symbol.dispose]: restore };
}
