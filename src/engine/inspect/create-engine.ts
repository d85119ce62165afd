import { defaults } from '../../config/defaults.ts';
import { createRetryBudget } from '../../limits/request-budgets.ts';
import { createPricing } from '../../pricing/pricing.ts';
import type { Provider } from '../../protocol/provider.ts';
import type { Runtime } from '../../protocol/runtime.ts';
import type { Store } from '../../protocol/store.ts';
import type { Emitter } from '../../telemetry/emitter.ts';
import { AnsweredCalls } from '../../telemetry/statistics.ts';
import { createLoading } from '../attempt/attempt-request.ts';
import type { Engine } from '../core/engine.ts';
import { createLiveConfigs, TargetRegistry } from '../core/target-registry.ts';
import { createBudgetKeeper } from '../limits/budget-keeper.ts';
import { createLimitKeeper } from '../limits/limit-keeper.ts';

/** What outlives the calls of one router. */
export function createEngine(
  runtime: Runtime,
  providers: ReadonlyMap<string, Provider>,
  emitter: Emitter,
  store?: Store,
): Engine {
  const now = (): number => runtime.now();
  const registry = new TargetRegistry(runtime);
  const limits = createLimitKeeper(runtime, registry);
  const pricing = createPricing({ now });
  return {
    runtime,
    providers,
    registry,
    retryBudget: createRetryBudget(now),
    limits,
    budgets: createBudgetKeeper({ runtime, emitter, pricing }, store),
    configs: createLiveConfigs((names) => {
      limits.prune(names);
      registry.prune(names);
    }),
    pricing,
    answered: new AnsweredCalls(defaults.feedbackCalls, defaults.feedbackMs),
    loading: createLoading(providers),
    emitter,
    keyedTargets: new WeakMap(),
  };
}
