import { describe, expect, it } from 'vitest';
import { changesBetween } from '../../src/config/changes.ts';
import { followedProblems } from '../../src/config/followed.ts';

describe('changesBetween', () => {
  it.each([
    ['nothing', { a: [1, { b: 'x' }] }, { a: [1, { b: 'x' }] }, []],
    ['a value', { a: { b: 1 } }, { a: { b: 2 } }, [['a.b', 'changed']]],
    ['an added part, as a whole', {}, { a: { b: { c: 1 } } }, [['a', 'added']]],
    ['a removed part', { a: { b: 1 }, c: 1 }, { c: 1 }, [['a', 'removed']]],
    ['a field that is undefined', { a: undefined }, {}, []],
    ['a longer list', { a: [1] }, { a: [1, 2] }, [['a[1]', 'added']]],
    ['a list that became an object', { a: [1] }, { a: { 0: 1 } }, [['a', 'changed']]],
    ['names that objects inherit', { a: {} }, { a: { toString: 'x' } }, [['a.toString', 'added']]],
  ])('finds %s', (_, before, after, expected) => {
    const found = changesBetween(before, after).map(({ path, kind }) => [path, kind]);
    expect(found).toEqual(expected);
  });
});

describe('followedProblems', () => {
  const requires = { maxEstimatedUsd: 1, minQuality: 0.5, regions: ['eu', 'us'], noTraining: true };
  const first = { tiers: { t: { targets: ['p/m'], requires } } };
  const pathsOf = (next: object, options = {}) =>
    followedProblems(first, next, options, () => undefined).map(({ path }) => path.join('.'));
  const withRequires = (changed: object) => ({
    tiers: { t: { targets: ['p/m'], requires: { ...requires, ...changed } } },
  });

  it.each([
    ['the same', {}],
    ['a lower maximum', { maxEstimatedUsd: 0.5 }],
    ['a higher minimum', { minQuality: 0.9 }],
    ['fewer regions', { regions: ['eu'] }],
    ['one more', { zeroRetention: true }],
  ])('allows requirements that are %s', (_, changed) => {
    expect(pathsOf(withRequires(changed))).toEqual([]);
  });

  it.each([
    ['a higher maximum', { maxEstimatedUsd: 2 }, 'maxEstimatedUsd'],
    ['a lower minimum', { minQuality: 0.1 }, 'minQuality'],
    ['another region', { regions: ['eu', 'cn'] }, 'regions'],
    ['none', { noTraining: undefined }, 'noTraining'],
    ['the opposite', { noTraining: false }, 'noTraining'],
    ['another type', { maxEstimatedUsd: '9' }, 'maxEstimatedUsd'],
  ])('refuses requirements with %s', (_, changed, name) => {
    expect(pathsOf(withRequires(changed))).toEqual([`tiers.t.requires.${name}`]);
    expect(pathsOf(withRequires(changed), { allowLoosening: true })).toEqual([]);
  });

  it('finds requirements that moved to the defaults', () => {
    const next = { defaults: { requires }, tiers: { t: ['p/m'] } };
    expect(pathsOf(next)).toEqual([]);
    expect(pathsOf({ tiers: { t: ['p/m'] } })).toHaveLength(4);
  });

  it.each([
    ['a higher maximum of latency', 'p95TotalMs', 900, 1_000],
    ['no maximum of latency', 'p95FirstTokenMs', 900, undefined],
    ['no maximum of cost', 'maxEstimatedUsd', 1, undefined],
    ['no minimum', 'minQuality', 0.5, undefined],
    ['any region', 'regions', ['eu'], undefined],
    ['a switched off requirement', 'zeroRetention', true, false],
  ])('refuses %s, in the tier and in the defaults', (_, name, before, after) => {
    const tiers = { t: ['p/m'] };
    const inTier = (value: unknown) => ({
      tiers: { t: { targets: ['p/m'], requires: { [name]: value } } },
    });
    const inDefaults = (value: unknown) => ({ tiers, defaults: { requires: { [name]: value } } });
    for (const [one, other] of [
      [inTier(before), inTier(after)],
      [inDefaults(before), inDefaults(after)],
      [inDefaults(before), inTier(after)],
    ] as const) {
      const problems = followedProblems(one, other, {}, () => undefined);
      expect(problems.map(({ path }) => path.join('.'))).toEqual([`tiers.t.requires.${name}`]);
      expect(followedProblems(one, one, {}, () => undefined)).toEqual([]);
    }
  });
});

describe('followedProblems of compliance', () => {
  const eu = { region: 'eu', noTraining: true } as const;
  const declared = (compliance: object, id = 'p/m') => ({
    tiers: { t: { targets: [{ target: id, compliance }] } },
  });
  const pathsOf = (first: object, next: object, ofProvider?: object) =>
    followedProblems(first, next, {}, (name) => (name === 'p' ? ofProvider : undefined)).map(
      ({ path }) => path.join('.'),
    );

  it.each([
    ['the same', eu],
    ['less', { region: 'eu' }],
    ['the opposite', { region: 'eu', noTraining: false }],
    ['nothing', {}],
  ])('allows a document that declares %s', (_, compliance) => {
    expect(pathsOf(declared(eu), declared(compliance))).toEqual([]);
  });

  it.each([
    ['more', { ...eu, zeroRetention: true }, 'zeroRetention'],
    ['another region', { ...eu, region: 'us' }, 'region'],
  ])('refuses a document that declares %s', (_, compliance, field) => {
    const next = declared(compliance);
    expect(pathsOf(declared(eu), next)).toEqual([`tiers.t.targets.0.compliance.${field}`]);
    expect(followedProblems(declared(eu), next, { allowLoosening: true }, () => undefined)).toEqual(
      [],
    );
  });

  it('holds a new target to what its provider declares', () => {
    expect(pathsOf(declared({}), declared(eu, 'p/new'), eu)).toEqual([]);
    expect(pathsOf(declared({}), declared(eu, 'p/new'), { region: 'eu' })).toEqual([
      'tiers.t.targets.0.compliance.noTraining',
    ]);
    expect(pathsOf(declared({}), declared(eu, 'q/new'), eu)).toHaveLength(2);
  });

  it('finds that a target lost what set it apart from its provider', () => {
    const first = declared({ noTraining: false });
    expect(pathsOf(first, { tiers: { t: ['p/m'] } }, eu)).toEqual([
      'tiers.t.0.compliance.noTraining',
    ]);
    expect(pathsOf(first, declared({ region: 'us' }), { region: 'eu' })).toEqual([
      'tiers.t.targets.0.compliance.region',
    ]);
  });

  it('finds declarations in rules, where one that only names a target takes over those of tiers', () => {
    const first = declared({ noTraining: false });
    const withRule = (use: object) => ({ ...first, rules: [{ name: 'r', when: {}, use: [use] }] });
    expect(pathsOf(first, withRule({ target: 'p/m', compliance: eu }), {})).toEqual([
      'rules.0.use.0.compliance.region',
      'rules.0.use.0.compliance.noTraining',
    ]);
    expect(pathsOf(first, { ...first, rules: [{ name: 'r', use: ['p/m'] }] }, eu)).toEqual([]);
    expect(pathsOf(first, { ...first, rules: [{ name: 'r', use: 't' }] }, eu)).toEqual([]);
  });
});
