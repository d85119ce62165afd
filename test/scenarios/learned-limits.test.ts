import { expect, it, vi } from 'vitest';
import { SignalboxError } from '../../src/errors.ts';
import type { Provider } from '../../src/protocol/provider.ts';
import { createRouter } from '../../src/router.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { sampled } from '../support/sampled.ts';

const learning = vi.hoisted(() => ({ isOn: true }));

/** Without learning, the learned limits let everything through. */
vi.mock('../../src/limits/learned-rate.ts', async (importOriginal) => {
  const original = await importOriginal<typeof import('../../src/limits/learned-rate.ts')>();
  const open = () => ({
    name: 'open',
    limit: () => undefined,
    opensAt: (_: unknown, now: number) => now,
    intervalMs: () => 0,
    enter: () => ({ leave: () => undefined }),
  });
  return {
    createLearnedGates: () =>
      learning.isOn ? original.createLearnedGates() : { rate: open(), concurrency: open() },
  };
});

/** Whether the vendor rejects a request, by time or at random. */
type Rejects = (elapsedMs: number, dice: number) => boolean;

const answerMs = 200;
const rejectionMs = 50;

/** Runs callers that send one request after the other, and counts the answers per minute. */
async function answeredPerMinute(
  rejects: Rejects,
  { callers = 20, minutes = 2, retryAfterMs }: Partial<Load> = {},
): Promise<readonly number[]> {
  const runtime = fakeRuntime({ time: 'auto', seed: 7 });
  const startedAt = runtime.now();
  const elapsed = (): number => runtime.now() - startedAt;
  const provider: Provider = {
    wire: 'mine',
    capabilities: () => new Set(),
    preload: async () => undefined,
    prepare: () => ({
      warnings: [],
      async *send({ signal, watch }) {
        watch.connected();
        if (rejects(elapsed(), runtime.random())) {
          await runtime.sleep(rejectionMs, signal);
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

const shares = [
  [0.1, undefined],
  [0.05, 1_000],
  [0.01, undefined],
  [0.05, undefined],
  [0.01, 1_000],
  [0.1, 1_000],
] as const;

it.each(shares.slice(0, sampled(6, 2)))(
  'keeps 90 % of its throughput when a share of %d of all requests is rejected at random (Retry-After %s)',
  async (share, retryAfterMs) => {
    const load = retryAfterMs === undefined ? {} : { retryAfterMs };
    const rejects: Rejects = (_, dice) => dice < share;
    const answered = await answeredPerMinute(rejects, load);
    learning.isOn = false;
    const reference = await answeredPerMinute(rejects, load).finally(() => {
      learning.isOn = true;
    });
    expect(sum(answered)).toBeGreaterThan(0.9 * sum(reference));
    expect(answered.at(-1) ?? 0).toBeGreaterThan(0.9 * (reference.at(-1) ?? 0));
  },
  300_000,
);

it.each([undefined, 1_000].slice(0, sampled(2, 1)))(
  'recovers its throughput within seconds after a burst of 429s (Retry-After %s)',
  async (retryAfterMs) => {
    const load = retryAfterMs === undefined ? {} : { retryAfterMs };
    const isBurst: Rejects = (elapsedMs) =>
      elapsedMs % 60_000 >= 30_000 && elapsedMs % 60_000 < 31_000;
    const answered = await answeredPerMinute(isBurst, { ...load, minutes: sampled(4, 2) });
    for (const perMinute of answered) expect(perMinute).toBeGreaterThan(0.85 * 6_000);
  },
  300_000,
);

it('stays within a real limit after learning it', async () => {
  const perMinute = 600;
  const sent = { requests: 0, rejected: 0 };
  const windows = new Map<number, number>();
  // A fixed window, with callers that would send ten times as much.
  await answeredPerMinute(
    (elapsedMs) => {
      const window = Math.floor(elapsedMs / 60_000);
      const used = windows.get(window) ?? 0;
      windows.set(window, used + 1);
      sent.requests += 1;
      if (used < perMinute) return false;
      sent.rejected += 1;
      return true;
    },
    { minutes: 6 },
  );
  expect(sent.requests - sent.rejected).toBeGreaterThan(0.9 * 6 * perMinute);
  expect(sent.rejected / sent.requests).toBeLessThan(0.06);
}, 300_000);
