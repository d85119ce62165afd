import { isSignalboxError } from '../../src/errors.ts';
import { createRouter } from '../../src/router.ts';
import type { FakeEntry } from '../../src/testing/fake-provider.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { recordEvents } from '../../src/testing/record-events.ts';
import { checkedStore } from '../support/checked-store.ts';

const nanoPerUsd = 1e9;

/** Of the cap, which is too small for all of them. */
const usdPerCall = 0.001;

/** Of the cap: less must not have been settled when a call that may wait is refused. */
const leastSettled = 0.9;

/** What a storm of calls did to a budget. */
export type Storm = {
  readonly violations: readonly string[];
  readonly spentUsd: number;
  /** What vendors billed beyond reservations. */
  readonly excessUsd: number;
  /** The smallest share of the cap that was settled when a call was refused. */
  readonly refusedAt: number;
  /** How often each kind of event, verdict and end occurred. */
  readonly counts: ReadonlyMap<string, number>;
};

/**
 * An answer of up to 20 tokens, which cost 0.0002 each, or one of many kinds of failures. One in ten has hidden reasoning
 * where `isHidden`, which its vendor bills beyond the limit that it was sent.
 */
function entryFrom(random: () => number, isHidden: boolean): FakeEntry {
  const words = 1 + Math.floor(random() * 20);
  const hidden = isHidden && random() < 0.1 ? 30 : 0;
  const usage = { inputTokens: 10, outputTokens: words + hidden };
  const times = { firstTokenDelayMs: random() * 400, chunkDelayMs: random() * 50 };
  const chunks = Array.from({ length: words }, () => 'word ');
  const kind = random();
  if (kind < 0.1) return { error: 'server_error', firstTokenDelayMs: random() * 100 };
  if (kind < 0.15) return { error: 'rate_limited', retryAfterMs: 200 };
  if (kind < 0.2) return { ...times, chunks, usage, cutAfter: 1 };
  if (kind < 0.25) return { ...times, chunks, usage: 'none' };
  return { ...times, chunks, usage };
}

/** So many calls at once, with hedges, retries, repairs, failover, continued answers, readers that leave and aborts. */
export async function storm(
  seed: number,
  calls: number,
  { isHidden }: { readonly isHidden: boolean },
): Promise<Storm> {
  const capUsd = calls * usdPerCall;
  const runtime = fakeRuntime({ time: 'auto', seed });
  const random = (): number => runtime.random();
  const fakes = ['a', 'b', 'c'].map(
    (name) => [name, fakeProvider(() => entryFrom(random, isHidden), { runtime })] as const,
  );
  const checked = checkedStore({ slow: seed % 2 === 0 });
  const price = { input: 0, output: 200 };
  const router = createRouter({
    runtime,
    providers: Object.fromEntries(fakes),
    store: checked.store,
    tiers: {
      t: {
        targets: ['a/m', 'b/m', 'c/m'],
        maxOutputTokens: 25,
        midStream: 'continue',
        hedge: { afterMs: 40, maxExtra: 1 },
        limits: { concurrency: 200 },
        circuit: { consecutiveFailures: 20, failureRate: 1 },
      },
    },
    prices: { 'a/m': price, 'b/m': price, 'c/m': price },
    budgets: { all: { usd: capUsd, per: 'day' } },
  });
  const recorded = recordEvents(router);
  const counts = new Map<string, number>();
  const count = (name: string): void => void counts.set(name, (counts.get(name) ?? 0) + 1);
  let refusedAt = Number.POSITIVE_INFINITY;
  async function call(index: number): Promise<void> {
    const controller = new AbortController();
    const { signal } = controller;
    if (index % 7 === 0) {
      runtime.sleep(random() * 500).then(
        () => controller.abort(),
        () => undefined,
      );
    }
    // Hedges need some room, before all of it is reserved.
    await runtime.sleep(random() * calls);
    const validate = () => index % 5 !== 0 || random() < 0.5;
    try {
      if (index % 2 === 0) await router.complete('t', 'hi', { signal, validate });
      else {
        let parts = 0;
        for await (const { type } of router.stream('t', 'hi', { signal })) {
          if (type === 'continue' || type === 'restart') count(type);
          if (index % 11 === 0 && ++parts > 4) break;
        }
      }
      count('answered or left');
    } catch (error) {
      if (!isSignalboxError(error)) throw error;
      count(error.code);
      const { settled } = checked.sums(runtime.now());
      const isRefused = error.code === 'budget_exceeded' && error.partial === undefined;
      if (isRefused) refusedAt = Math.min(refusedAt, settled / (capUsd * nanoPerUsd));
    }
  }
  await Promise.all(Array.from({ length: calls }, (_, index) => call(index)));
  const { settled, reserved } = checked.sums(runtime.now());
  let billed = 0;
  for (const event of recorded.events) {
    if (event.type === 'cost') billed += Math.round((event.usd ?? 0) * nanoPerUsd);
    if (event.type === 'hedge') count('hedge');
    if (event.type === 'attempt-end' && event.verdict !== 'done') count(event.verdict);
  }
  const cap = capUsd * nanoPerUsd;
  const notOnce = [...checked.settles.values()].filter((times) => times !== 1).length;
  const violations = [
    reserved !== 0 && `${reserved} are reserved when quiet`,
    settled !== billed && `${settled} are settled, ${billed} were billed`,
    notOnce > 0 && `${notOnce} reservations were not settled exactly once`,
    settled > cap + checked.excess && `${settled} are settled, ${checked.excess} beyond`,
    checked.excess === 0 && checked.peak > cap && `${checked.peak} were settled and reserved`,
    refusedAt < leastSettled && `a call was refused at ${refusedAt} of the cap`,
  ].filter((violation) => violation !== false);
  return {
    violations,
    spentUsd: settled / nanoPerUsd,
    excessUsd: checked.excess / nanoPerUsd,
    refusedAt,
    counts,
  };
}
