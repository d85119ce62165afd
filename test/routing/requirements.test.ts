import { describe, expect, it } from 'vitest';
import type { Requires } from '../../src/protocol/requires.ts';
import {
  missedRequirement,
  type RequiredFacts,
  unmetRequirement,
} from '../../src/routing/requirements.ts';

const facts: RequiredFacts = {
  compliance: {},
  usd: undefined,
  p95FirstTokenMs: undefined,
  p95TotalMs: undefined,
  quality: undefined,
};

describe('a requirement', () => {
  it.each<[Requires, Partial<RequiredFacts>, string | undefined]>([
    [{}, {}, undefined],
    [{ zeroRetention: false, noTraining: false }, {}, undefined],
    [{ regions: ['eu', 'de'] }, { compliance: { region: 'de' } }, undefined],
    [
      { regions: ['eu'] },
      { compliance: { region: 'us' } },
      'its region is "us", and requires.regions has "eu"',
    ],
    [{ regions: ['eu'] }, {}, 'it declares no region, and requires.regions has "eu"'],
    [{ zeroRetention: true }, { compliance: { zeroRetention: true } }, undefined],
    [
      { zeroRetention: true },
      { compliance: { zeroRetention: false } },
      'it does not declare zeroRetention (requires.zeroRetention)',
    ],
    [{ noTraining: true }, {}, 'it does not declare noTraining (requires.noTraining)'],
    [{ maxEstimatedUsd: 0.01 }, { usd: 0.01 }, undefined],
    [
      { maxEstimatedUsd: 0.01 },
      { usd: 0.012345 },
      'it is estimated at $0.012345, and requires.maxEstimatedUsd is $0.01',
    ],
    [{ maxEstimatedUsd: 1 }, {}, 'its price is unknown, and requires.maxEstimatedUsd is $1'],
  ])('%j of a target with %j excludes it or not', (requires, given, reason) => {
    expect(unmetRequirement(requires, { ...facts, ...given })).toBe(reason);
  });

  it.each<[Requires, string | undefined]>([
    [{ p95FirstTokenMs: 800 }, 'its p95FirstTokenMs is 900, and requires.p95FirstTokenMs is 800'],
    [{ p95FirstTokenMs: 900, p95TotalMs: 5_000 }, undefined],
    [{ p95TotalMs: 3_999 }, 'its p95TotalMs is 4000, and requires.p95TotalMs is 3999'],
    [{ minQuality: 0.5 }, undefined],
    [{ minQuality: 0.7 }, 'its quality is 0.5, and requires.minQuality is 0.7'],
  ])('%j demotes a target that is known to miss it, and excludes none', (requires, reason) => {
    const known = { ...facts, p95FirstTokenMs: 900, p95TotalMs: 4_000, quality: 0.5 };
    expect(missedRequirement(requires, known)).toBe(reason);
    expect(missedRequirement(requires, facts)).toBeUndefined();
    expect(unmetRequirement(requires, known)).toBeUndefined();
  });
});
