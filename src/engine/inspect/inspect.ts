import { type ResolvedConfig, type ResolvedTarget, targetsOf } from '../../config/resolve.ts';
import type { Explanation, Snapshot, TargetSnapshot } from '../../protocol/router.ts';
import { prepareAttempt } from '../attempt/attempt-request.ts';
import { planCall } from '../chain/plan-call.ts';
import { AttemptPlans } from '../core/attempt-plan.ts';
import { type Call, type Engine, keyedTargets, keyLabel } from '../core/engine.ts';

/** What a call would do, and why. Nothing is sent and no state changes. Plugins are not applied. */
export function explainCall(engine: Engine, call: Call): Explanation {
  const plans = new AttemptPlans(engine, call);
  const planned = planCall(engine, call, undefined, plans);
  const candidates: Explanation['candidates'][number][] = [];
  const skipped: Explanation['skipped'][number][] = [...planned.skipped];
  for (const target of planned.candidates) {
    const label = { target: target.id, ...keyLabel(target) };
    try {
      const { warnings } = prepareAttempt(plans.of(target), []);
      candidates.push({ ...label, warnings: warnings.map(({ message }) => message) });
    } catch (error) {
      const reason = error instanceof Error ? error.message : 'it cannot take this request';
      skipped.push({ ...label, reason });
    }
  }
  const { called, rule } = call;
  return { tier: called.name, ...(rule !== undefined && { rule }), candidates, skipped };
}

/** The times that are still to come. */
function upcoming(untils: Readonly<Record<string, number>>, now: number): Record<string, number> {
  return Object.fromEntries(Object.entries(untils).filter(([, until]) => until > now));
}

function keySnapshot(engine: Engine, target: ResolvedTarget) {
  const { registry, runtime } = engine;
  const ofTarget = registry.target(target.id).key(target.key).availability.untils;
  const ofProvider = registry.provider(target.provider).key(target.key).untils;
  return {
    unavailableUntil: upcoming({ ...ofTarget, ...ofProvider }, runtime.now()),
    limits: engine.limits.snapshot(target),
  };
}

function snapshotOf(engine: Engine, target: ResolvedTarget): TargetSnapshot {
  const { circuit, availability, statistics, unknownNames } = engine.registry.target(target.id);
  const { aborted: _aborted, ...figures } = statistics.snapshot();
  const now = engine.runtime.now();
  const keys = keyedTargets(engine, target).toSorted((a, b) => (a.key ?? 0) - (b.key ?? 0));
  const isPool = keys.some(({ key }) => key !== undefined);
  const whole = keySnapshot(engine, target);
  const { circuit: state } = circuit;
  const isOpen = state.state === 'open' && state.until > now;
  return {
    // When its time is over, an open circuit lets the next call through as a probe.
    circuit: state.state === 'open' && !isOpen ? 'half-open' : state.state,
    ...(isOpen && { openUntil: state.until }),
    unavailableUntil: { ...upcoming(availability.untils, now), ...whole.unavailableUntil },
    ...(isPool
      ? { keys: keys.map((each) => keySnapshot(engine, each)) }
      : { limits: whole.limits }),
    ...figures,
    ...(unknownNames.size > 0 && { unknownNames: unknownNames.counts() }),
  };
}

/** The state of every configured target now. */
export function takeSnapshot(
  engine: Engine,
  config: ResolvedConfig,
  callsInFlight: number,
): Snapshot {
  const targets = [...config.tiers.values()]
    .flatMap(targetsOf)
    .map((target) => [target.id, snapshotOf(engine, target)] as const);
  return {
    at: engine.runtime.now(),
    targets: Object.fromEntries(targets),
    retryBudget: engine.retryBudget.tokens(),
    callsInFlight,
  };
}
