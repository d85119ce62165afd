import { type ResolvedConfig, type ResolvedTarget, targetsOf } from '../../config/resolve.ts';
import { closest } from '../../internal/closest.ts';
import { withoutUndefined } from '../../internal/own.ts';
import { quoted } from '../../internal/quoted.ts';
import type { ModelFacts, PriceList } from '../../protocol/description.ts';
import type { Explanation, Snapshot, TargetSnapshot } from '../../protocol/router.ts';
import { prepareAttempt } from '../attempt/attempt-request.ts';
import { plannedFallbacks } from '../chain/fallbacks.ts';
import { loadForPlan, planCall, tiersOf } from '../chain/plan-call.ts';
import { PlanRecord, plannedTokens } from '../chain/plan-record.ts';
import { AttemptPlans } from '../core/attempt-plan.ts';
import {
  type Call,
  contextWindowOf,
  type Engine,
  keyedTargets,
  keyLabel,
  outputLimitOf,
  pricedTarget,
  providerOf,
} from '../core/engine.ts';

/** So long before its retirement `explain` warns of a model: 90 days. */
const retiresSoonMs = 90 * 86_400_000;

/** Loads the price list, if the vendor of a target is in it. Without it, prices and context windows are unknown. */
async function loadPrices(engine: Engine, { config, tier }: Call): Promise<void> {
  const listed = Object.values(tier.fallbacks ?? {}).flat();
  const targets = [...tiersOf(config, tier).flatMap((each) => each.targets), ...listed];
  const isListed = targets.some((each) => providerOf(engine, each).priceList !== undefined);
  if (isListed) await engine.pricing.load()?.catch(() => undefined);
}

/** A model that is not in its vendor's price list: new, or misspelt. */
function modelWarnings(engine: Engine, target: ResolvedTarget): readonly string[] {
  const priced = pricedTarget(engine, target);
  const models = engine.pricing.modelsInstead(priced);
  if (models === undefined) return [];
  const similar = closest(target.model, models);
  const advice =
    similar === undefined
      ? 'its price and context window are unknown'
      : `did you mean ${quoted(similar)}?`;
  return [
    `the model ${quoted(target.model)} is not in the price list of ${priced.priceList}; ${advice}`,
  ];
}

/** ISO 8601; `undefined` when none is known. */
function retirementDateOf(engine: Engine, target: ResolvedTarget): string | undefined {
  return target.retirementDate ?? engine.pricing.retirementDate(pricedTarget(engine, target));
}

/** What is known of a target's model now: more when the price list is loaded. */
export function modelFactsOf(engine: Engine, target: ResolvedTarget): ModelFacts {
  const contextWindow = contextWindowOf(engine, target);
  const outputLimit = outputLimitOf(providerOf(engine, target), target);
  const retirementDate = retirementDateOf(engine, target);
  return {
    ...(contextWindow !== undefined && { contextWindow }),
    ...(outputLimit !== undefined && { outputLimit }),
    ...(retirementDate !== undefined && { retirementDate }),
  };
}

/** The times are those of UTC: vendors do not say at which hour they retire a model. */
function retirementWarnings(engine: Engine, target: ResolvedTarget): readonly string[] {
  const date = retirementDateOf(engine, target);
  if (date === undefined) return [];
  const leftMs = Date.parse(date) - engine.runtime.now();
  if (leftMs > retiresSoonMs) return [];
  const name = `the model ${quoted(target.model)}`;
  return [leftMs > 0 ? `${name} will be retired on ${date}` : `${name} was retired on ${date}`];
}

/**
 * What a call would do, and why. Loads the price list. Nothing is sent and no state changes. Plugins are not applied.
 */
