import { dataFlaws } from '../internal/caller-data.ts';
import type { FollowOptions } from '../protocol/config-source.ts';
import type { Compliance } from '../protocol/requires.ts';
import { complianceOf } from '../routing/requirements.ts';
import { splitTarget } from './cross-check.ts';
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

/** A target where a document lists it, and what the document declares of it. */
type Listed = {
  readonly path: readonly PropertyKey[];
  readonly id: string;
  readonly compliance: Compliance;
};

function listedAt(path: readonly PropertyKey[], targets: unknown): readonly Listed[] {
  if (!Array.isArray(targets)) return [];
  return targets.flatMap((target: unknown, index): readonly Listed[] => {
    const id = typeof target === 'string' ? target : ownOf(target, 'target');
    if (typeof id !== 'string') return [];
    const compliance: Compliance = objectOf(ownOf(target, 'compliance'));
    return [{ path: [...path, index], id, compliance }];
  });
}

function targetsOfTiers(document: unknown): readonly Listed[] {
  return Object.entries(objectOf(ownOf(document, 'tiers'))).flatMap(([name, tier]) =>
    Array.isArray(tier)
      ? listedAt(['tiers', name], tier)
      : listedAt(['tiers', name, 'targets'], ownOf(tier, 'targets')),
  );
}

/** Those of tiers and rules. A rule that only names a target takes over what a tier declares of it. */
function targetsOf(document: unknown): readonly Listed[] {
  const ofTiers = targetsOfTiers(document);
  const known = new Set(ofTiers.map(({ id }) => id));
  const rules = ownOf(document, 'rules');
  const ofRules = (Array.isArray(rules) ? rules : []).flatMap((rule: unknown, index) =>
    listedAt(['rules', index, 'use'], ownOf(rule, 'use')),
  );
  const declares = ({ id, compliance }: Listed): boolean =>
    Object.keys(compliance).length > 0 || !known.has(id);
  return [...ofTiers, ...ofRules.filter(declares)];
}

/** What is declared of a provider in code. */
type ProviderCompliance = (provider: string) => Compliance | undefined;

/**
 * What a document declares of targets that did not hold of them before: for a target of the first configuration, what that
 * declared, and for a new one, what its provider declares.
 */
function newDeclarations(
  first: unknown,
  next: unknown,
  ofProvider: ProviderCompliance,
): readonly Problem[] {
  const effective = ({ id, compliance }: Listed): Compliance =>
    complianceOf(ofProvider(splitTarget(id).provider), compliance);
  const before = Map.groupBy(targetsOf(first), ({ id }) => id);
  return targetsOf(next).flatMap((listed): readonly Problem[] => {
    const held = before.get(listed.id)?.map(effective) ?? [
      ofProvider(splitTarget(listed.id).provider) ?? {},
    ];
    const now = effective(listed);
    return (['region', 'zeroRetention', 'noTraining'] as const)
      .filter((name) => now[name] !== undefined && now[name] !== false)
      .filter((name) => !held.some((each) => each[name] === now[name]))
      .map((name) => ({
        path: [...listed.path, 'compliance', name],
        message:
          'a followed document must not declare more of a target; set allowLoosening to permit it',
      }));
  });
}

/**
 * What a document must not do to a running router. `first` is the routing data that the router was made with. What makes
 * it invalid in itself is checked elsewhere.
 */
export function followedProblems(
  first: unknown,
  next: unknown,
  { allowRemoval = false, allowLoosening = false }: FollowOptions,
  ofProvider: ProviderCompliance,
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
  if (!allowLoosening) problems.push(...newDeclarations(first, next, ofProvider));
  return problems;
}
