import * as z from 'zod';
import { once } from '../internal/once.ts';
import { own } from '../internal/own.ts';
import { quoted } from '../internal/quoted.ts';
import type { Strategy } from '../protocol/strategy.ts';
import { builtInStrategies } from '../routing/strategy.ts';
import type { Problem } from './problems.ts';

/** Of each code, as far as they are lists of names. */
const looseFallbacks = once(() =>
  z.record(z.string(), z.array(z.string().catch('')).catch([])).catch({}),
);

/** Parses only the names in a configuration, so that they are checked even when its shape is invalid elsewhere. */
const looseRouting = once(() => {
  const names = z.record(z.string(), z.unknown()).catch({});

  const looseTarget = z.preprocess(
    (value) => (typeof value === 'string' ? { target: value } : value),
    z
      .object({ target: z.string().catch(''), providerOptions: names })
      .catch({ target: '', providerOptions: {} }),
  );

  const looseTier = z.preprocess(
    (value) => (Array.isArray(value) ? { targets: value } : value),
    z
      .object({
        targets: z.array(looseTarget).catch([]),
        providerOptions: names,
        fallbacks: looseFallbacks(),
        fallbackTier: z.string().optional().catch(undefined),
        strategy: z.string().optional().catch(undefined),
      })
      .catch({
        targets: [],
        providerOptions: {},
        fallbacks: {},
        fallbackTier: undefined,
        strategy: undefined,
      }),
  );

  return z
    .object({
      tiers: z.record(z.string(), looseTier).catch({}),
      defaults: z
        .object({ providerOptions: names, strategy: z.string().optional().catch(undefined) })
        .catch({ providerOptions: {}, strategy: undefined }),
      providerLimits: names,
      prices: names,
    })
    .catch({
      tiers: {},
      defaults: { providerOptions: {}, strategy: undefined },
      providerLimits: {},
      prices: {},
    });
});

type LooseTiers = z.output<ReturnType<typeof looseRouting>>['tiers'];

/** Splits `provider/model`. */
export function splitTarget(id: string): { readonly provider: string; readonly model: string } {
  const slash = id.indexOf('/');
  return { provider: id.slice(0, slash), model: id.slice(slash + 1) };
}

/** The tiers whose `fallbackTier` chain is a cycle. Visits each tier once, however long the chains are. */
function circularTiers(tiers: LooseTiers): ReadonlySet<string> {
  const circular = new Set<string>();
  const visited = new Set<string>();
  for (const start of Object.keys(tiers)) {
    const chain: string[] = [];
    let next: string | undefined = start;
    while (next !== undefined && !visited.has(next)) {
      visited.add(next);
      chain.push(next);
      next = own(tiers, next)?.fallbackTier;
    }
    const back = next === undefined ? -1 : chain.lastIndexOf(next);
    if (back >= 0) for (const name of chain.slice(back)) circular.add(name);
  }
  return circular;
}

/** What a configuration can name without defining it. */
export type KnownNames = {
  readonly providers: readonly string[];
  /** The user's own. */
  readonly strategies: ReadonlyMap<string, Strategy>;
};

/**
 * Checks what a schema cannot express: names that must exist, and `fallbackTier` chains without cycles. Without `known`,
 * providers and strategies may have any name.
 */
export function crossCheck(routing: unknown, known?: KnownNames): readonly Problem[] {
  const loose = looseRouting().parse(routing);
  const problems: Problem[] = [];
  const configured = new Set(known?.providers);
  const tierNames = Object.keys(loose.tiers);
  const circular = circularTiers(loose.tiers);
  const checkProvider = (name: string, path: readonly PropertyKey[]): void => {
    if (known === undefined || configured.has(name)) return;
    const hint = { name, known: known.providers, otherwise: 'list' } as const;
    problems.push({ path, message: `provider ${quoted(name)} is not configured`, hint });
  };
  const checkAll = (table: object, path: readonly PropertyKey[]): void => {
    for (const name of Object.keys(table)) checkProvider(name, [...path, name]);
  };
  const checkStrategy = (name: string | undefined, path: readonly PropertyKey[]): void => {
    if (name === undefined || known === undefined) return;
    const names = [...Object.keys(builtInStrategies), ...known.strategies.keys()];
    if (names.includes(name)) return;
    const hint = { name, known: names, otherwise: 'list' } as const;
    problems.push({ path, message: `strategy ${quoted(name)} is not defined`, hint });
  };
  checkStrategy(loose.defaults.strategy, ['defaults', 'strategy']);
  for (const [name, tier] of Object.entries(loose.tiers)) {
    checkStrategy(tier.strategy, ['tiers', name, 'strategy']);
    for (const [index, { target, providerOptions }] of tier.targets.entries()) {
      const path = ['tiers', name, 'targets', index];
      if (target.includes('/')) checkProvider(splitTarget(target).provider, path);
      checkAll(providerOptions, [...path, 'providerOptions']);
    }
    for (const [code, names] of Object.entries(tier.fallbacks)) {
      for (const [index, target] of names.entries()) {
        const path = ['tiers', name, 'fallbacks', code, index];
        if (target.includes('/')) checkProvider(splitTarget(target).provider, path);
      }
    }
    checkAll(tier.providerOptions, ['tiers', name, 'providerOptions']);
    const { fallbackTier } = tier;
    const path = ['tiers', name, 'fallbackTier'];
    if (fallbackTier !== undefined && !Object.hasOwn(loose.tiers, fallbackTier)) {
      const hint = { name: fallbackTier, known: tierNames, otherwise: 'list' } as const;
      problems.push({ path, message: `there is no tier ${quoted(fallbackTier)}`, hint });
    } else if (circular.has(name)) {
      problems.push({
        path,
        message: 'fallbackTier must not form a cycle; remove it from one of these tiers',
      });
    }
  }
  checkAll(loose.defaults.providerOptions, ['defaults', 'providerOptions']);
  checkAll(loose.providerLimits, ['providerLimits']);
  for (const target of Object.keys(loose.prices)) {
    if (target.includes('/')) checkProvider(splitTarget(target).provider, ['prices', target]);
    else problems.push({ path: ['prices', target], message: 'must be "<provider>/<model>"' });
  }
  return problems;
}
