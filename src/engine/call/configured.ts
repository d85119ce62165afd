import {
  type ResolvedConfig,
  type ResolvedTarget,
  type ResolvedTier,
  targetsOf,
} from '../../config/resolve.ts';
import type { PluginCall } from '../../protocol/plugin.ts';
import { tiersOf } from '../chain/plan-call.ts';
import { type Call, type Engine, providerOf } from '../core/engine.ts';

/** Identities of what cannot be compared by value. */
export function createIdentities(): (value: object) => string {
  const known = new WeakMap<object, string>();
  let count = 0;
  return (value) => {
    const identity = known.get(value) ?? `#${++count}`;
    known.set(value, identity);
    return identity;
  };
}

/** Of routers, because a plugin may be used in several. Their providers are theirs, whatever the names. */
const routerOf = createIdentities();

const texts = new WeakMap<ResolvedTier, string>();

/** Prices, limits and load do not change what a target answers. */
function answering({ price: _, limits: _limits, weight: _weight, ...target }: ResolvedTarget) {
  return target;
}

/** What a tier asks of which targets, and what it accepts, as text. How often and how fast is not part of it. */
function textOf({ input }: ResolvedConfig, tier: ResolvedTier): string {
  let text = texts.get(tier);
  if (text === undefined) {
    const {
      timeouts: _timeouts,
      retry: _retry,
      hedge: _hedge,
      circuit: _circuit,
      limits: _limits,
      maxAttempts: _maxAttempts,
      singleFlight: _singleFlight,
      slowMs: _slowMs,
      minTokensPerSecond: _minTokensPerSecond,
      whenAllOpen: _whenAllOpen,
      byRule: _byRule,
      validators: _compiled,
      strategy: { name: strategy, settings },
      targets,
      fallbacks = {},
      ...rest
    } = tier;
    const byCode = Object.entries(fallbacks).map(([code, of]) => [code, of.map(answering)]);
    const validators = input.tiers[tier.name]?.validators ?? input.defaults?.validators;
    const all = targets.map(answering);
    text = JSON.stringify([rest, strategy, settings, validators, all, byCode]);
    texts.set(tier, text);
  }
  return text;
}

/** Whether the key of a target depends on the call's tags: a customer's answer is not paid with another's key. */
export function hasKeysByTags(engine: Engine, { config, tier }: Call): boolean {
  return tiersOf(config, tier)
    .flatMap(targetsOf)
    .some((target) => providerOf(engine, target).keyFor !== undefined);
}

/** What the configuration decides of a call's answer. `exclusion` is why a plugin excludes a target. */
export function configuredFor(
  engine: Engine,
  call: Call,
  exclusion: (target: ResolvedTarget) => string | undefined,
): PluginCall['configured'] {
  const { config, called, tier, rule, requires } = call;
  const chain = tiersOf(config, tier);
  const targets = chain.flatMap(targetsOf);
  const excluded = targets.filter((target) => exclusion(target) !== undefined);
  return {
    key: JSON.stringify([
      routerOf(engine.providers),
      called.name,
      rule,
      requires,
      chain.map((each) => textOf(config, each)),
      excluded.map(({ id }) => id),
      hasKeysByTags(engine, call) ? call.tags : null,
    ]),
    targets: targets.map(({ id: target, options }) => ({ target, options })),
  };
}
