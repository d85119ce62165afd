import { describe, expect, it } from 'vitest';
import { isSignalboxError, SignalboxError } from '../../src/errors.ts';
import type { Attempt } from '../../src/protocol/attempt.ts';
import type { CallOptions } from '../../src/protocol/call-options.ts';
import type { TierSettings } from '../../src/protocol/config.ts';
import type { Message, Part } from '../../src/protocol/message.ts';
import type { Provider } from '../../src/protocol/provider.ts';
import type { StreamPart } from '../../src/protocol/stream-part.ts';
import { createRouter } from '../../src/router.ts';
import { type FakeScript, fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { recordEvents } from '../../src/testing/record-events.ts';

const price = { input: 1, output: 10 };

/** A router with fake providers on virtual time: one target per script, in this order. */
function setUp(scripts: Record<string, FakeScript>, tier: TierSettings = {}) {
  const runtime = fakeRuntime({ time: 'auto' });
  const names = Object.keys(scripts);
  const fakes = Object.fromEntries(
    names.map((name) => [name, fakeProvider(scripts[name] ?? '', { runtime })]),
  );
  const router = createRouter({
    runtime,
    providers: fakes,
    prices: Object.fromEntries(names.map((name) => [`${name}/m`, price])),
    tiers: { t: { ...tier, targets: names.map((name) => `${name}/m` as const) } },
    tags: { service: 'test' },
  });
  const events = recordEvents(router);
  const calls = (): Record<string, number> =>
    Object.fromEntries(names.map((name) => [name, fakes[name]?.calls.length ?? 0]));
  const complete = (options?: CallOptions) => router.complete('t', 'hi', options);
  const fails = async (options?: CallOptions): Promise<SignalboxError> => {
    const error = await complete(options).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (!isSignalboxError(error)) throw new Error('the call did not fail with a SignalboxError');
    return error;
  };
  return { runtime, router, events, calls, complete, fails };
}

const busy = (retryAfterMs: number) => ({ error: 'overloaded', retryAfterMs }) as const;
const opened = { circuit: { consecutiveFailures: 1, openMs: 5_000 } } as const;

const summaryOf = (trail: readonly Attempt[]): string[] =>
  trail.map((line) => `${line.target} ${line.outcome} ${line.verdict}`);

async function read(
  parts: AsyncIterable<StreamPart>,
): Promise<{ text: string; types: string[]; error: unknown }> {
  const types: string[] = [];
  let text = '';
  try {
    for await (const part of parts) {
      types.push(part.type);
      if (part.type === 'restart') text = '';
      if (part.type === 'text-delta') text += part.delta;
    }
  } catch (error) {
    return { text, types, error };
  }
  return { text, types, error: undefined };
}

it.each<[string, object, object, string]>([
  ['is a stream without either', {}, {}, 'stream'],
  ['is what the tier says', { transfer: 'unary' }, {}, 'unary'],
  ['is what the former name says', { wire: 'unary' }, {}, 'unary'],
  ['is what the former name says in a call', {}, { wire: 'unary' }, 'unary'],
  [
    'is what the name says, and not the former one',
    { wire: 'unary' },
    { transfer: 'stream' },
    'stream',
  ],
])('the transfer %s', async (_what, tier, options, expected) => {
  const seen: string[] = [];
  const fake = fakeProvider('one');
  const provider: Provider = {
    ...fake,
    prepare: (request) => {
      const { warnings, send } = fake.prepare(request);
      return {
        warnings,
        send(context) {
          seen.push(context.transfer);
          return send(context);
        },
      };
    },
  };
  const router = createRouter({
    providers: { a: provider },
    tiers: { t: { targets: ['a/m'], ...tier } },
  });
  await router.complete('t', 'hi', options);
  expect(seen).toEqual([expected]);
});

describe('a call', () => {
  it('tries only the first target when it answers', async () => {
    const { complete, calls } = setUp({ a: 'one', b: 'two' });
    const answer = await complete();
    expect(answer.text).toBe('one');
    expect(answer.target).toBe('a/m');
    expect(calls()).toEqual({ a: 1, b: 0 });
    expect(summaryOf(answer.trail)).toEqual(['a/m ok done']);
  });

  it('retries a server error once on the same target', async () => {
    const { complete, calls, events } = setUp({ a: [{ error: 'server_error' }, 'one'], b: 'two' });
    const answer = await complete();
    expect(answer.text).toBe('one');
    expect(calls()).toEqual({ a: 2, b: 0 });
    expect(summaryOf(answer.trail)).toEqual(['a/m error retry', 'a/m ok done']);
    expect(events.of('retry')).toHaveLength(1);
    expect(events.of('failover')).toHaveLength(0);
  });

  it('goes to the next target when the retry fails too', async () => {
    const { complete, calls, events } = setUp({ a: { error: 'overloaded' }, b: 'two' });
    const answer = await complete();
    expect(answer.text).toBe('two');
    expect(calls()).toEqual({ a: 2, b: 1 });
    expect(events.of('failover')[0]).toMatchObject({
      from: 'a/m',
      to: 'b/m',
      error: { code: 'overloaded' },
    });
  });

  it.each([
    'quota_exhausted',
    'auth',
    'permission',
    'model_not_found',
    'unsupported',
    'timeout',
  ] as const)('goes to the next target without a retry after %s', async (error) => {
    const { complete, calls } = setUp({ a: { error }, b: 'two' });
    expect((await complete()).text).toBe('two');
    expect(calls()).toEqual({ a: 1, b: 1 });
  });

  it.each(['invalid_request', 'request_too_large', 'content_filter', 'refusal'] as const)(
    'stops at %s and throws it',
    async (code) => {
      const { fails, calls } = setUp({ a: { error: code }, b: 'two' });
      const error = await fails();
      expect(error.code).toBe(code);
      expect(error.target).toBe('a/m');
      expect(summaryOf(error.trail)).toEqual(['a/m error stop']);
      expect(calls()).toEqual({ a: 1, b: 0 });
    },
  );

  it('goes to the next target after a code in fallbackOn', async () => {
    const { complete } = setUp(
      { a: { error: 'content_filter' }, b: 'two' },
      { fallbackOn: ['content_filter'] },
    );
    expect((await complete()).text).toBe('two');
  });

  it('lists every attempt when all targets failed', async () => {
    const { fails, calls } = setUp({ a: { error: 'server_error' }, b: { error: 'auth' } });
    const error = await fails();
    expect(error.code).toBe('all_targets_failed');
    expect(error.errors?.map((each) => `${each.target} ${each.code}`)).toEqual([
      'a/m server_error',
      'a/m server_error',
      'b/m auth',
    ]);
    expect(error.message).toContain('a/m');
    expect(error.message).toContain('b/m');
    expect(error.retryAfterMs).toBeGreaterThan(0);
    expect(calls()).toEqual({ a: 2, b: 1 });
  });

  it.each<[string, FakeScript, FakeScript, object, number | undefined]>([
    ['both', busy(30_000), busy(20_000), {}, 20_000],
    ['one', busy(30_000), { error: 'unsupported' }, {}, 30_000],
    ['one that does not say', busy(30_000), { error: 'server_error' }, {}, 30_000],
    ['longer than the circuit is open', busy(30_000), busy(40_000), opened, 30_000],
    ['shorter than the circuit is open', busy(2_000), busy(3_000), opened, 5_000],
    ['the circuit alone', { error: 'server_error' }, { error: 'unsupported' }, opened, 5_000],
    ['fail-fast', busy(30_000), busy(20_000), { whenAllOpen: 'fail-fast' }, 20_000],
    ['nobody', { error: 'server_error' }, { error: 'unsupported' }, {}, undefined],
  ])('has the earliest time at which a target may answer: %s', async (_, a, b, tier, expected) => {
    const { fails } = setUp({ a, b }, { retry: { attempts: 0 }, ...tier });
    const error = await fails();
    expect(error.code).toBe('all_targets_failed');
    expect(error.retryAfterMs).toBe(expected);
  });

  it('keeps the time when the circuit opens, for later calls', async () => {
    const { fails, runtime } = setUp(
      { a: busy(30_000), b: busy(40_000) },
      { ...opened, retry: { attempts: 0 }, whenAllOpen: 'fail-fast' },
    );
    expect((await fails()).retryAfterMs).toBe(30_000);
    await runtime.advance(1_000);
    expect((await fails()).retryAfterMs).toBe(4_000);
  });

  it('reports when the first target is available again', async () => {
    const { fails } = setUp({ a: { error: 'quota_exhausted' }, b: { error: 'auth' } });
    expect((await fails()).retryAfterMs).toBe(60_000);
  });

  it('fails with all_targets_failed even with one target', async () => {
    expect((await setUp({ a: { error: 'auth' } }).fails()).code).toBe('all_targets_failed');
  });

  it('makes at most maxAttempts attempts over all targets', async () => {
    const down = { error: 'server_error' } as const;
    const { fails, calls } = setUp({ a: down, b: down, c: down, d: down }, { maxAttempts: 3 });
    const error = await fails();
    expect(calls()).toEqual({ a: 1, b: 1, c: 1, d: 0 });
    expect(error.trail.at(-1)).toMatchObject({ target: 'd/m', outcome: 'skipped' });
  });

  it('retries one target retry.attempts times', async () => {
    const none = setUp({ a: { error: 'server_error' }, b: 'two' }, { retry: { attempts: 0 } });
    await none.complete();
    expect(none.calls()).toEqual({ a: 1, b: 1 });
    const three = setUp(
      { a: { error: 'connection' }, b: 'two' },
      { circuit: { consecutiveFailures: 9 } },
    );
    await three.complete({ retry: { attempts: 3 } });
    expect(three.calls()).toEqual({ a: 4, b: 1 });
  });
});

it('a success adds a tenth of a token to the retry budget', async () => {
  const { complete, router } = setUp({ a: 'one' });
  const before = router.snapshot().retryBudget;
  await complete();
  await complete();
  expect(router.snapshot().retryBudget - before).toBeCloseTo(0.2);
});

describe('a rate limit', () => {
  it('goes to the next target and does not affect other calls', async () => {
    const limited = { error: 'rate_limited', retryAfterMs: 5_000 } as const;
    const { complete, calls, router } = setUp({ a: [limited, 'one'], b: 'two' });
    expect((await complete()).text).toBe('two');
    expect((await complete()).text).toBe('one');
    expect(calls()).toEqual({ a: 2, b: 1 });
    expect(router.snapshot().targets['a/m']?.unavailableUntil).toEqual({});
  });

  it('makes the target unavailable after three of a few attempts', async () => {
    const limited = { error: 'rate_limited', retryAfterMs: 5_000 } as const;
    const script = [limited, limited, limited, 'one'];
    const { complete, calls, router, runtime } = setUp({ a: script, b: 'two' });
    for (let each = 0; each < 3; each++) expect((await complete()).text).toBe('two');
    const second = await complete();
    expect(second.text).toBe('two');
    expect(second.trail[0]).toMatchObject({ target: 'a/m', outcome: 'skipped' });
    expect(second.trail[0]?.reason).toContain('rate limited until');
    expect(router.snapshot().targets['a/m']?.circuit).toBe('closed');
    await runtime.advance(5_001);
    expect((await complete()).text).toBe('one');
    expect(calls()).toEqual({ a: 4, b: 4 });
  });

  it('is waited for when no other target is available', async () => {
    const { complete, runtime } = setUp({
      a: [{ error: 'rate_limited', retryAfterMs: 2_000 }, 'one'],
    });
    const before = runtime.now();
    expect((await complete()).text).toBe('one');
    expect(runtime.now() - before).toBeGreaterThanOrEqual(2_000);
  });

  it('without Retry-After causes at most 4 attempts in 3 s and 6 in total', async () => {
    const { fails, events, runtime } = setUp({ a: { error: 'rate_limited' } });
    const before = runtime.now();
    await fails();
    const starts = events.of('attempt-start').map((event) => event.at - before);
    expect(starts.filter((at) => at < 3_000).length).toBeLessThanOrEqual(4);
    expect(starts.length).toBeLessThanOrEqual(6);
    expect(starts.length).toBeGreaterThan(1);
  });

  it('is not waited for beyond the deadline', async () => {
    const { fails, runtime } = setUp({ a: { error: 'rate_limited', retryAfterMs: 120_000 } });
    const before = runtime.now();
    const error = await fails({ timeouts: { totalMs: 10_000 } });
    expect(error.code).toBe('all_targets_failed');
    expect(error.retryAfterMs).toBe(120_000);
    expect(runtime.now() - before).toBeLessThan(10_000);
  });

  it('is not waited for with retry.attempts 0', async () => {
    const { fails, calls } = setUp({
      a: { error: 'rate_limited', retryAfterMs: 1_000 },
      b: { error: 'auth' },
    });
    await fails({ retry: { attempts: 0 } });
    expect(calls()).toEqual({ a: 1, b: 1 });
  });

  it('is waited for after the other targets failed', async () => {
    const { complete, calls } = setUp({
      a: [{ error: 'rate_limited', retryAfterMs: 1_000 }, 'one'],
      b: { error: 'auth' },
    });
    expect((await complete()).text).toBe('one');
    expect(calls()).toEqual({ a: 2, b: 1 });
  });
});

describe('two rate limits', () => {
  it('are waited for in the order in which they end', async () => {
    const { complete, calls, runtime } = setUp({
      a: [{ error: 'rate_limited', retryAfterMs: 20_000 }, 'one'],
      b: [{ error: 'rate_limited', retryAfterMs: 5_000 }, 'two'],
      c: { error: 'auth' },
    });
    const before = runtime.now();
    expect((await complete()).text).toBe('two');
    expect(runtime.now() - before).toBe(5_000);
    expect(calls()).toEqual({ a: 1, b: 2, c: 1 });
  });
});

describe('a context window', () => {
  const tooLong = { error: 'context_length' } as const;

  it('that is too small leads only to a larger one', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const small = fakeProvider('small', { runtime });
    const router = createRouter({
      runtime,
      providers: {
        a: fakeProvider(tooLong, { runtime }),
        small,
        large: fakeProvider('large', { runtime }),
      },
      tiers: {
        t: [
          { target: 'a/m', contextWindow: 8_000 },
          { target: 'small/m', contextWindow: 8_000 },
          { target: 'large/m', contextWindow: 200_000 },
        ],
      },
    });
    const answer = await router.complete('t', 'hi');
    expect(answer.text).toBe('large');
    expect(small.calls).toHaveLength(0);
    expect(answer.trail[1]).toMatchObject({ target: 'small/m', outcome: 'skipped' });
  });

  it('that is unknown counts as larger', async () => {
    const { complete, calls } = setUp({ a: tooLong, b: 'two' });
    expect((await complete()).text).toBe('two');
    expect(calls()).toEqual({ a: 1, b: 1 });
  });
});

