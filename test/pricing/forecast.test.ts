import { describe, expect, it } from 'vitest';
import { Forecast, type ForecastCall } from '../../src/pricing/forecast.ts';
import type { Usage } from '../../src/protocol/usage.ts';

const call = (more: Partial<ForecastCall> = {}): ForecastCall => ({
  tier: 't',
  tags: {},
  prefix: undefined,
  ...more,
});

const usageOf = (outputTokens: number, more: Partial<Usage> = {}): Usage => ({
  inputTokens: 1_000,
  outputTokens,
  totalTokens: 1_000 + outputTokens,
  ...more,
});

const answered = (usage: Usage, now = 0) => ({ target: 'a/m', usage, now, cacheMs: 300_000 });

describe('a forecast of the output', () => {
  it('is unknown before the first answer, and the average of the first ones', () => {
    const forecast = new Forecast();
    expect(forecast.outputTokens(call())).toBeUndefined();
    for (const tokens of [100, 300, 200]) forecast.answered(call(), answered(usageOf(tokens)));
    expect(forecast.outputTokens(call())).toBeCloseTo(200);
  });

  it('is that of calls with the same tags, in any order, after five of them', () => {
    const forecast = new Forecast();
    const short = call({ tags: { kind: 'short', team: 'a' } });
    const long = call({ tags: { kind: 'long', team: 'a' } });
    for (let each = 0; each < 4; each++) forecast.answered(short, answered(usageOf(10)));
    for (let each = 0; each < 5; each++) forecast.answered(long, answered(usageOf(1_000)));
    expect(forecast.outputTokens(call({ tags: { team: 'a', kind: 'long' } }))).toBeCloseTo(1_000);
    expect(forecast.outputTokens(short)).toBeGreaterThan(500);
    forecast.answered(short, answered(usageOf(10)));
    expect(forecast.outputTokens(short)).toBeCloseTo(10);
  });

  it('is kept apart by tier', () => {
    const forecast = new Forecast();
    forecast.answered(call(), answered(usageOf(100)));
    expect(forecast.outputTokens(call({ tier: 'other' }))).toBeUndefined();
  });

  it('remembers a bounded number of kinds, the latest', () => {
    const forecast = new Forecast();
    const kind = (id: number) => call({ tier: `t${id}` });
    for (let id = 0; id < 6_000; id++) forecast.answered(kind(id), answered(usageOf(1)));
    expect(forecast.outputTokens(kind(0))).toBeUndefined();
    expect(forecast.outputTokens(kind(5_999))).toBe(1);
  });
});

describe("a forecast of the share in the vendor's cache", () => {
  const talk = call({ prefix: 'p' });

  it('is what was read and written at that target, as long as the vendor keeps it', () => {
    const forecast = new Forecast();
    const usage = usageOf(1, { cachedInputTokens: 300, cacheWriteTokens: 500 });
    forecast.answered(talk, answered(usage, 1_000));
    expect(forecast.cachedShare(talk, 'a/m', 300_999)).toBeCloseTo(0.8);
    expect(forecast.cachedShare(talk, 'a/m', 301_000)).toBe(0);
    expect(forecast.cachedShare(talk, 'b/m', 1_000)).toBe(0);
    expect(forecast.cachedShare(call({ prefix: 'other' }), 'a/m', 1_000)).toBe(0);
    expect(forecast.cachedShare(call(), 'a/m', 1_000)).toBe(0);
  });

  it('is at most all of it', () => {
    const forecast = new Forecast();
    const usage = usageOf(1, { cachedInputTokens: 900, cacheWriteTokens: 900 });
    forecast.answered(talk, answered(usage));
    expect(forecast.cachedShare(talk, 'a/m', 1)).toBe(1);
  });
});
