import { describe, expect, it } from 'vitest';
import { SignalboxError, type SignalboxErrorOptions } from '../../src/errors.ts';
import type { ErrorCode } from '../../src/protocol/error-code.ts';
import type { Provider } from '../../src/protocol/provider.ts';
import { createRouter } from '../../src/router.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';

type Failures = Record<number, [ErrorCode, SignalboxErrorOptions?] | undefined>;

/** A router with a pool of three keys. Each key answers with its number, or fails as in `failures`. */
function pool(failures: Failures) {
  const used: number[] = [];
  const provider: Provider = {
    wire: 'fake',
    keyCount: 3,
    capabilities: () => new Set(),
    preload: async () => undefined,
    prepare: () => ({
      warnings: [],
      async *send({ key = 0 }) {
        used.push(key);
        const failure = failures[key];
        if (failure !== undefined) throw new SignalboxError(failure[0], failure[0], failure[1]);
        yield [{ type: 'part-end', part: { type: 'text', text: `key ${key}` } }];
        yield [{ type: 'finish', finishReason: 'stop' }];
      },
    }),
  };
  const runtime = fakeRuntime({ time: 'auto' });
  const router = createRouter({
    runtime,
    providers: { a: provider, spare: fakeProvider('spare', { runtime }) },
    tiers: { t: ['a/m', 'spare/m'], two: ['a/m', 'a/n'], alone: ['a/m'] },
  });
  return { router, used, runtime };
}

describe('a pool of keys', () => {
  it('rotates its keys', async () => {
    const { router, used } = pool({});
    for (let each = 0; each < 4; each++) await router.complete('t', 'hi');
    expect(used).toEqual([0, 1, 2, 0]);
  });

  it.each(['quota_exhausted', 'auth', 'permission'] as const)(
    'skips a key after %s while another works, in this call and later ones',
    async (code) => {
      const { router, used } = pool({ 0: [code, { retryAfterMs: 60_000 }] });
      const first = await router.complete('t', 'hi');
      expect(first.text).toBe('key 1');
      expect(first.trail.map(({ key, outcome }) => [key, outcome])).toEqual([
        [1, 'error'],
        [2, 'ok'],
      ]);
      for (let each = 0; each < 3; each++) await router.complete('t', 'hi');
      const { keys } = router.snapshot().targets['a/m'] ?? {};
      expect(keys?.map((key) => Object.keys(key.unavailableUntil).length)).toEqual([1, 0, 0]);
      expect(used.filter((key) => key === 0)).toHaveLength(1);
    },
  );

  it('skips a rate limited key until its limit ends', async () => {
    const { router, used } = pool({ 0: ['rate_limited', { retryAfterMs: 60_000 }] });
    const first = await router.complete('t', 'hi');
    expect(first.text).toBe('key 1');
    for (let each = 0; each < 5; each++) await router.complete('t', 'hi');
    expect(used.filter((key) => key === 0)).toHaveLength(1);
  });

  it('skips a rejected key for all models of the provider', async () => {
    const { router, used } = pool({ 0: ['auth'] });
    await router.complete('two', 'hi');
    await router.complete('two', 'hi', { route: { only: ['a/n'] } });
    await router.complete('two', 'hi', { route: { only: ['a/n'] } });
    expect(used.filter((key) => key === 0)).toHaveLength(1);
  });

  it('goes to the next target when all keys are rate limited', async () => {
    const limited: [ErrorCode, SignalboxErrorOptions] = ['rate_limited', { retryAfterMs: 9_000 }];
    const { router, used } = pool({ 0: limited, 1: limited, 2: limited });
    expect((await router.complete('t', 'hi')).text).toBe('spare');
    expect(used).toEqual([0, 1, 2]);
    for (let each = 0; each < 2; each++) await router.complete('t', 'hi');
    // Rejected three times, each key is limited and skipped until its limit ends.
    const { trail } = await router.complete('t', 'hi');
    expect(trail.slice(0, 3).every(({ reason }) => reason?.startsWith('rate limited until'))).toBe(
      true,
    );
  });

  it('skips the other keys when the failure is not about the key', async () => {
    const { router, used } = pool({
      0: ['context_length'],
      1: ['timeout', { phase: 'first-token' }],
    });
    expect((await router.complete('t', 'hi')).text).toBe('spare');
    const { trail, text } = await router.complete('t', 'hi');
    expect(text).toBe('spare');
    expect(trail[1]).toMatchObject({
      key: 3,
      outcome: 'skipped',
      reason: 'another key would fail too',
    });
    expect(used).toEqual([0, 1]);
  });

  it('numbers keys from 1 in explain and trails', async () => {
    const { router } = pool({ 0: ['quota_exhausted'] });
    await router.complete('alone', 'hi');
    const { candidates, skipped } = await router.explain('alone', 'hi');
    expect(candidates.map(({ key }) => key).toSorted()).toEqual([2, 3]);
    expect(skipped).toMatchObject([{ target: 'a/m', key: 1 }]);
    const { trail } = await router.complete('alone', 'hi');
    expect(trail.find(({ outcome }) => outcome === 'skipped')?.key ?? 1).toBe(1);
  });

  it('includes the number of the key in messages', async () => {
    const { router } = pool({ 0: ['auth'], 1: ['auth'], 2: ['auth'] });
    await expect(router.complete('alone', 'hi')).rejects.toThrow(/a\/m key 2: auth/);
  });
});
