/**
 * Requests that a vendor rejects at twice its allowed load, for a minute: `npm run bench:limits`. Uses virtual time, so it
 * takes seconds and is deterministic.
 */
import {
  createRouter,
  isSignalboxError,
  type Provider,
  type ProviderPart,
  type RateLimit,
  SignalboxError,
} from '../src/index.ts';
import { type FakeRuntime, fakeRuntime } from '../src/testing.ts';

const allowedPerMinute = 600;

/** Capacity of the token bucket: ten seconds of the allowed rate. */
const bucketSize = 100;
const offeredPerSecond = 20;
const loadMs = 60_000;

/** The vendor's decision on a request. */
type Decision = {
  readonly allowed: boolean;
  readonly limits?: readonly RateLimit[];
  readonly retryAfterMs?: number;
};

type Rule = (now: number) => Decision;

/** Allows a fixed number of requests in each minute of the vendor's clock. */
function fixedWindow(startedAt: number): (now: number) => {
  readonly allowed: boolean;
  readonly left: number;
  readonly resetMs: number;
} {
  // The vendor's minutes do not start with the test's.
  const offsetMs = startedAt - 17_000;
  let window = -1;
  let used = 0;
  return (now) => {
    const current = Math.floor((now - offsetMs) / 60_000);
    if (current !== window) used = 0;
    window = current;
    const allowed = used < allowedPerMinute;
    if (allowed) used += 1;
    const resetMs = offsetMs + (current + 1) * 60_000 - now;
    return { allowed, left: allowedPerMinute - used, resetMs };
  };
}

/** Allows requests from a bucket that refills continuously. */
function tokenBucket(startedAt: number): ReturnType<typeof fixedWindow> {
  const perMs = allowedPerMinute / 60_000;
  let left = bucketSize;
  let at = startedAt;
  return (now) => {
    left = Math.min(bucketSize, left + (now - at) * perMs);
    at = now;
    const allowed = left >= 1;
    if (allowed) left -= 1;
    return { allowed, left: Math.floor(left), resetMs: (bucketSize - left) / perMs };
  };
}

const vendors: Record<string, (startedAt: number) => Rule> = {
  'fixed window, headers': (startedAt) => {
    const rule = fixedWindow(startedAt);
    return (now) => {
      const { allowed, left, resetMs } = rule(now);
      const state = { limit: allowedPerMinute, remaining: left, resetMs };
      return {
        allowed,
        limits: [{ name: 'requests', unit: 'requests', ...state }],
        ...(!allowed && { retryAfterMs: resetMs }),
      };
    };
  },
  'token bucket, headers': (startedAt) => {
    const rule = tokenBucket(startedAt);
    return (now) => {
      const { allowed, left, resetMs } = rule(now);
      const state = { limit: bucketSize, remaining: left, resetMs };
      return { allowed, limits: [{ name: 'requests', unit: 'requests', ...state }] };
    };
  },
  'fixed window, Retry-After': (startedAt) => {
    const rule = fixedWindow(startedAt);
    return (now) => {
      const { allowed, resetMs } = rule(now);
      return { allowed, ...(!allowed && { retryAfterMs: resetMs }) };
    };
  },
  'token bucket, Retry-After': (startedAt) => {
    const rule = tokenBucket(startedAt);
    return (now) => {
      const { allowed } = rule(now);
      return { allowed, ...(!allowed && { retryAfterMs: 1_000 }) };
    };
  },
  'fixed window, nothing': (startedAt) => {
    const rule = fixedWindow(startedAt);
    return (now) => ({ allowed: rule(now).allowed });
  },
  'token bucket, nothing': (startedAt) => {
    const rule = tokenBucket(startedAt);
    return (now) => ({ allowed: rule(now).allowed });
  },
};

/** A vendor with the given rule, network latency and response time. */
function vendorOf(rule: Rule, runtime: FakeRuntime, answerMs: number) {
  const counts = { requests: 0, rejected: 0 };
  const provider: Provider = {
    wire: 'openai-chat',
    capabilities: () => new Set(),
    preload: async () => undefined,
    prepare: () => ({
      warnings: [],
      async *send({ signal, watch }): AsyncGenerator<readonly ProviderPart[]> {
        watch.connected();
        await runtime.sleep(20 + 30 * runtime.random(), signal);
        const { allowed, limits, retryAfterMs } = rule(runtime.now());
        counts.requests += 1;
        if (!allowed) counts.rejected += 1;
        await runtime.sleep(20 + 30 * runtime.random(), signal);
        if (limits !== undefined) watch.limits(limits);
        if (!allowed) {
          const more = retryAfterMs === undefined ? {} : { retryAfterMs };
          throw new SignalboxError('rate_limited', 'too many requests', { status: 429, ...more });
        }
        await runtime.sleep(answerMs * (0.5 + runtime.random()), signal);
        yield [{ type: 'text-delta', delta: 'yes' }];
        yield [{ type: 'part-end', part: { type: 'text', text: 'yes' } }];
        const usage = { inputTokens: 1, outputTokens: 1, totalTokens: 2 };
        yield [{ type: 'finish', finishReason: 'stop', usage }];
      },
    }),
  };
  return { provider, counts };
}

async function run(name: string, rpm: number | undefined, answerMs: number) {
  const runtime = fakeRuntime({ time: 'auto' });
  const startedAt = runtime.now();
  const rule = vendors[name]?.(startedAt);
  if (rule === undefined) throw new Error(`no vendor "${name}"`);
  const { provider, counts } = vendorOf(rule, runtime, answerMs);
  const limits = rpm === undefined ? {} : { rpm };
  const router = createRouter({
    runtime,
    providers: { v: provider },
    tiers: { t: [{ target: 'v/model', limits }] },
  });
  const lost: string[] = [];
  const calls: Promise<unknown>[] = [];
  const everyMs = 1_000 / offeredPerSecond;
  for (let at = 0; at < loadMs; at += everyMs) {
    await runtime.sleep(everyMs * (0.5 + runtime.random()));
    calls.push(
      router.complete('t', 'hi').catch((error: unknown) => {
        lost.push(isSignalboxError(error) ? error.message : String(error));
      }),
    );
  }
  await Promise.all(calls);
  return {
    vendor: name,
    configured: rpm === undefined ? '' : `rpm: ${rpm}`,
    answerMs,
    calls: calls.length,
    requests: counts.requests,
    rejected: counts.rejected,
    'rejected %': Number(((100 * counts.rejected) / counts.requests).toFixed(2)),
    lost: lost.length,
    'all answered after (s)': Math.round((runtime.now() - startedAt) / 1_000),
    why: lost[0]?.slice(0, 300) ?? '',
  };
}

const rows = [];
for (const answerMs of [200, 4_000]) {
  for (const name of Object.keys(vendors)) {
    for (const rpm of [allowedPerMinute, undefined]) rows.push(await run(name, rpm, answerMs));
  }
}
console.table(rows.map(({ why: _, ...row }) => row));
for (const { vendor, why } of rows) if (why !== '') console.log(`${vendor}: ${why}`);