describe('timeouts', () => {
  it('fail over from a silent target without a retry', async () => {
    const { complete, calls, runtime } = setUp({ a: { hang: true }, b: 'two' });
    const before = runtime.now();
    const answer = await complete();
    expect(answer.text).toBe('two');
    expect(answer.trail[0]?.error).toMatchObject({ code: 'timeout', phase: 'first-token' });
    expect(runtime.now() - before).toBe(60_000);
    expect(calls()).toEqual({ a: 1, b: 1 });
  });

  it('fail over from an answer that stalls', async () => {
    const { complete } = setUp({ a: { text: 'a long enough answer', stallAfter: 1 }, b: 'two' });
    const answer = await complete();
    expect(answer.text).toBe('two');
    expect(answer.trail[0]?.error).toMatchObject({ code: 'timeout', phase: 'idle' });
  });

  it('end the call at totalMs without affecting the circuit', async () => {
    const { fails, runtime, router } = setUp({ a: { hang: true } });
    const before = runtime.now();
    const error = await fails({ timeouts: { totalMs: 700 } });
    expect(error).toMatchObject({ code: 'timeout', phase: 'total' });
    expect(runtime.now() - before).toBe(700);
    expect(router.snapshot().targets['a/m']).toMatchObject({ circuit: 'closed', failures: 0 });
  });

  it('leave a silent target while there is time for another one', async () => {
    const { complete, runtime } = setUp({ a: { hang: true }, b: { hang: true }, c: 'three' });
    const before = runtime.now();
    const answer = await complete({ timeouts: { totalMs: 8_000 } });
    expect(answer.text).toBe('three');
    expect(answer.trail.map(({ error }) => error?.phase)).toEqual([
      'first-token',
      'first-token',
      undefined,
    ]);
    expect(runtime.now() - before).toBe(4_000 + 2_000);
  });

  it('leave a stalled answer while there is time for another target', async () => {
    const stalls = { text: 'a long enough answer', stallAfter: 1 };
    const { complete, router, runtime } = setUp({ a: stalls, b: 'two' }, { midStream: 'fail' });
    const before = runtime.now();
    const options = { timeouts: { totalMs: 8_000 } };
    expect((await complete(options)).text).toBe('two');
    expect(runtime.now() - before).toBe(2_000);
    // Text that was shown cannot be retracted, so the answer gets all the time left.
    const { error } = await read(router.stream('t', 'hi', options));
    expect(error).toMatchObject({ code: 'timeout', phase: 'total' });
  });

  it('give a usually slow target the time that it needs and reserve some for the others', async () => {
    const slow = { text: 'one', firstTokenDelayMs: 6_000 };
    const { complete, router } = setUp({
      a: [slow, slow, { ...slow, firstTokenDelayMs: 8_500 }],
      b: 'two',
    });
    await complete();
    const options = { timeouts: { totalMs: 10_000 } };
    expect((await complete(options)).text).toBe('one');
    expect((await complete(options)).text).toBe('two');
    expect(router.snapshot().targets['b/m']?.calls).toBe(1);
  });

  it('do not take a language with few characters in a token for slow', async () => {
    const usage = { inputTokens: 1, outputTokens: 1_000 };
    const text = '荷物は火曜日の朝に倉庫を出ましたが、誰もそれを見ていませんでした。'.repeat(40);
    const steady = { chunks: text.match(/.{1,20}/g) ?? [], chunkDelayMs: 200, usage };
    const { complete } = setUp({ a: [{ text, usage }, steady], b: 'two' });
    await complete();
    expect((await complete({ timeouts: { totalMs: 20_000 } })).text).toBe(text);
  });

  it('leave an answer that is too slow to finish in time', async () => {
    const usage = { inputTokens: 1, outputTokens: 1_000 };
    const text = 'word '.repeat(800);
    const quick = { text, usage };
    const slow = { chunks: text.match(/.{1,40}/g) ?? [], chunkDelayMs: 200, usage };
    const { complete, calls, router } = setUp({ a: [quick, slow], b: 'two' });
    await complete();
    const answer = await complete({ timeouts: { totalMs: 10_000 } });
    expect(answer.text).toBe('two');
    expect(answer.trail[0]?.error).toMatchObject({ code: 'timeout', phase: 'pace' });
    expect(answer.latency.totalMs).toBeLessThan(3_000);
    expect(calls()).toEqual({ a: 2, b: 1 });
    expect(router.snapshot().targets['a/m']?.circuit).toBe('closed');
  });

  it('keep a slow answer that can finish in time', async () => {
    const usage = { inputTokens: 1, outputTokens: 100 };
    const text = 'word '.repeat(80);
    const slow = { chunks: text.match(/.{1,40}/g) ?? [], chunkDelayMs: 200, usage };
    const { complete } = setUp({ a: [{ text, usage }, slow], b: 'two' });
    await complete();
    expect((await complete({ timeouts: { totalMs: 10_000 } })).target).toBe('a/m');
  });

  it('give the last attempt all the time left', async () => {
    const { fails, runtime } = setUp({ a: { hang: true }, b: 'two' }, { maxAttempts: 1 });
    const before = runtime.now();
    const error = await fails({ timeouts: { totalMs: 8_000 } });
    expect(error).toMatchObject({ code: 'timeout', phase: 'total' });
    expect(runtime.now() - before).toBe(8_000);
  });

  it('leave no timer behind', async () => {
    const { complete, runtime } = setUp({ a: [{ error: 'server_error' }, 'one'] });
    await complete();
    expect(runtime.pending).toBe(0);
  });
});

