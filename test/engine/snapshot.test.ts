import { expect, it } from 'vitest';
import { createRouter } from '../../src/router.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';

it('reports an open circuit as half-open after its time, because the next call is a probe', async () => {
  const runtime = fakeRuntime();
  const fake = fakeProvider({ error: 'server_error' }, { runtime });
  const tier = { targets: ['fake/m' as const], retry: { attempts: 0 }, circuit: { openMs: 5_000 } };
  const router = createRouter({ runtime, providers: { fake }, tiers: { t: tier } });
  for (let call = 0; call < 3; call += 1) await router.complete('t', 'hi').catch(() => undefined);
  const openUntil = runtime.now() + 5_000;
  expect(router.snapshot().targets['fake/m']).toMatchObject({ circuit: 'open', openUntil });
  await runtime.advance(5_000);
  const { circuit, ...rest } = router.snapshot().targets['fake/m'] ?? {};
  expect(circuit).toBe('half-open');
  expect(rest).not.toHaveProperty('openUntil');
});
