import { dataFlaws } from '../internal/caller-data.ts';
import type { FollowOptions } from '../protocol/config-source.ts';
import type { Problem } from './problems.ts';

/** 1 MB: thousands of targets, and parsed in well under a second. */
const maxDocumentLength = 1_000_000;

type Data = Readonly<Record<string, unknown>>;

function objectOf(value: unknown): Data {
  return typeof value === 'object' && value !== null ? (value as Data) : {};
}

function ownOf(table: unknown, name: string): unknown {
  const object = objectOf(table);
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** What a tier of the document requires, with the defaults. */
function requirementsOf(document: unknown, tier: string): Data {
  return {
    ...objectOf(ownOf(ownOf(document, 'defaults'), 'requires')),
    ...objectOf(ownOf(ownOf(ownOf(document, 'tiers'), tier), 'requires')),
  };
}

/** Whether a requirement is at least as strict as before: a lower maximum, a higher minimum, a shorter list. */
function isAsStrict(name: string, before: unknown, after: unknown): boolean {
  if (before === undefined || before === false || before === after) return true;
  if (typeof before === 'number' && typeof after === 'number') {
    return name.startsWith('min') ? after >= before : after <= before;
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    return after.every((each) => before.includes(each));
  }
  return false;
}

/** The requirements of a tier that a document weakens or omits. */
function looserRequirements(first: unknown, next: unknown, tier: string): readonly Problem[] {
  const after = requirementsOf(next, tier);
  return Object.entries(requirementsOf(first, tier))
    .filter(([name, before]) => !isAsStrict(name, before, ownOf(after, name)))
    .map(([name]) => ({
      path: ['tiers', tier, 'requires', name],
      message: 'a followed document must not loosen this; set allowLoosening to permit it',
    }));
}

/**
 * What a document must not do to a running router. `first` is the routing data that the router was made with. What makes
 * it invalid in itself is checked elsewhere.
 */
export function followedProblems(
  first: unknown,
  next: unknown,
  { allowRemoval = false, allowLoosening = false }: FollowOptions,
): readonly Problem[] {
  if (dataFlaws(next).some(({ kind }) => kind !== 'name')) return [];
  const problems: Problem[] = [];
  const length = JSON.stringify(next)?.length ?? 0;
  if (length > maxDocumentLength) {
    problems.push({ path: [], message: `has more than ${maxDocumentLength} characters as JSON` });
  }
  const nextTiers = ownOf(next, 'tiers');
  if (typeof nextTiers !== 'object' || nextTiers === null) return problems;
  for (const tier of Object.keys(objectOf(ownOf(first, 'tiers')))) {
    if (Object.hasOwn(nextTiers, tier)) {
      if (!allowLoosening) problems.push(...looserRequirements(first, next, tier));
    } else if (!allowRemoval) {
      const message =
        'a followed document must not remove this tier; set allowRemoval to permit it';
      problems.push({ path: ['tiers', tier], message });
    }
  }
  return problems;
}