describe('a circuit', () => {
  const down = { error: 'server_error' } as const;

  it('that opened while a retry waited for its delay sends the retry to the next target', async () => {
    // One after another, so that the first two have decided to retry before the third opens it.
    const later = (ms: number) => ({ ...down, firstTokenDelayMs: ms });
    const { complete, calls } = setUp(
      { a: [later(1), later(2), later(3), down], b: 'two' },
      { retry: { minMs: 4_000 } },
    );
    const answers = await Promise.all([complete(), complete(), complete()]);
    expect(answers.map(({ text }) => text)).toEqual(['two', 'two', 'two']);
    expect(calls()).toEqual({ a: 3, b: 3 });
  });

  it('opens after three consecutive failures and probes after 5 s', async () => {
    const { complete, calls, events, runtime } = setUp({
      a: [down, down, down, 'up', 'up', 'up'],
      b: 'two',
    });
    await complete();
    await complete();
    expect(events.of('circuit-open')).toHaveLength(1);
    expect((await complete()).trail[0]?.reason).toContain('circuit open until');
    expect(calls().a).toBe(3);
    await runtime.advance(5_000);
    expect((await complete()).text).toBe('up');
    expect(events.of('circuit-half-open')).toHaveLength(1);
    expect((await complete()).text).toBe('up');
    expect(events.of('circuit-close')).toHaveLength(1);
  });

  it('opens after consecutive failures, ignoring errors that do not count in between', async () => {
    const { fails, router } = setUp(
      { a: [down, down, { error: 'invalid_request' }, down] },
      { retry: { attempts: 0 } },
    );
    for (let call = 0; call < 3; call += 1) await fails();
    expect(router.snapshot().targets['a/m']?.circuit).toBe('closed');
    await fails();
    expect(router.snapshot().targets['a/m']?.circuit).toBe('open');
  });

  it('that is open for all targets still allows the least bad one by default', async () => {
    const { fails, complete, calls } = setUp({ a: [down, down, down, 'up'] });
    await fails();
    expect(calls().a).toBe(3);
    expect((await complete()).text).toBe('up');
  });

  it('that is open for all targets fails with retryAfterMs with fail-fast', async () => {
    const { fails, calls } = setUp({ a: down }, { whenAllOpen: 'fail-fast' });
    await fails();
    const error = await fails();
    expect(error.code).toBe('all_targets_failed');
    expect(error.retryAfterMs).toBe(5_000);
    expect(calls().a).toBe(3);
  });

  it('does not open for errors that do not count', async () => {
    const { fails, router } = setUp({ a: { error: 'invalid_request' } });
    for (let each = 0; each < 6; each++) await fails();
    expect(router.snapshot().targets['a/m']?.circuit).toBe('closed');
  });
});

