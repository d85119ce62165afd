import { quoted } from '../internal/quoted.ts';
import { implies } from '../routing/rules.ts';
import { splitTarget } from './cross-check.ts';
import { compilePattern } from './pattern.ts';
import type { Problem } from './problems.ts';
import { maxRules, type RuleInput, ruleSchema } from './schema.ts';

type Known = { readonly providers: readonly string[]; readonly tiers: readonly string[] };

function unknownTier(name: string, path: readonly PropertyKey[], { tiers }: Known): Problem {
  const hint = { name, known: tiers, otherwise: 'list' } as const;
  const advice = name.includes('/') ? '; write a target as a list' : '';
  return { path, message: `there is no tier ${quoted(name)}${advice}`, hint };
}

function unknownProvider(
  name: string,
  path: readonly PropertyKey[],
  { providers }: Known,
): readonly Problem[] {
  if (providers.includes(name)) return [];
  const hint = { name, known: providers, otherwise: 'list' } as const;
  return [{ path, message: `provider ${quoted(name)} is not configured`, hint }];
}

/** Names that the rule uses, and that are not configured. */
function nameProblems({ when, use }: RuleInput, index: number, known: Known): readonly Problem[] {
  const problems: Problem[] = [];
  for (const [at, name] of (when.tiers ?? []).entries()) {
    const path = ['rules', index, 'when', 'tiers', at];
    if (!known.tiers.includes(name)) problems.push(unknownTier(name, path, known));
  }
  if (typeof use === 'string') {
    const path = ['rules', index, 'use'];
    if (!known.tiers.includes(use)) problems.push(unknownTier(use, path, known));
    return problems;
  }
  for (const [at, { target, providerOptions = {} }] of use.entries()) {
    const path = ['rules', index, 'use', at];
    problems.push(...unknownProvider(splitTarget(target).provider, path, known));
    for (const name of Object.keys(providerOptions)) {
      problems.push(...unknownProvider(name, [...path, 'providerOptions', name], known));
    }
  }
  return problems;
}

function patternProblems({ when }: RuleInput, index: number): readonly Problem[] {
  const { problem } = when.matches === undefined ? {} : compilePattern(when.matches);
  return problem === undefined
    ? []
    : [{ path: ['rules', index, 'when', 'matches'], message: problem }];
}

/** The names of tiers, whatever else the data is. */
function tierNames(routing: object): readonly string[] {
  const tiers: unknown = Reflect.get(routing, 'tiers');
  return typeof tiers === 'object' && tiers !== null ? Object.keys(tiers) : [];
}

/**
 * What the schema cannot express about the rules of a configuration: names, patterns, and rules that no call reaches. Rules
 * of another shape are left to the schema.
 */
export function ruleProblems(routing: unknown, providers: readonly string[]): readonly Problem[] {
  if (typeof routing !== 'object' || routing === null) return [];
  const rules: unknown = Reflect.get(routing, 'rules');
  if (!Array.isArray(rules)) return [];
  const known = { providers, tiers: tierNames(routing) };
  const problems: Problem[] = [];
  const earlier: RuleInput[] = [];
  for (const [index, each] of rules.slice(0, maxRules).entries()) {
    const rule = ruleSchema.safeParse(each).data;
    if (rule === undefined) continue;
    problems.push(...nameProblems(rule, index, known), ...patternProblems(rule, index));
    if (earlier.some(({ name }) => name === rule.name)) {
      const message = `${quoted(rule.name)} is taken: names of rules must be unique`;
      problems.push({ path: ['rules', index, 'name'], message });
    }
    const first = earlier.find(({ when }) => implies(rule.when, when, known.tiers));
    if (first !== undefined) {
      const message = `no call reaches the rule, because ${quoted(first.name)} matches all of its calls; move it up or remove it`;
      problems.push({ path: ['rules', index], message });
    }
    earlier.push(rule);
  }
  return problems;
}
