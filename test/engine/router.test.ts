import { expect, it } from 'vitest';
import { createRouter } from '../../src/router.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';

it('closes at the end of an await using block', async () => {
  let left: { complete(tier: 't', prompt: string): Promise<unknown> } | undefined;
  {
    await using router = createRouter({
      providers: { a: fakeProvider('hi') },
      tiers: { t: ['a/m'] },
    });
    await router.complete('t', 'hi');
    left = router;
  }
  await expect(left.complete('t', 'hi')).rejects.toMatchObject({ code: 'closed' });
});

it('emits events at whole milliseconds', async () => {
  const runtime = { ...fakeRuntime(), now: () => 1_000.6 };
  const a = fakeProvider('hi');
  const router = createRouter({ runtime, providers: { a }, tiers: { t: ['a/m'] } });
  const times: number[] = [];
  router.on('*', ({ at }) => times.push(at));
  await router.complete('t', 'hi');
  router.reconfigure({ tiers: { t: ['a/m'] } });
  expect(new Set(times)).toEqual(new Set([1_001]));
});