describe('an interrupted answer', () => {
  const cut = { text: 'a long enough answer to be cut', cutAfter: 1 };

  it('is replaced by the next target in complete', async () => {
    const { complete, calls } = setUp({ a: cut, b: 'two' });
    const answer = await complete();
    expect(answer.text).toBe('two');
    expect(summaryOf(answer.trail)).toEqual(['a/m error next', 'b/m ok done']);
    expect(calls()).toEqual({ a: 1, b: 1 });
  });

  it('is replaced by the same target in complete when there is no other', async () => {
    const { complete } = setUp({ a: [cut, 'whole'] });
    expect((await complete()).text).toBe('whole');
  });

  it('fails a stream by default, with the partial answer', async () => {
    const { router } = setUp({ a: cut, b: 'two' });
    const { error, text } = await read(router.stream('t', 'hi'));
    expect(error).toMatchObject({ code: 'stream_interrupted', target: 'a/m', partial: { text } });
    expect(text).not.toBe('');
  });

  it('restarts a stream with midStream restart, with a restart part', async () => {
    const { router } = setUp({ a: cut, b: 'two' }, { midStream: 'restart' });
    const { error, text, types } = await read(router.stream('t', 'hi'));
    expect(error).toBeUndefined();
    expect(text).toBe('two');
    expect(types).toEqual([
      'start',
      'text-delta',
      'restart',
      'start',
      'text-delta',
      'part-end',
      'finish',
    ]);
  });

  it('before its first visible part fails over without a restart part', async () => {
    const { router } = setUp({ a: { error: 'stream_interrupted' }, b: 'two' });
    const { types, text } = await read(router.stream('t', 'hi'));
    expect(text).toBe('two');
    expect(types).not.toContain('restart');
  });
});

