import { describe, expect, it } from 'vitest';
import { Budget } from '../../src/budgets/budget.ts';

const now = Date.UTC(2026, 10, 30, 12);

function keyOf(budget: Budget, tags: Record<string, string>): string | undefined {
  return budget.capsFor(tags, now)[0]?.counter.key;
}

describe('a budget', () => {
  it('matches attempts that have all of its tags', () => {
    const budget = new Budget('b', {
      match: { feature: 'search', plan: 'free' },
      usd: 1,
      per: 'day',
    });
    expect(budget.matches({ feature: 'search', plan: 'free', user: 'u' })).toBe(true);
    expect(budget.matches({ feature: 'search' })).toBe(false);
    expect(new Budget('b', { usd: 1, per: 'day' }).matches({})).toBe(true);
    // A name that every object inherits is no tag.
    expect(new Budget('b', { match: { toString: 'x' }, usd: 1, per: 'day' }).matches({})).toBe(
      false,
    );
  });

  it('has a cap for each unit, as whole numbers', () => {
    const caps = new Budget('b', { usd: 0.1, tokens: 7, requests: 3, per: 'day' }).capsFor({}, now);
    expect(caps.map(({ unit, limit }) => [unit, limit])).toEqual([
      ['usd', 100_000_000],
      ['tokens', 7],
      ['requests', 3],
    ]);
  });

  it('counts each value of its tag apart, and attempts without it together', () => {
    const budget = new Budget('b', { by: 'user', usd: 1, per: 'day' });
    const values = [
      'a',
      'b',
      '',
      'a","b',
      '\\',
      '\ud800',
      '\udbff',
      'x'.repeat(300),
      `${'x'.repeat(300)}y`,
    ];
    const keys = values.map((user) => keyOf(budget, { user }));
    expect(new Set(keys).size).toBe(values.length);
    expect(budget.capsFor({}, now)[0]?.by).toBe('(none)');
    expect(keyOf(budget, { toString: 'x' })).toBe(keyOf(budget, {}));
    expect(Math.max(...keys.map((key = '') => key.length))).toBeLessThan(500);
  });

  it('keeps the counters of budgets apart, also when one name begins like another', () => {
    const [short, long] = ['a', 'a",null'].map((name) => new Budget(name, { usd: 1, per: 'day' }));
    const key = long === undefined ? '' : (keyOf(long, {}) ?? '');
    expect(key.startsWith(long?.keyPrefix ?? '-')).toBe(true);
    expect(key.startsWith(short?.keyPrefix ?? '')).toBe(false);
  });

  it('reads its current counters from their keys', () => {
    const budget = new Budget('b', { by: 'user', usd: 1, per: 'day' });
    const key = keyOf(budget, { user: 'é "1"' }) ?? '';
    expect(budget.counterNamed(key, now)).toEqual({ by: 'é "1"', unit: 'usd' });
    expect(budget.counterNamed(key, now + 86_400_000)).toBeUndefined();
    expect(new Budget('b', { usd: 1, per: 'day' }).counterNamed(key, now)).toBeUndefined();
    expect(
      new Budget('b', { by: 'user', usd: 1, per: 'hour' }).counterNamed(key, now),
    ).toBeUndefined();
  });
});
