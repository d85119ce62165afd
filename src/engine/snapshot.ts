import type { ResolvedConfig } from '../config/resolve.ts';
import type { Snapshot, TargetSnapshot } from '../protocol/router.ts';
import type { Engine } from './engine.ts';

/** Times that have passed say nothing any more. */
function stillToCome(
  untils: Readonly<Record<string, number>>,
  now: number,
): Record<string, number> {
  return Object.fromEntries(Object.entries(untils).filter(([, until]) => until > now));
}

function snapshotOf(engine: Engine, target: string, provider: string): TargetSnapshot {
  const { health, runtime } = engine;
  const { circuit, unavailable } = health.get(target);
  const untils = { ...unavailable, ...health.get(provider).unavailable };
  const { aborted: _aborted, ...statistics } = engine.statistics(target).snapshot();
  return {
    circuit: circuit.state,
    ...(circuit.state === 'open' && { openUntil: circuit.until }),
    unavailableUntil: stillToCome(untils, runtime.now()),
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
    .map(({ id, provider }) => [id, snapshotOf(engine, id, provider)] as const);
  return {
    at: engine.runtime.now(),
    targets: Object.fromEntries(targets),
    retryBudget: engine.retryBudget.tokens(),
    callsInFlight,
  };
}