describe('unusable output', () => {
  it('is repaired once, then goes to the next target', async () => {
    const { complete, calls } = setUp({ a: '', b: 'two' });
    expect((await complete()).text).toBe('two');
    expect(calls()).toEqual({ a: 2, b: 1 });
  });

  it('is repaired with the reason', async () => {
    const seen: string[] = [];
    const { complete } = setUp({
      a: (request, attempt) => {
        const last = request.messages.at(-1)?.content[0];
        if (last?.type === 'text') seen.push(last.text);
        return attempt === 1 ? 'bad' : 'good';
      },
    });
    const answer = await complete({
      validate: ({ text }) => (text === 'good' ? true : 'the answer must be "good"'),
    });
    expect(answer.text).toBe('good');
    expect(seen[1]).toContain('the answer must be "good"');
  });

  it('is repaired in a stream with midStream restart', async () => {
    const seen: string[] = [];
    const { router } = setUp(
      {
        a: (request, attempt) => {
          const last = request.messages.at(-1)?.content[0];
          if (last?.type === 'text') seen.push(last.text);
          return attempt === 1 ? 'bad' : 'good';
        },
      },
      { midStream: 'restart' },
    );
    const validate = ({ text }: { text: string }) =>
      text === 'good' ? true : 'the answer must be "good"';
    const { text, error } = await read(router.stream('t', 'hi', { validate }));
    expect(error).toBeUndefined();
    expect(text).toBe('good');
    expect(seen[1]).toContain('the answer must be "good"');
  });

  it('is billed', async () => {
    const { complete, events } = setUp({ a: ['bad', 'good'] });
    const answer = await complete({ validate: ({ text }) => text === 'good' });
    expect(events.of('cost')).toHaveLength(2);
    expect(answer.cost.attemptsUsd).toBeGreaterThan(answer.cost.usd ?? 0);
  });

  it('does not affect the circuit', async () => {
    const { fails, router } = setUp({ a: 'bad' });
    await fails({ validate: () => false });
    await fails({ validate: () => false });
    expect(router.snapshot().targets['a/m']?.circuit).toBe('closed');
  });
});

