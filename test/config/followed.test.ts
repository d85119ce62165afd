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
    followedProblems(first, next, options).map(({ path }) => path.join('.'));
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
});
