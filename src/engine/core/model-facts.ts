import type { ResolvedTarget } from '../../config/resolve.ts';
import { SignalboxError } from '../../errors.ts';
import { quoted } from '../../internal/quoted.ts';
import type { Capability, Provider } from '../../protocol/provider.ts';
import type { ModelFacts } from '../../protocol/router.ts';
import { type Engine, pricedTarget, providerOf } from './engine.ts';

/** @throws SignalboxError `config` when the provider, which may be the user's own, returns something else */
function listedBy(provider: Provider, model: string): Iterable<Capability> {
  let listed: unknown;
  let cause: unknown;
  try {
    listed = provider.capabilities(model);
  } catch (error) {
    cause = error;
  }
  if (typeof listed === 'object' && listed !== null && Symbol.iterator in listed) {
    return listed as Iterable<Capability>;
  }
  const message = `capabilities(${quoted(model)}) of a provider with the wire ${quoted(provider.wire)} must return a list or a Set`;
  throw new SignalboxError('config', message, { cause });
}

/** What was configured of the model, otherwise what the provider lists for it; and the tasks that the provider implements. */
export function capabilitiesOf(
  provider: Provider,
  target: ResolvedTarget,
): ReadonlySet<Capability> {
  const capabilities = new Set(target.capabilities ?? listedBy(provider, target.model));
  if (provider.prepareEmbedding !== undefined) capabilities.add('embeddings');
  if (provider.prepareImage !== undefined) capabilities.add('image-output');
  return capabilities;
}

/** Tokens; `undefined` when unknown. */
export function contextWindowOf(engine: Engine, target: ResolvedTarget): number | undefined {
  return target.contextWindow ?? engine.pricing.contextWindow(pricedTarget(engine, target));
}

/** Most tokens of an answer; `undefined` when unknown. */
export function outputLimitOf(provider: Provider, target: ResolvedTarget): number | undefined {
  return target.outputLimit ?? provider.outputLimit?.(target.model);
}

/** ISO 8601; `undefined` when none is known. */
export function retirementDateOf(engine: Engine, target: ResolvedTarget): string | undefined {
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