describe('an abort', () => {
  it('by the caller ends the call with the reason as cause, and is not a failure', async () => {
    const { fails, router, runtime, events } = setUp({ a: { hang: true }, b: 'two' });
    const controller = new AbortController();
    const failing = fails({ signal: controller.signal });
    await runtime.settle();
    const reason = new Error('gone');
    controller.abort(reason);
    const error = await failing;
    expect(error.code).toBe('aborted');
    expect(error.cause).toBe(reason);
    expect(summaryOf(error.trail)).toEqual(['a/m aborted stop']);
    expect(events.of('call-end')[0]?.status).toBe('aborted');
    expect(router.snapshot().targets['a/m']?.failures).toBe(0);
    expect(runtime.pending).toBe(0);
  });

  it('before the call sends nothing', async () => {
    const { fails, calls } = setUp({ a: 'one' });
    expect((await fails({ signal: AbortSignal.abort() })).code).toBe('aborted');
    expect(calls()).toEqual({ a: 0 });
  });

  it('during a backoff ends the wait', async () => {
    const { fails, runtime, calls } = setUp({ a: { error: 'rate_limited', retryAfterMs: 60_000 } });
    const controller = new AbortController();
    const failing = fails({ signal: controller.signal });
    await Promise.resolve();
    const aborting = runtime.sleep(30_000).then(() => controller.abort());
    expect((await failing).code).toBe('aborted');
    await aborting;
    expect(calls()).toEqual({ a: 1 });
    expect(runtime.pending).toBe(0);
  });

  it('by leaving the loop is reported as aborted', async () => {
    const { router, events, runtime } = setUp({ a: 'a long enough answer for two chunks' });
    const stream = router.stream('t', 'hi');
    for await (const part of stream) if (part.type === 'text-delta') break;
    await expect(stream.completion).rejects.toMatchObject({ code: 'aborted' });
    expect(events.of('call-end')[0]?.status).toBe('aborted');
    expect(events.of('attempt-end')[0]?.outcome).toBe('aborted');
    expect(runtime.pending).toBe(0);
  });
});

it('a reader that leaves at the first part frees the slot and leaves no timer', async () => {
  const { router, events, runtime } = setUp({ a: 'an answer' }, { limits: { concurrency: 1 } });
  for await (const _ of router.stream('t', 'hi')) break;
  expect(events.of('attempt-end')[0]?.outcome).toBe('aborted');
  expect(runtime.pending).toBe(0);
  expect((await router.complete('t', 'hi')).text).toBe('an answer');
});

