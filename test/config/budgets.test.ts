import { describe, expect, it } from 'vitest';
import { isSignalboxError } from '../../src/errors.ts';
import type { RoutingConfig } from '../../src/protocol/config.ts';
import { createRouter } from '../../src/router.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import { recordEvents } from '../../src/testing/record-events.ts';

/** The problems of a configuration with this as its budgets, or as its store. */
function problemsOf(budgets: unknown, store?: unknown): readonly string[] {
  try {
    createRouter({
      providers: { a: fakeProvider('fine') },
      tiers: { t: ['a/m'] },
      budgets: budgets as NonNullable<RoutingConfig['budgets']>,
      store: store as never,
    });
  } catch (error) {
    if (!isSignalboxError(error, 'config')) throw error;
    return (error.problems ?? []).map(({ path, message }) => `${path}: ${message}`);
  }
  return [];
}

describe('budgets in the configuration', () => {
  it.each([
    [{ usd: 1, per: 'day' }],
    [{ match: { a: 'b' }, by: 'user', tokens: 1, requests: 0, per: 'minute' }],
    [{ usd: 0, per: 'month', timeZone: 'Asia/Kathmandu', onExceeded: 'warn', warnAt: [0.5, 1] }],
    [{ usd: 1, per: 'hour', unknownPrice: { usdPerMillion: 3 } }],
  ])('accept %j', (budget) => {
    expect(problemsOf({ team: budget })).toEqual([]);
  });

  it.each([
    [{ per: 'day' }, 'budgets.team: must set at least one of usd, tokens and requests'],
    [{ usd: 1 }, 'budgets.team.per: '],
    [{ usd: -1, per: 'day' }, 'budgets.team.usd: '],
    [{ tokens: 1.5, per: 'day' }, 'budgets.team.tokens: '],
    [{ usd: 1, per: 'week' }, 'budgets.team.per: '],
    [
      { usd: 1, per: 'day', timeZone: 'Mars/Base' },
      'budgets.team.timeZone: must be an IANA time zone',
    ],
    [{ usd: 1, per: 'day', warnAt: [80] }, 'budgets.team.warnAt[0]: '],
    [
      { usd: 1, per: 'day', onExceded: 'warn' },
      'budgets.team.onExceded: unknown option; did you mean "onExceeded"?',
    ],
    [{ usd: 1, per: 'day', unknownPrice: {} }, 'budgets.team.unknownPrice'],
  ])('reject %j', (budget, problem) => {
    expect(problemsOf({ team: budget })[0]).toContain(problem);
  });

  it('reject what is no store', () => {
    expect(problemsOf({}, {})).toEqual(['store: must be a store, such as fileStore()']);
  });

  it('are checked in call options', async () => {
    const router = createRouter({ providers: { a: fakeProvider('fine') }, tiers: { t: ['a/m'] } });
    await expect(router.complete('t', 'hi', { maxUsd: -1 })).rejects.toMatchObject({
      code: 'config',
    });
  });

  it('are among the changes of a configuration', () => {
    const routing = {
      tiers: { t: ['a/m'] as const },
      budgets: { team: { usd: 1, per: 'day' } },
    } as const;
    const router = createRouter({ providers: { a: fakeProvider('fine') }, ...routing });
    const events = recordEvents(router);
    router.reconfigure({ ...routing, budgets: { team: { usd: 2, per: 'day' } } });
    expect(events.events).toMatchObject([
      { type: 'config-change', changes: [{ path: 'budgets.team.usd', kind: 'changed' }] },
    ]);
  });
});
