import { createHealth } from '../../health/health.ts';
import { createHedgeBudget, type HedgeBudget } from '../../limits/hedge-budget.ts';
import { createRetryBudget } from '../../limits/retry-budget.ts';
import { createPricing } from '../../pricing/pricing.ts';
import type { Provider } from '../../protocol/provider.ts';
import type { Runtime } from '../../protocol/runtime.ts';
import type { Emitter } from '../../telemetry/emitter.ts';
import { createStatistics, type Statistics } from '../../telemetry/statistics.ts';
import type { Engine } from '../core/engine.ts';
import { createLiveConfigs } from '../core/live-configs.ts';
import { createLoading } from '../core/loading.ts';
import { createLimitKeeper } from '../limits/limit-keeper.ts';

/** What outlives the calls of one router. */
export function createEngine(
  runtime: Runtime,
  providers: ReadonlyMap<string, Provider>,
  emitter: Emitter,
): Engine {
  const now = (): number => runtime.now();
  const statistics = new Map<string, Statistics>();
  const hedges = new Map<string, HedgeBudget>();
  const health = createHealth(now, () => runtime.random());
  const limits = createLimitKeeper(runtime, health);
  const configs = createLiveConfigs((names) => {
    const { tiers, targets } = names;
    limits.prune(names);
    health.prune((name) => targets.has(name) || providers.has(name));
    for (const target of statistics.keys()) if (!targets.has(target)) statistics.delete(target);
    for (const tier of hedges.keys()) if (!tiers.has(tier)) hedges.delete(tier);
  });
  return {
    runtime,
    providers,
    emitter,
    health,
    retryBudget: createRetryBudget(now),
    limits,
    configs,
    pricing: createPricing({ now }),
    loading: createLoading(providers),
    keyTurns: new Map(),
    hedges(tier) {
      const known = hedges.get(tier) ?? createHedgeBudget();
      hedges.set(tier, known);
      return known;
    },
    statistics(target) {
      const known = statistics.get(target) ?? createStatistics();
      statistics.set(target, known);
      return known;
    },
  };
}