describe('cost and tags', () => {
  it('are included in the completion and in every event', async () => {
    const { complete, events } = setUp(
      { a: [{ error: 'server_error' }, 'one'] },
      { tags: { tier: 'x' } },
    );
    const answer = await complete({ tags: { feature: 'search' } });
    const tags = { service: 'test', tier: 'x', feature: 'search' };
    expect(answer.tags).toEqual(tags);
    for (const event of events.events) expect(event.tags).toEqual(tags);
  });

  it('are emitted once per billed attempt, so that the events add up to the bill', async () => {
    const { complete, events } = setUp({
      a: { text: 'cut off in the middle', cutAfter: 1 },
      b: 'two',
    });
    const answer = await complete();
    const sum = events.of('cost').reduce((total, event) => total + (event.usd ?? 0), 0);
    expect(sum).toBeCloseTo(answer.cost.attemptsUsd, 12);
    expect(answer.cost.priced).toBe('exact');
  });

  it('are null when the price is unknown', async () => {
    const router = createRouter({ providers: { a: fakeProvider('one') }, tiers: { t: ['a/m'] } });
    const { cost } = await router.complete('t', 'hi');
    expect(cost).toMatchObject({ usd: null, priced: 'unknown' });
  });
});

describe('the tags of a target', () => {
  it('are merged over those of the tier and under those of the call', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const router = createRouter({
      runtime,
      providers: { a: fakeProvider('one', { runtime }) },
      tiers: {
        t: {
          targets: [{ target: 'a/m', tags: { region: 'eu', level: 'target', source: 'target' } }],
          tags: { level: 'tier' },
        },
      },
    });
    const events = recordEvents(router);
    const answer = await router.complete('t', 'hi', { tags: { source: 'call' } });
    const tags = { region: 'eu', level: 'target', source: 'call' };
    expect(answer.tags).toEqual(tags);
    expect(events.of('cost')[0]?.tags).toEqual(tags);
    expect(events.of('call-start')[0]?.tags).toEqual({ level: 'tier', source: 'call' });
  });
});

describe('an option that is undefined', () => {
  it('counts as not set, in tags and in groups of options, wherever it is', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const a = fakeProvider([{ text: 'late', firstTokenDelayMs: 500 }, 'two'], { runtime });
    const router = createRouter({
      runtime,
      providers: { a },
      tags: { service: 'shop', region: undefined },
      providerLimits: { a: undefined },
      defaults: { tags: { service: undefined }, providerOptions: { a: undefined } },
      tiers: {
        t: {
          targets: [{ target: 'a/m', tags: { team: 'one', service: undefined } }],
          timeouts: { firstTokenMs: 100 },
          tags: { level: 'gold', service: undefined },
        },
      },
    });
    const options = {
      signal: undefined,
      tags: { user: undefined, level: undefined },
      timeouts: { firstTokenMs: undefined },
      retry: { attempts: undefined },
      providerOptions: { a: undefined },
    };
    // The tier's timeout applies.
    await expect(router.complete('t', 'hi', options)).rejects.toMatchObject({
      errors: [{ code: 'timeout', phase: 'first-token' }],
    });
    const answer = await router.complete('t', 'hi', options);
    expect(answer.tags).toStrictEqual({ service: 'shop', level: 'gold', team: 'one' });
  });
});

describe('an invalid call', () => {
  it.each([
    [
      [{ role: 'user', content: [{ typ: 'text' }] }],
      undefined,
      /messages\[0\]\.content\[0\]\.type: must/,
    ],
    [[{ role: 'usr', content: 'x' }], undefined, /messages\[0\]\.role: must/],
    [undefined, undefined, /messages: must/],
    ['x', 'options', /options: must be an object/],
    ['x', { temprature: 1 }, /temprature: unknown option; did you mean "temperature"/],
  ])('throws with the path: %j, %j', async (messages, options, message) => {
    const { router, calls } = setUp({ a: 'one' });
    await expect(router.complete('t', messages as never, options as never)).rejects.toThrow(
      message,
    );
    await expect(
      router.stream('t', messages as never, options as never).completion,
    ).rejects.toThrow(message);
    expect(() => router.on('cost', 'x' as never)).toThrow('the listener must be a function');
    expect(calls()).toEqual({ a: 0 });
  });
});

describe('a router', () => {
  it('uses a new configuration for new calls, and keeps the old one if the new one is invalid', async () => {
    const { router, complete, events } = setUp({ a: 'one', b: 'two' });
    router.reconfigure({ tiers: { t: ['b/m'] } });
    expect((await complete()).text).toBe('two');
    expect(events.of('config-change')).toHaveLength(1);
    const bad = { tiers: { t: ['c/m'] }, providers: {} } as const;
    expect(() => router.reconfigure(bad)).toThrow(/providers: cannot be replaced[\s\S]*"c"/);
    expect((await complete()).text).toBe('two');
  });

  it('finishes a running call with its configuration', async () => {
    const { router, complete, runtime } = setUp({
      a: { text: 'one', firstTokenDelayMs: 50 },
      b: 'two',
    });
    const running = complete();
    await runtime.settle();
    router.reconfigure({ tiers: { t: ['b/m'] } });
    expect((await running).text).toBe('one');
  });

  it('explains a call without making it', async () => {
    const { router, calls, complete } = setUp({ a: { error: 'auth' }, b: 'two' });
    await complete();
    const explained = await router.explain('t', 'hi', { route: { ignore: [] } });
    expect(explained.candidates.map(({ target }) => target)).toEqual(['b/m']);
    expect(explained.skipped[0]).toMatchObject({ target: 'a/m' });
    expect(explained.skipped[0]?.reason).toContain('key rejected until');
    expect(calls()).toEqual({ a: 1, b: 1 });
  });

  it('rejects calls after close, and drains running ones with drainMs', async () => {
    const { router, complete, fails } = setUp({ a: { text: 'one', firstTokenDelayMs: 500 } });
    const running = complete();
    await router.close({ drainMs: 5_000 });
    expect((await running).text).toBe('one');
    expect((await fails()).code).toBe('closed');
  });
});

