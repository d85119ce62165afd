import { describe, expect, it } from 'vitest';
import type { Requires } from '../../src/protocol/requires.ts';
import { isTooSlow, type RequiredFacts, unmetRequirement } from '../../src/routing/requirements.ts';

const facts: RequiredFacts = {
  compliance: {},
  usd: undefined,
  p95FirstTokenMs: undefined,
  p95TotalMs: undefined,
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

  it('of latency demotes only a target that is known to be slower', () => {
    const slow = { ...facts, p95FirstTokenMs: 900, p95TotalMs: 4_000 };
    expect(isTooSlow({ p95FirstTokenMs: 800 }, slow)).toBe(true);
    expect(isTooSlow({ p95FirstTokenMs: 900, p95TotalMs: 5_000 }, slow)).toBe(false);
    expect(isTooSlow({ p95TotalMs: 1 }, facts)).toBe(false);
    expect(unmetRequirement({ p95FirstTokenMs: 1, p95TotalMs: 1 }, slow)).toBeUndefined();
  });
});
