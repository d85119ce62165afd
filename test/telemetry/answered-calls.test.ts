import { describe, expect, it } from 'vitest';
import { defaults } from '../../src/config/defaults.ts';
import { AnsweredCalls } from '../../src/telemetry/statistics.ts';

const answered = (callId: string, at: number, servedModel = 'served') => ({
  callId,
  tier: 't',
  target: 'p/m',
  servedModel,
  tags: {},
  drill: undefined,
  at,
});

describe('AnsweredCalls', () => {
  it('keeps 10,000 calls for a day by default', () => {
    expect(defaults.feedbackCalls).toBe(10_000);
    expect(defaults.feedbackMs).toBe(24 * 3_600_000);
  });

  it('keeps the latest calls', () => {
    const calls = new AnsweredCalls(3, 1_000);
    for (let each = 0; each < 8; each += 1) {
      calls.add(answered(`call ${each}`, each), 'm');
      const found = Array.from({ length: 8 }, (_, at) => calls.find(`call ${at}`, each)?.callId);
      const from = Math.max(0, each - 2);
      const latest = found.map((_, at) => (at >= from && at <= each ? `call ${at}` : undefined));
      expect(found).toEqual(latest);
    }
  });

  it('forgets a call when its time is over, and all of them when it is cleared', () => {
    const calls = new AnsweredCalls(3, 1_000);
    calls.add(answered('early', 0), 'm');
    calls.add(answered('late', 500), 'm');
    expect(calls.find('early', 999)).toBeDefined();
    expect(calls.find('early', 1_000)).toBeUndefined();
    expect(calls.find('late', 1_000)).toBeDefined();
    calls.clear();
    expect(calls.find('late', 1_000)).toBeUndefined();
    calls.add(answered('next', 1_000), 'm');
    expect(calls.find('next', 1_000)).toBeDefined();
  });

  it('does not keep an endless name of a model', () => {
    const calls = new AnsweredCalls(3, 1_000);
    calls.add(answered('long', 0, 'x'.repeat(201)), 'requested');
    expect(calls.find('long', 0)?.servedModel).toBe('requested');
  });
});
