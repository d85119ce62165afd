import { describe, expect, it } from 'vitest';
import { createRouter } from '../../src/router.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { recordEvents } from '../../src/testing/record-events.ts';

const down = { error: 'server_error' } as const;

/** A primary that is down from `from` to `to`, and a spare that is always up, in virtual time. */
function outage(from: number, to: number, seed: number) {
  const runtime = fakeRuntime({ time: 'auto', seed });
  const start = runtime.now();
  const isDown = (): boolean => runtime.now() - start >= from && runtime.now() - start < to;
  const primary = fakeProvider(() => (isDown() ? down : 'primary'), { runtime });
  const router = createRouter({
    runtime,
    providers: { primary, spare: fakeProvider('spare', { runtime }) },
    tiers: { t: ['primary/m', 'spare/m'], alone: ['primary/m'] },
  });
  return { runtime, router, primary, start };
}

describe('an outage of a minute, with a request every four seconds', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'is served by the spare, and by the primary again within 30 s after its end (seed %i)',
    async (seed) => {
      const { runtime, router, start } = outage(8_000, 68_000, seed);
      const served: { at: number; by: string }[] = [];
      for (let each = 0; each < 40; each++) {
        const { text } = await router.complete('t', 'hi');
        served.push({ at: runtime.now() - start, by: text });
        await runtime.sleep(4_000);
      }
      const during = served.filter(({ at }) => at > 20_000 && at < 68_000);
      expect(during.every(({ by }) => by === 'spare')).toBe(true);
      const back = served.find(({ at, by }) => at >= 68_000 && by === 'primary');
      expect(back?.at).toBeLessThanOrEqual(98_000);
      expect(served.filter(({ at }) => at > 100_000).every(({ by }) => by === 'primary')).toBe(
        true,
      );
    },
  );
});

describe('a thousand callers with every target down', () => {
  it('send few requests', async () => {
    const { runtime, router, primary } = outage(0, 60_000, 1);
    const callers = Array.from({ length: 1_000 }, () =>
      router.complete('alone', 'hi').then(
        () => 'ok',
        () => 'failed',
      ),
    );
    await Promise.all(callers);
    expect(primary.calls.length).toBeLessThanOrEqual(1_100);
    expect(runtime.pending).toBe(0);
  });

  it('send one probe after the circuit has opened', async () => {
    const { runtime, router, primary } = outage(0, 20_000, 1);
    const events = recordEvents(router);
    const callAll = () =>
      Promise.allSettled(Array.from({ length: 50 }, () => router.complete('t', 'hi')));
    await callAll();
    const before = primary.calls.length;
    await runtime.advance(5_000);
    await callAll();
    expect(primary.calls.length - before).toBe(1);
    expect(events.of('circuit-half-open')).toHaveLength(1);
  });
});
