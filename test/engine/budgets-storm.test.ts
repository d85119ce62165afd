import { expect, it } from 'vitest';
import { isSignalboxError } from '../../src/errors.ts';
import { createRouter } from '../../src/router.ts';
import type { FakeEntry } from '../../src/testing/fake-provider.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { recordEvents } from '../../src/testing/record-events.ts';
import { checkedStore } from '../support/checked-store.ts';

const capUsd = 1;

/** An answer of up to 20 tokens, which cost 0.001 each, or one of many kinds of failures. */
function entryFrom(random: () => number): FakeEntry {
  const outputTokens = 1 + Math.floor(random() * 20);
  const usage = { inputTokens: 10, outputTokens };
  const times = { firstTokenDelayMs: random() * 400, chunkDelayMs: random() * 50 };
  const chunks = Array.from({ length: outputTokens }, () => 'word ');
  const kind = random();
  if (kind < 0.1) return { error: 'server_error', firstTokenDelayMs: random() * 100 };
  if (kind < 0.15) return { error: 'rate_limited', retryAfterMs: 200 };
  if (kind < 0.2) return { ...times, chunks, usage, cutAfter: 1 };
  if (kind < 0.25) return { ...times, chunks, usage: 'none' };
  return { ...times, chunks, usage };
}

it.each(Array.from({ length: 5 }, (_, seed) => seed + 1))(
  'no attempt of many concurrent calls escapes a budget (seed %i)',
  async (seed) => {
    const runtime = fakeRuntime({ time: 'auto', seed });
    const random = (): number => runtime.random();
    const fakes = ['a', 'b', 'c'].map(
      (name) => [name, fakeProvider(() => entryFrom(random), { runtime })] as const,
    );
    const checked = checkedStore({ slow: seed % 2 === 0 });
    const price = { input: 0, output: 1_000 };
    const router = createRouter({
      runtime,
      providers: Object.fromEntries(fakes),
      store: checked.store,
      tiers: {
        t: {
          targets: ['a/m', 'b/m', 'c/m'],
          maxOutputTokens: 25,
          midStream: 'continue',
          hedge: { afterMs: 200, maxExtra: 1 },
          limits: { concurrency: 40 },
        },
      },
      prices: { 'a/m': price, 'b/m': price, 'c/m': price },
      budgets: { all: { usd: capUsd, per: 'day' } },
    });
    const recorded = recordEvents(router);
    let refusedAt = Number.POSITIVE_INFINITY;
    async function call(index: number): Promise<void> {
      const controller = new AbortController();
      if (index % 7 === 0) {
        runtime.sleep(random() * 500).then(
          () => controller.abort(),
          () => undefined,
        );
      }
      const validate = () => index % 5 !== 0 || random() < 0.5;
      const options = { signal: controller.signal, validate };
      try {
        if (index % 2 === 0) await router.complete('t', 'hi', options);
        else {
          let parts = 0;
          for await (const _ of router.stream('t', 'hi', { signal: controller.signal })) {
            if (index % 11 === 0 && ++parts > 4) break;
          }
        }
      } catch (error) {
        if (!isSignalboxError(error)) throw error;
        const sums = checked.sums(runtime.now());
        if (error.code === 'budget_exceeded') refusedAt = Math.min(refusedAt, sums.settled);
      }
    }
    await Promise.all(Array.from({ length: 300 }, (_, index) => call(index)));
    const { settled, reserved } = checked.sums(runtime.now());
    const billed = recorded.events
      .flatMap((event) => (event.type === 'cost' ? [Math.round((event.usd ?? 0) * 1e9)] : []))
      .reduce((sum, nano) => sum + nano, 0);
    expect(reserved).toBe(0);
    expect(settled).toBe(billed);
    expect(checked.peak).toBeLessThanOrEqual(capUsd * 1e9);
    expect(settled).toBeLessThanOrEqual(capUsd * 1e9);
    expect([...checked.settles.values()].filter((count) => count !== 1)).toEqual([]);
    expect(refusedAt).toBeGreaterThanOrEqual(0.9 * capUsd * 1e9);
  },
);
