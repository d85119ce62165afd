import { expect, it, vi } from 'vitest';
import { SignalboxError } from '../../src/errors.ts';
import type { Provider } from '../../src/protocol/provider.ts';
import { createRouter } from '../../src/router.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';

const learning = vi.hoisted(() => ({ isOn: true }));

/** Without learning, the limits that refusals teach let everything through. */
vi.mock('../../src/limits/learned-gates.ts', async (importOriginal) => {
  const original = await importOriginal<typeof import('../../src/limits/learned-gates.ts')>();
  const open = () => ({
    name: 'open',
    limit: () => undefined,
    opensAt: (_: unknown, now: number) => now,
    paceMs: () => 0,
    enter: () => ({ leave: () => undefined }),
  });
  return {
    createAdaptiveGates: () =>
      learning.isOn ? original.createAdaptiveGates() : { rate: open(), concurrency: open() },
  };
});

/** What a vendor refuses: by its own dice, or by the time since the beginning. */
type Refuses = (elapsedMs: number, dice: number) => boolean;

const answerMs = 200;
const refusalMs = 50;

/** Callers who ask again as soon as they are answered, for so long; counts what is answered in each minute. */
async function answeredPerMinute(
  refuses: Refuses,
  { callers = 20, minutes = 2, retryAfterMs }: Partial<Load> = {},
): Promise<readonly number[]> {
  const runtime = fakeRuntime({ time: 'auto', seed: 7 });
  const beganAt = runtime.now();
  const elapsed = (): number => runtime.now() - beganAt;
  const provider: Provider = {
    wire: 'mine',
    capabilities: () => new Set(),
    preload: async () => undefined,
    prepare: () => ({
      warnings: [],
      async *send({ signal, watch }) {
        watch.connected();
        if (refuses(elapsed(), runtime.random())) {
          await runtime.sleep(refusalMs, signal);
          const more = retryAfterMs === undefined ? {} : { retryAfterMs };
          throw new SignalboxError('rate_limited', 'too many', { status: 429, ...more });
        }
        await runtime.sleep(answerMs, signal);
        yield [{ type: 'part-end', part: { type: 'text', text: 'yes' } }];
        yield [{ type: 'finish', finishReason: 'stop' }];
      },
    }),
  };
  const router = createRouter({ runtime, providers: { p: provider }, tiers: { t: ['p/m'] } });
  const answered: number[] = Array.from({ length: minutes }, () => 0);
  const endMs = minutes * 60_000;
  async function caller(): Promise<void> {
    while (elapsed() < endMs) {
      await router.complete('t', 'hi').catch(() => undefined);
      const minute = Math.floor(elapsed() / 60_000);
      if (minute < minutes) answered[minute] = (answered[minute] ?? 0) + 1;
    }
  }
  await Promise.all(Array.from({ length: callers }, caller));
  await router.close();
  return answered;
}

type Load = {
  readonly callers: number;
  readonly minutes: number;
  readonly retryAfterMs: number;
};

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

it.each([
  [0.01, undefined],
  [0.05, undefined],
  [0.1, undefined],
  [0.01, 1_000],
  [0.05, 1_000],
  [0.1, 1_000],
])(
  'keeps nine tenths of its throughput where %d of all requests are refused at random (Retry-After %s)',
  async (share, retryAfterMs) => {
    const told = retryAfterMs === undefined ? {} : { retryAfterMs };
    const refuses: Refuses = (_, dice) => dice < share;
    const answered = await answeredPerMinute(refuses, told);
    learning.isOn = false;
    const reference = await answeredPerMinute(refuses, told).finally(() => {
      learning.isOn = true;
    });
    expect(sum(answered)).toBeGreaterThan(0.9 * sum(reference));
    expect(answered.at(-1) ?? 0).toBeGreaterThan(0.9 * (reference.at(-1) ?? 0));
  },
  60_000,
);

it.each([[undefined], [1_000]])(
  'is back at its throughput within seconds of a burst of refusals (Retry-After %s)',
  async (retryAfterMs) => {
    const told = retryAfterMs === undefined ? {} : { retryAfterMs };
    const isBurst: Refuses = (elapsedMs) =>
      elapsedMs % 60_000 >= 30_000 && elapsedMs % 60_000 < 31_000;
    const answered = await answeredPerMinute(isBurst, { ...told, minutes: 4 });
    for (const perMinute of answered) expect(perMinute).toBeGreaterThan(0.85 * 6_000);
  },
  60_000,
);

it('keeps a real limit once it has been taught', async () => {
  const perMinute = 600;
  const sent = { requests: 0, refused: 0 };
  const windows = new Map<number, number>();
  // A fixed window, and callers who would send ten times as much.
  await answeredPerMinute(
    (elapsedMs) => {
      const window = Math.floor(elapsedMs / 60_000);
      const used = windows.get(window) ?? 0;
      windows.set(window, used + 1);
      sent.requests += 1;
      if (used < perMinute) return false;
      sent.refused += 1;
      return true;
    },
    { minutes: 6 },
  );
  expect(sent.requests - sent.refused).toBeGreaterThan(0.9 * 6 * perMinute);
  expect(sent.refused / sent.requests).toBeLessThan(0.06);
}, 60_000);
