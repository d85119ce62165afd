import type { ResolvedConfig, ResolvedTarget } from '../../config/resolve.ts';
import type { Snapshot, TargetSnapshot } from '../../protocol/router.ts';
import type { Engine } from '../core/engine.ts';
import { heldUnder, keysOf } from '../core/keys.ts';

/** Times that have passed say nothing any more. */
function stillToCome(
  untils: Readonly<Record<string, number>>,
  now: number,
): Record<string, number> {
  return Object.fromEntries(Object.entries(untils).filter(([, until]) => until > now));
}

function snapshotOf(engine: Engine, resolved: ResolvedTarget): TargetSnapshot {
  const { id: target, provider } = resolved;
  const { health, runtime } = engine;
  const { circuit, unavailable } = health.get(target);
  const untils = { ...unavailable, ...health.get(provider).unavailable };
  const { aborted: _aborted, ...statistics } = engine.statistics(target).snapshot();
  const now = runtime.now();
  const keys = keysOf(engine, resolved)
    ?.toSorted((a, b) => a - b)
    .map((key) => ({ ...resolved, key }))
    .map((pooled) => ({ pooled, held: heldUnder(pooled) }))
    .map(({ pooled, held }) => ({
      unavailableUntil: stillToCome(
        { ...health.get(held.target).unavailable, ...health.get(held.provider).unavailable },
        now,
      ),
      limits: engine.limits.snapshot(pooled),
    }));
  const isOpen = circuit.state === 'open' && circuit.until > now;
  return {
    // Its time over, an open circuit lets the next call through as a probe.
    circuit: circuit.state === 'open' && !isOpen ? 'half-open' : circuit.state,
    ...(isOpen && { openUntil: circuit.until }),
    unavailableUntil: stillToCome(untils, now),
    ...(keys === undefined ? { limits: engine.limits.snapshot(resolved) } : { keys }),
    ...statistics,
  };
}

/** The state of every configured target now. */
export function takeSnapshot(
  engine: Engine,
  config: ResolvedConfig,
  callsInFlight: number,
): Snapshot {
  const targets = [...config.tiers.values()]
    .flatMap((tier) => tier.targets)
    .map((target) => [target.id, snapshotOf(engine, target)] as const);
  return {
    at: engine.runtime.now(),
    targets: Object.fromEntries(targets),
    retryBudget: engine.retryBudget.tokens(),
    callsInFlight,
  };
}
