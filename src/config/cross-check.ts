import * as z from 'zod';
import { once } from '../internal/once.ts';
import { didYouMean, type Problem } from './problems.ts';

/** Only the names in a configuration, so that they are checked even when its shape is wrong elsewhere. */
const looseRouting = once(() => {
  const names = z.record(z.string(), z.unknown()).catch({});

  // Only the names, whatever else may be wrong.
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
        fallbackTier: z.string().optional().catch(undefined),
      })
      .catch({ targets: [], providerOptions: {}, fallbackTier: undefined }),
  );

  return z
    .object({
      tiers: z.record(z.string(), looseTier).catch({}),
      defaults: z.object({ providerOptions: names }).catch({ providerOptions: {} }),
      providerLimits: names,
      prices: names,
    })
    .catch({ tiers: {}, defaults: { providerOptions: {} }, providerLimits: {}, prices: {} });
});

type LooseTiers = z.output<ReturnType<typeof looseRouting>>['tiers'];

/** The two halves of `provider/model`. */
export function splitTarget(id: string): { readonly provider: string; readonly model: string } {
  const slash = id.indexOf('/');
  return { provider: id.slice(0, slash), model: id.slice(slash + 1) };
}

function leadsBackTo(start: string, tiers: LooseTiers): boolean {
  const seen = new Set<string>();
  let next = tiers[start]?.fallbackTier;
  while (next !== undefined && !seen.has(next)) {
    if (next === start) return true;
    seen.add(next);
    next = tiers[next]?.fallbackTier;
  }
  return false;
}

function fallbackProblem(name: string, tiers: LooseTiers): string | undefined {
  const fallbackTier = tiers[name]?.fallbackTier;
  if (fallbackTier === undefined) return undefined;
  if (!Object.hasOwn(tiers, fallbackTier)) {
    return `there is no tier "${fallbackTier}"${didYouMean(fallbackTier, Object.keys(tiers))}`;
  }
  if (leadsBackTo(name, tiers))
    return 'the fallback tiers lead in a circle; end the chain somewhere';
  return undefined;
}

/** What no schema can say: names that must exist, and chains that must end. */
export function crossCheck(routing: unknown, providers: readonly string[]): readonly Problem[] {
  const loose = looseRouting().parse(routing);
  const problems: Problem[] = [];
  const checkProvider = (name: string, path: readonly PropertyKey[]): void => {
    if (providers.includes(name)) return;
    const message = `provider "${name}" is not configured${didYouMean(name, providers)}`;
    problems.push({ path, message });
  };
  const checkAll = (table: object, path: readonly PropertyKey[]): void => {
    for (const name of Object.keys(table)) checkProvider(name, [...path, name]);
  };
  for (const [name, tier] of Object.entries(loose.tiers)) {
    for (const [index, { target, providerOptions }] of tier.targets.entries()) {
      const path = ['tiers', name, 'targets', index];
      if (target.includes('/')) checkProvider(splitTarget(target).provider, path);
      checkAll(providerOptions, [...path, 'providerOptions']);
    }
    checkAll(tier.providerOptions, ['tiers', name, 'providerOptions']);
    const message = fallbackProblem(name, loose.tiers);
    if (message !== undefined) problems.push({ path: ['tiers', name, 'fallbackTier'], message });
  }
  checkAll(loose.defaults.providerOptions, ['defaults', 'providerOptions']);
  checkAll(loose.providerLimits, ['providerLimits']);
  for (const target of Object.keys(loose.prices)) {
    if (target.includes('/')) checkProvider(splitTarget(target).provider, ['prices', target]);
    else problems.push({ path: ['prices', target], message: 'must be "<provider>/<model>"' });
  }
  return problems;
}
