import { describe, expect, it } from 'vitest';
import { createRouter } from '../../src/router.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';

describe('a provider that is undefined', () => {
  it('is not configured: the others answer', async () => {
    const providers = { a: fakeProvider('a'), b: undefined };
    const router = createRouter({ providers, tiers: { t: ['a/m'] } });
    expect((await router.complete('t', 'hi')).text).toBe('a');
  });

  it('is a config error where a tier names it', () => {
    const providers = { a: fakeProvider(), b: undefined };
    expect(() => createRouter({ providers, tiers: { t: ['a/m', 'b/m'] } })).toThrow(
      'tiers.t.targets[1]: provider "b" is not configured; there is "a"',
    );
  });
});
