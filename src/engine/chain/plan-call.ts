import type { ResolvedConfig, ResolvedTarget, ResolvedTier } from '../../config/resolve.ts';
import { SignalboxError } from '../../errors.ts';
import { quoted } from '../../internal/quoted.ts';
import type { Capability, Provider } from '../../protocol/provider.ts';
import type { Knowledge, Unavailable } from '../../routing/candidate.ts';
import { type Plan, plan } from '../../routing/plan.ts';
import { type Call, type Engine, pricedTarget, providerOf } from '../core/engine.ts';
import { keysOf } from '../core/keys.ts';

/** What the router knows of its targets, for the plan. */
function knowledgeOf(engine: Engine, call: Call): Knowledge {
  return {
    capabilities: (target) => capabilitiesOf(providerOf(engine, target), target.model),
    contextWindow: (target) => windowOf(engine, target),
    keys: (target) => keysOf(engine, target),
    unavailable: (target) => unavailability(engine, call, target),
    listPrice: (target) => {
      const price = engine.pricing.standardPrice(pricedTarget(engine, target));
      return price && price.input + price.output;
    },
  };
}

/** Why the target may not be asked now, or would have to wait. */
export function unavailability(
  engine: Engine,
  call: Call,
  target: ResolvedTarget,
): Unavailable | undefined {
  const refusal = engine.health.check(target.id, target.provider, target.key);
  return refusal ?? engine.limits.busy(call, target);
}

/** @throws SignalboxError `config` when the provider, which may be the caller's own, returns something else. */
function statedBy(provider: Provider, model: string): Iterable<Capability> {
  let stated: unknown;
  let cause: unknown;
  try {
    stated = provider.capabilities(model);
  } catch (error) {
    cause = error;
  }
  if (typeof stated === 'object' && stated !== null && Symbol.iterator in stated) {
    return stated as Iterable<Capability>;
  }
  const message = `capabilities(${quoted(model)}) of a provider with the wire ${quoted(provider.wire)} must return a list or a Set`;
  throw new SignalboxError('config', message, { cause });
}

/** What the provider says of the model, and what it can be asked for at all. */
function capabilitiesOf(provider: Provider, model: string): ReadonlySet<Capability> {
  const capabilities = new Set(statedBy(provider, model));
  if (provider.prepareEmbedding !== undefined) capabilities.add('embeddings');
  if (provider.prepareImage !== undefined) capabilities.add('image-output');
  return capabilities;
}

/** Tokens; `undefined` when nobody knows. */
export function windowOf(engine: Engine, target: ResolvedTarget): number | undefined {
  return target.contextWindow ?? engine.pricing.contextWindow(pricedTarget(engine, target));
}

/** A tier and those it falls back to. The configuration is checked for circles. */
export function tiersOf(config: ResolvedConfig, first: ResolvedTier): readonly ResolvedTier[] {
  const tiers = [first];
  let next = first.fallbackTier;
  while (next !== undefined) {
    const tier = config.tiers.get(next);
    if (tier === undefined) break;
    tiers.push(tier);
    next = tier.fallbackTier;
  }
  return tiers;
}

/** Whom this call would ask, and why not the others. */
export function planCall(engine: Engine, call: Call): Plan {
  const { route } = call.options;
  const { whenAllOpen } = call.tier;
  const { needs, familyOf } = call.task;
  const options = { route, whenAllOpen, ...(familyOf !== undefined && { familyOf }) };
  return plan(tiersOf(call.config, call.tier), needs, options, knowledgeOf(engine, call));
}
