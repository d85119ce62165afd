import { afterEach, expect, it, vi } from 'vitest';
import { AttemptPlan } from '../../src/engine/core/attempt-plan.ts';
import { TargetRegistry } from '../../src/engine/core/target-registry.ts';
import { ConfiguredLimits } from '../../src/engine/limits/configured-limits.ts';
import { createRouter } from '../../src/router.ts';
import { type FakeScript, fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';

afterEach(() => vi.restoreAllMocks());

function setUp(script: FakeScript, keyCount?: number) {
  const runtime = fakeRuntime({ time: 'auto' });
  const a = { ...fakeProvider(script, { runtime }), ...(keyCount !== undefined && { keyCount }) };
  const b = fakeProvider('spare', { runtime });
  return createRouter({
    runtime,
    providers: { a, b },
    defaults: { temperature: 0.5 },
    tiers: { t: { targets: ['a/m', 'b/m'], limits: { rpm: 1_000 } } },
  });
}

it('checks the availability of a target at most twice in a call without failures', async () => {
  const router = setUp('fine');
  await router.complete('t', 'hi');
  const checked = vi.spyOn(TargetRegistry.prototype, 'unavailability');
  for (const run of [() => router.complete('t', 'hi'), () => router.stream('t', 'hi').completion]) {
    checked.mockClear();
    await run();
    const targets = checked.mock.calls.map(([{ id }]) => id);
    expect(targets.filter((id) => id === 'a/m').length).toBeLessThanOrEqual(2);
    expect(targets.filter((id) => id === 'b/m').length).toBeLessThanOrEqual(2);
  }
});

it('resolves the options of a target once for all its attempts in a call', async () => {
  const router = setUp([{ error: 'server_error' }, 'fine']);
  const resolved = vi.spyOn(AttemptPlan, 'optionsFor');
  const { trail } = await router.complete('t', 'hi', { maxOutputTokens: 5 });
  expect(trail.map(({ target }) => target)).toEqual(['a/m', 'a/m']);
  expect(resolved.mock.calls.map(([, { id }]) => id)).toEqual(['a/m', 'b/m']);
});

it('creates the gates of a target once per key', async () => {
  const router = setUp('fine', 3);
  const made = vi.spyOn(ConfiguredLimits.prototype, 'gates');
  for (let call = 0; call < 10; call += 1) await router.complete('t', 'hi');
  const keys = made.mock.calls.map(([, , { id, key }]) => `${id} ${key ?? ''}`);
  expect(keys.toSorted((a, b) => a.localeCompare(b))).toEqual(['a/m 0', 'a/m 1', 'a/m 2', 'b/m ']);
});