describe('a fallback tier', () => {
  it('follows after the tier, and tries each target once', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const router = createRouter({
      runtime,
      providers: {
        a: fakeProvider({ error: 'auth' }, { runtime }),
        b: fakeProvider('two', { runtime }),
      },
      tiers: { best: { targets: ['a/m'], fallbackTier: 'fast' }, fast: ['a/m', 'b/m'] },
    });
    const answer = await router.complete('best', 'hi');
    expect(answer).toMatchObject({ text: 'two', tier: 'best', target: 'b/m' });
    expect(summaryOf(answer.trail)).toEqual(['a/m error next', 'b/m ok done']);
  });
});

describe('a timeout that a call set shorter than its tier', () => {
  async function afterImpatientCalls(timeouts: object, tier: object = {}) {
    const runtime = fakeRuntime({ time: 'auto' });
    const a = fakeProvider({ text: 'a', firstTokenDelayMs: 400 }, { runtime });
    const b = fakeProvider('b', { runtime });
    const router = createRouter({
      runtime,
      providers: { a, b },
      tiers: { t: { targets: ['a/m', 'b/m'], retry: { attempts: 0 }, ...tier } },
    });
    for (let call = 0; call < 4; call += 1) {
      await router.complete('t', 'now', { timeouts }).catch(() => undefined);
    }
    return router.snapshot().targets['a/m']?.circuit;
  }

  it.each([{ firstTokenMs: 100 }, { totalMs: 500 }])(
    'does not open the circuit: %j',
    async (set) => {
      expect(await afterImpatientCalls(set)).toBe('closed');
    },
  );

  it('opens it when the tier has the same timeout', async () => {
    const timeouts = { firstTokenMs: 100 };
    expect(await afterImpatientCalls({}, { timeouts })).toBe('open');
    expect(await afterImpatientCalls({ firstTokenMs: 5_000 }, { timeouts })).toBe('closed');
  });
});

it('sends the messages as they were when the call was made', async () => {
  const runtime = fakeRuntime();
  const a = fakeProvider({ error: 'auth', firstTokenDelayMs: 50 }, { runtime });
  const b = fakeProvider('b', { runtime });
  const router = createRouter({ runtime, providers: { a, b }, tiers: { t: ['a/m', 'b/m'] } });
  const part = { type: 'text' as const, text: 'first' };
  const content: Part[] = [part];
  const messages: Message[] = [{ role: 'user', content }];
  const call = router.complete('t', messages);
  await runtime.advance(10);
  part.text = 'changed';
  content.push({ type: 'text', text: 'more' });
  messages.push({ role: 'user', content: 'second' });
  await runtime.advance(100);
  await call;
  const sent = [{ role: 'user', content: [{ type: 'text', text: 'first' }] }];
  expect(b.calls[0]?.request.messages).toEqual(sent);
});

describe('connections that are lost', () => {
  async function circuitAfter(frozenMs: number) {
    const started = fakeRuntime();
    let aheadMs = 0;
    const runtime = { ...started, now: () => started.now() + aheadMs };
    const lost = Promise.withResolvers<void>();
    const a = fakeProvider('a', { runtime });
    const losing = {
      ...a,
      prepare: () => ({
        warnings: [],
        async *send() {
          yield [{ type: 'open' as const }];
          await lost.promise;
          throw new SignalboxError('stream_interrupted', 'reset by peer');
        },
      }),
    };
    const providers = { a: losing };
    const tiers = { t: { targets: ['a/m' as const], retry: { attempts: 0 } } };
    const router = createRouter({ runtime, providers, tiers });
    const calls = [1, 2, 3, 4].map(() => router.complete('t', 'hi').catch(() => undefined));
    await started.advance(0);
    aheadMs = frozenMs;
    lost.resolve();
    await Promise.all(calls);
    return router.snapshot().targets['a/m']?.circuit;
  }

  it('open the circuit', async () => {
    expect(await circuitAfter(0)).toBe('open');
  });

  it('do not open it when the process was frozen meanwhile', async () => {
    expect(await circuitAfter(120_000)).toBe('closed');
  });
});