export async function explainCall(engine: Engine, call: Call): Promise<Explanation> {
  await Promise.all([loadPrices(engine, call), loadForPlan(engine, call)]);
  const plans = new AttemptPlans(engine, call);
  const record = new PlanRecord();
  const planned = planCall(engine, call, { plans, record });
  const now = engine.runtime.now();
  const candidates: Explanation['candidates'][number][] = [];
  const skipped: Explanation['skipped'][number][] = [...planned.skipped];
  for (const target of planned.candidates) {
    const label = { target: target.id, ...keyLabel(target) };
    try {
      const { warnings } = prepareAttempt(plans.of(target), []);
      const { recent } = engine.registry.target(target.id);
      const figures = withoutUndefined({
        usd: planned.estimates().usd(target),
        firstTokenMs: recent.firstToken.value(now),
        failureRate: recent.failureRate(now),
      });
      candidates.push({
        ...label,
        ...figures,
        ...record.figuresOf(target, planned),
        warnings: [
          ...modelWarnings(engine, target),
          ...retirementWarnings(engine, target),
          ...warnings.map(({ message }) => message),
        ],
      });
    } catch (error) {
      const reason = error instanceof Error ? error.message : 'it cannot take this request';
      skipped.push({ ...label, reason });
    }
  }
  const { called, rule } = call;
  const { demoted } = planned;
  const fallbacks = plannedFallbacks(engine, call, plans, planned.candidates[0]);
  return {
    tier: called.name,
    ...(rule !== undefined && { rule }),
    strategy: call.tier.strategy.name,
    inputTokens: plannedTokens(call),
    candidates,
    ...(demoted.length > 0 && { demoted }),
    skipped,
    ...(fallbacks !== undefined && { fallbacks }),
  };
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

/** The keys by tags that the target was asked with lately. They are counted, not listed. */
function keysByTags(engine: Engine, { id, provider }: ResolvedTarget) {
  const ofProvider = engine.registry.provider(provider);
  let known = 0;
  let unavailable = 0;
  for (const [fingerprint, { availability }] of engine.registry.target(id).keysByTags()) {
    known += 1;
    const isRejected = ofProvider.peek(fingerprint)?.check() !== undefined;
    if (isRejected || availability.check() !== undefined) unavailable += 1;
  }
  return { known, unavailable };
}

function snapshotOf(engine: Engine, target: ResolvedTarget): TargetSnapshot {
  const { circuit, availability, statistics, unknownNames } = engine.registry.target(target.id);
  const { aborted: _aborted, ...figures } = statistics.snapshot();
  const now = engine.runtime.now();
  const keys = keyedTargets(engine, target).toSorted((a, b) => (a.key ?? 0) - (b.key ?? 0));
  const isPool = keys.some(({ key }) => key !== undefined);
  const whole = keySnapshot(engine, target);
  const { circuit: state } = circuit;
  const weight = engine.registry.demoted.maxWeight(target.id);
  const quality = engine.registry.quality.ofTarget(target.id, now);
  const isOpen = state.state === 'open' && state.until > now;
  return {
    model: modelFactsOf(engine, target),
    // When its time is over, an open circuit lets the next call through as a probe.
    circuit: state.state === 'open' && !isOpen ? 'half-open' : state.state,
    ...(isOpen && { openUntil: state.until }),
    ...(engine.registry.isolated.has(target.id) && { isolated: true }),
    ...(weight !== undefined && { demoted: { weight } }),
    unavailableUntil: { ...upcoming(availability.untils, now), ...whole.unavailableUntil },
    ...(isPool
      ? { keys: keys.map((each) => keySnapshot(engine, each)) }
      : { limits: whole.limits }),
    ...(providerOf(engine, target).keyFor !== undefined && {
      keysByTags: keysByTags(engine, target),
    }),
    ...figures,
    ...(quality !== undefined && { quality }),
    ...(unknownNames.size > 0 && { unknownNames: unknownNames.counts() }),
  };
}

/** The state of every configured target now. */
export function takeSnapshot(
  engine: Engine,
  config: ResolvedConfig,
  ownLists: readonly PriceList[],
  callsInFlight: number,
): Snapshot {
  const tiers = [...config.tiers.values()];
  // A target that a tier lists in `fallbacks` has its limits where another one lists it as a target.
  const all = [...tiers.flatMap(targetsOf), ...tiers.flatMap(({ targets }) => targets)];
  const targets = [...new Map(all.map((target) => [target.id, target])).values()].map(
    (target) => [target.id, snapshotOf(engine, target)] as const,
  );
  return {
    at: engine.runtime.now(),
    targets: Object.fromEntries(targets),
    ...(config.input.pricesDate !== undefined && { pricesDate: config.input.pricesDate }),
    ...(config.budgets.length > 0 && { budgets: engine.budgets.snapshot(config) }),
    priceLists: [...ownLists, ...engine.pricing.lists()],
    retryBudget: engine.retryBudget.tokens(),
    callsInFlight,
  };
}
