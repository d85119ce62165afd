import { afterEach, expect, it, vi } from 'vitest';
import { memoryStore } from '../../src/internal/memory-store.ts';
import { createRouter } from '../../src/router.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

// In a file of its own, because it is emitted once in a process.
it('warns once of long budgets that are only in memory', () => {
  const emit = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  const providers = { a: fakeProvider('fine') };
  const tiers = { t: ['a/m'] as const };
  createRouter({ providers, tiers, budgets: { short: { usd: 1, per: 'hour' } } });
  createRouter({
    providers,
    tiers,
    budgets: { long: { usd: 1, per: 'day' } },
    store: memoryStore(),
  });
  expect(emit).not.toHaveBeenCalled();
  const router = createRouter({ providers, tiers });
  router.reconfigure({ tiers, budgets: { long: { usd: 1, per: 'month' } } });
  createRouter({ providers, tiers, budgets: { long: { usd: 1, per: 'day' } } });
  expect(emit).toHaveBeenCalledOnce();
  expect(emit).toHaveBeenCalledWith(expect.stringContaining('budget "long" is kept in memory'), {
    code: 'SIGNALBOX_BUDGET_STORE',
    type: 'SignalboxWarning',
  });
});
