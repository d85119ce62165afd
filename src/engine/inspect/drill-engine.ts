import { type Health, withoutKeySuffix } from '../../health/health.ts';
import type { RouterEvent } from '../../protocol/events.ts';
import { drilledReason } from '../core/drill-words.ts';
import type { Drilling, Engine, LimitKeeper, Place } from '../core/engine.ts';
import { createEngine } from './create-engine.ts';

/**
 * The health that drilled calls see: of failing targets one of their own, which the drill's faults may ruin; of
 * all others the real one, to which their requests are requests like any.
 */
function healthUnder(real: Health, own: Health, targets: ReadonlySet<string>): Health {
  const of = (target: string): Health => (targets.has(target) ? own : real);
  const heldFor = (name: string): Health => of(withoutKeySuffix(name));
  return {
    check(target, provider, key) {
      const refusal = of(target).check(target, provider, key);
      if (!targets.has(target)) return refusal;
      if (refusal === undefined) return real.check(target, provider, key);
      return { ...refusal, reason: drilledReason(refusal.reason) };
    },
    enter: (target, policy) => of(target).enter(target, policy),
    withhold: (name, kind, until) => heldFor(name).withhold(name, kind, until),
    restore: (target, provider, key) => of(target).restore(target, provider, key),
    get: (name) => heldFor(name).get(name),
    prune: (isNamed) => own.prune(isNamed),
    refusals: {
      sent: (name) => heldFor(name).refusals.sent(name),
      refused: (name, refusal, usual) => heldFor(name).refusals.refused(name, refusal, usual),
      answered: (name, attempt) => heldFor(name).refusals.answered(name, attempt),
      avoid: (name, until) => heldFor(name).refusals.avoid(name, until),
      isAvoided: (name) => heldFor(name).refusals.isAvoided(name),
      prune: (isNamed) => own.refusals.prune(isNamed),
    },
  };
}

/** The real limits, which learn nothing from failures that were made up. */
function limitsUnder(limits: LimitKeeper, targets: ReadonlySet<string>): LimitKeeper {
  const untaught = (place: Place): Place => ({
    told: (told) => place.told(told),
    begun: () => place.begun(),
    leave: (departure) => place.leave({ ...departure, outcome: 'other' }),
  });
  return {
    ...limits,
    enter(call, scope, target) {
      const place = limits.enter(call, scope, target);
      if (!targets.has(target.id)) return place;
      return place instanceof Promise ? place.then(untaught) : untaught(place);
    },
  };
}

/**
 * The engine that drilled calls run on: the same code over the same adapters, with a health, a retry budget and
 * statistics of its own where the drill's faults would spoil those of the router. Its events say whose they are.
 */
export function engineUnder(engine: Engine, drill: string, drilling: Drilling): Engine {
  const { emitter, health } = engine;
  const own = createEngine(engine.runtime, engine.providers, emitter);
  return {
    ...engine,
    health: healthUnder(health, own.health, drilling.targets),
    limits: limitsUnder(engine.limits, drilling.targets),
    retryBudget: own.retryBudget,
    hedges: own.hedges,
    statistics: (target) => (drilling.targets.has(target) ? own : engine).statistics(target),
    emitter: {
      ...emitter,
      emit: (event) => emitter.emit({ ...event, drill } as RouterEvent),
    },
    drill: drilling,
  };
}
