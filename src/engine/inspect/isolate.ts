import { configError } from '../../config/problems.ts';
import { type ResolvedConfig, targetsOf } from '../../config/resolve.ts';
import { quoted } from '../../internal/quoted.ts';
import type { TargetId } from '../../protocol/call-options.ts';
import type { Isolation } from '../../protocol/router.ts';
import type { Engine } from '../core/engine.ts';

/** @throws SignalboxError `config` when no tier lists the target: a misspelled name would isolate nothing */
function checkTarget(config: ResolvedConfig, target: string): void {
  const known = [...config.tiers.values()].flatMap((tier) => targetsOf(tier).map(({ id }) => id));
  if (known.includes(target)) return;
  const name = typeof target === 'string' ? target : '';
  const hint = { name, known: [...new Set(known)], otherwise: 'list' } as const;
  const message = `no tier has the target ${quoted(target)}`;
  throw configError([{ path: ['target'], message, hint }], 'isolation');
}

/** Takes a target out of service until the handle is restored. @throws SignalboxError `config` for an unknown target */
export function isolateTarget(
  { registry, emitter, runtime }: Engine,
  config: () => ResolvedConfig,
  target: TargetId,
): Isolation {
  checkTarget(config(), target);
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
