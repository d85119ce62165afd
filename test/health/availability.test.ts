import { describe, expect, test } from 'vitest';
import { Availability, RateLimitRecord } from '../../src/health/availability.ts';

const start = 1_000_000;

describe('Availability', () => {
  test('reports the reason that lasts longest, in any order', () => {
    for (const kinds of [
      ['limited', 'exhausted'],
      ['exhausted', 'limited'],
    ] as const) {
      const availability = new Availability(() => start);
      expect(availability.check()).toBeUndefined();
      for (const kind of kinds) {
        availability.mark(kind, start + (kind === 'limited' ? 60_000 : 30_000));
      }
      expect(availability.check()).toEqual({
        reason: 'rate limited until 1970-01-01T00:17:40.000Z',
        until: start + 60_000,
      });
    }
  });

  test('reports the first of two reasons that last equally long', () => {
    const availability = new Availability(() => start);
    availability.mark('model', start + 1_000);
    availability.mark('credential', start + 1_000);
    expect(availability.check()?.reason).toMatch(/^model not found until/);
  });
});

describe('RateLimitRecord', () => {
  const duration = { minMs: 1_000, maxMs: 5_000 };

  function setUp() {
    const clock = { now: start };
    const record = new RateLimitRecord(() => clock.now);
    /** A 429 without `Retry-After` of an attempt that is sent now, with nothing left for others. */
    const limited = (attempt = record.sent()) =>
      record.limited({ attempt, retryAfterMs: undefined, nothingLeft: true }, duration);
    return { clock, record, limited };
  }

  test('takes few rejections for a limit of single calls', () => {
    const { record } = setUp();
    const reject = () =>
      record.limited({ attempt: record.sent(), retryAfterMs: 2_000, nothingLeft: false }, duration);
    expect(reject()).toBeUndefined();
    expect(reject()).toBeUndefined();
    expect(reject()).toBe(start + 2_000);
  });

  test('takes one rejection for a limit of the target when nothing is left', () => {
    const { record } = setUp();
    const attempt = record.sent();
    const rejected = { attempt, retryAfterMs: 2_000, nothingLeft: true };
    expect(record.limited(rejected, duration)).toBe(start + 2_000);
  });

  test('doubles the time with each consecutive limit without Retry-After, up to the maximum', () => {
    const { clock, limited } = setUp();
    const lasted: number[] = [];
    for (let each = 0; each < 5; each += 1) {
      const until = limited() ?? 0;
      lasted.push(until - clock.now);
      clock.now = until;
    }
    expect(lasted).toEqual([1_000, 2_000, 4_000, 5_000, 5_000]);
  });

  test('does not double it for attempts sent before the limit', () => {
    const { clock, record, limited } = setUp();
    const early = [record.sent(), record.sent()];
    clock.now += 10;
    expect(limited()).toBe(start + 1_010);
    clock.now += 10;
    for (const attempt of early) expect(limited(attempt)).toBe(start + 1_010);
    clock.now = start + 1_010;
    expect(limited()).toBe(start + 1_010 + 2_000);
  });

  test('restarts at the minimum after an answer to an attempt sent since the limit', () => {
    const { clock, record, limited } = setUp();
    const early = record.sent();
    limited();
    clock.now = start + 1_000;
    record.answered(early);
    expect(limited()).toBe(clock.now + 2_000);
    clock.now += 2_000;
    record.answered(record.sent());
    expect(limited()).toBe(clock.now + 1_000);
  });

  test('avoids a key until the latest time', () => {
    const { clock, record } = setUp();
    expect(record.isAvoided).toBe(false);
    record.avoid(start + 1_000);
    record.avoid(start + 500);
    clock.now = start + 999;
    expect(record.isAvoided).toBe(true);
    clock.now = start + 1_000;
    expect(record.isAvoided).toBe(false);
  });
});
