import { describe, expect, it } from 'vitest';
import { QualityStatistics } from '../../src/telemetry/quality.ts';

describe('QualityStatistics', () => {
  function rated(scores: readonly number[]): QualityStatistics {
    const quality = new QualityStatistics();
    for (const score of scores) quality.record({ target: 'p/m', tier: 't' }, score, 0);
    return quality;
  }

  it('knows the average of ten scores and more', () => {
    expect(rated(Array(9).fill(1)).score('p/m', 't', 0)).toBeUndefined();
    const mixed = Array.from({ length: 10 }, (_, at) => at / 10);
    expect(rated(mixed).score('p/m', 't', 0)).toBeCloseTo(0.45, 10);
    expect(rated(mixed).score('p/m', 'other', 0)).toBeUndefined();
    expect(rated(mixed).score('p/other', 't', 0)).toBeUndefined();
  });

  it('forgets early scores, of many', () => {
    const later = rated([...Array(10_000).fill(0), ...Array(150).fill(1)]);
    expect(later.score('p/m', 't', 0)).toBeGreaterThan(0.95);
    expect(later.ofTarget('p/m', 0)?.t?.scores).toBe(50);
  });

  it('stays from 0 to 1', () => {
    const scores = Array.from({ length: 1_000 }, (_, at) => (at % 3 === 0 ? 0 : 1));
    for (const all of [scores, Array(1_000).fill(1), Array(1_000).fill(0)]) {
      const score = rated(all).score('p/m', 't', 0) ?? Number.NaN;
      expect(score >= 0 && score <= 1).toBe(true);
    }
  });
});
