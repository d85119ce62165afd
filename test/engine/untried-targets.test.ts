import { describe, expect, it } from 'vitest';
import { isSignalboxError, SignalboxError } from '../../src/errors.ts';
import type { CallOptions } from '../../src/protocol/call-options.ts';
import type { TargetObject, TierSettings } from '../../src/protocol/config.ts';
import type { StreamPart } from '../../src/protocol/stream-part.ts';
import { createRouter } from '../../src/router.ts';
import type { FakeAnswer } from '../../src/testing/fake-answer.ts';
import { type FakeScript, fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { recordEvents } from '../../src/testing/record-events.ts';

const reserved = 'the attempts left are for untried targets';
const down = { error: 'server_error' } as const;
const late: FakeAnswer = { text: 'late', firstTokenDelayMs: 2_000 };

type More = {
  readonly tier?: TierSettings;
  /** Options by target. */
  readonly targets?: Readonly<Record<string, Omit<TargetObject, 'target'>>>;
  /** Number of keys by provider. */
  readonly keys?: Readonly<Record<string, number>>;
};

/** A router with fake providers on virtual time: one target `<name>/m` per script, in this order. */
function setUp(scripts: Record<string, FakeScript>, { tier, targets, keys }: More = {}) {
  const runtime = fakeRuntime({ time: 'auto' });
  const names = Object.keys(scripts);
  const fakes = Object.fromEntries(
    names.map((name) => [
      name,
      { ...fakeProvider(scripts[name] ?? '', { runtime }), keyCount: keys?.[name] ?? 1 },
    ]),
  );
  const router = createRouter({
    runtime,
    providers: fakes,
    tiers: {
      t: {
        ...tier,
        targets: names.map((name) => ({ target: `${name}/m` as const, ...targets?.[name] })),
      },
    },
  });
  const complete = (options?: CallOptions) => router.complete('t', 'hi', options);
  const fails = async (options?: CallOptions): Promise<SignalboxError> => {
    const error: unknown = await complete(options).catch((reason: unknown) => reason);
    if (!isSignalboxError(error)) throw new Error('the call did not fail with a SignalboxError');
    return error;
  };
  const calls = (): Record<string, number> =>
    Object.fromEntries(names.map((name) => [name, fakes[name]?.calls.length ?? 0]));
  return { runtime, router, complete, fails, calls, events: recordEvents(router) };
}

async function textOf(parts: AsyncIterable<StreamPart>): Promise<string> {
  let text = '';
  for await (const part of parts) {
    if (part.type === 'restart') text = '';
    if (part.type === 'text-delta') text += part.delta;
  }
  return text;
}

describe('a retry', () => {
  it('is skipped when there are no more attempts left than untried targets', async () => {
    const { complete, calls } = setUp({ a: down, b: down, c: down, d: 'healthy' });
    const { text, trail } = await complete();
    expect(text).toBe('healthy');
    expect(calls()).toEqual({ a: 2, b: 2, c: 1, d: 1 });
    expect(trail.find(({ target }) => target === 'c/m')).toMatchObject({
      outcome: 'error',
      verdict: 'next',
      reason: reserved,
    });
  });

  it('is skipped in a stream too', async () => {
    const { router, calls } = setUp({ a: down, b: down, c: down, d: 'healthy' });
    expect(await textOf(router.stream('t', 'hi'))).toBe('healthy');
    expect(calls()).toEqual({ a: 2, b: 2, c: 1, d: 1 });
  });

  it('is skipped for the targets of the fallback tier', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const router = createRouter({
      runtime,
      providers: {
        a: fakeProvider(down, { runtime }),
        b: fakeProvider(down, { runtime }),
        c: fakeProvider('healthy', { runtime }),
      },
      tiers: {
        first: { targets: ['a/m', 'b/m'], fallbackTier: 'last', maxAttempts: 3 },
        last: ['c/m'],
      },
    });
    expect((await router.complete('first', 'hi')).text).toBe('healthy');
  });

  it('takes no token when it is skipped', async () => {
    const { complete, router } = setUp({ a: down, b: 'two' }, { tier: { maxAttempts: 2 } });
    const before = router.snapshot().retryBudget;
    await complete();
    expect(router.snapshot().retryBudget).toBeGreaterThanOrEqual(before);
  });

  it('is made when there are attempts for both', async () => {
    const { complete, calls } = setUp({ a: [down, 'one'], b: 'two' }, { tier: { maxAttempts: 3 } });
    expect((await complete()).text).toBe('one');
    expect(calls()).toEqual({ a: 2, b: 0 });
  });

  it('is not skipped for an unavailable target', async () => {
    const { complete, fails, calls } = setUp(
      { a: [down, down, 'one'], b: [{ error: 'quota_exhausted' }] },
      { tier: { maxAttempts: 2 } },
    );
    await fails();
    expect(calls()).toEqual({ a: 1, b: 1 });
    expect((await complete()).text).toBe('one');
    expect(calls()).toEqual({ a: 3, b: 1 });
  });

  it('is not skipped for a target whose window is too small', async () => {
    const tooLong = { error: 'context_length' } as const;
    const { complete, calls } = setUp(
      { a: tooLong, b: [down, 'two'], c: 'three' },
      {
        tier: { maxAttempts: 3 },
        targets: {
          a: { contextWindow: 8_000 },
          b: { contextWindow: 9_000 },
          c: { contextWindow: 8_000 },
        },
      },
    );
    expect((await complete()).text).toBe('two');
    expect(calls()).toEqual({ a: 1, b: 2, c: 0 });
  });

  it('counts the retry that the other target of a hedge waits for', async () => {
    const { complete, calls, runtime } = setUp(
      {
        a: { error: 'server_error', firstTokenDelayMs: 400 },
        b: { error: 'server_error', firstTokenDelayMs: 110 },
        c: 'healthy',
      },
      {
        tier: {
          hedge: { afterMs: 300, maxExtra: 1 },
          retry: { minMs: 5_000 },
          maxAttempts: 4,
        },
      },
    );
    expect((await complete()).text).toBe('healthy');
    expect(calls()).toEqual({ a: 2, b: 1, c: 1 });
    expect(runtime.pending).toBe(0);
  });

  it('is skipped when its delay would take most of the time left', async () => {
    const busy = { error: 'overloaded', retryAfterMs: 900 } as const;
    const { complete, calls } = setUp({ a: busy, b: { text: 'two', firstTokenDelayMs: 800 } });
    const { trail } = await complete({ timeouts: { totalMs: 1_500 } });
    expect(calls()).toEqual({ a: 1, b: 1 });
    expect(trail[0]?.reason).toBe('another target is faster than a wait of 900 ms');
  });
});

describe('a repair', () => {
  it('is skipped when the attempts left are reserved for untried targets', async () => {
    const { complete, calls } = setUp({ a: '', b: '', c: '', d: 'healthy' });
    for (let call = 0; call < 5; call += 1) {
      const { text, trail } = await complete();
      expect(text).toBe('healthy');
      expect(trail.at(-2)).toMatchObject({ target: 'c/m', reason: reserved });
    }
    expect(calls()).toEqual({ a: 10, b: 10, c: 5, d: 5 });
  });

  it('is skipped in a stream with midStream restart too', async () => {
    const { router, calls } = setUp(
      { a: 'bad', b: 'good' },
      { tier: { maxAttempts: 2, midStream: 'restart' } },
    );
    const validate = ({ text }: { text: string }): boolean => text === 'good';
    expect(await textOf(router.stream('t', 'hi', { validate }))).toBe('good');
    expect(calls()).toEqual({ a: 1, b: 1 });
  });
});

describe('a target that cannot continue an answer', () => {
  it('is not restarted with an attempt that is reserved for an untried target', async () => {
    const cut = { chunks: ['One two ', 'three ', 'four'], cutAfter: 2 };
    const { router, calls } = setUp(
      { a: cut, b: { error: 'invalid_request' }, c: 'four' },
      { tier: { maxAttempts: 3, midStream: 'continue' } },
    );
    expect(await textOf(router.stream('t', 'hi'))).toBe('One two three four');
    expect(calls()).toEqual({ a: 1, b: 1, c: 1 });
  });
});

describe('the keys of a pool', () => {
  it('do not take the attempts that are reserved for an untried target', async () => {
    const { complete, calls } = setUp({ a: { error: 'auth' }, b: 'two' }, { keys: { a: 8 } });
    const { text, trail } = await complete();
    expect(text).toBe('two');
    expect(calls()).toEqual({ a: 5, b: 1 });
    expect(trail.filter(({ reason }) => reason === reserved)).toHaveLength(3);
  });

  it('are tried after an untried target that turned out not to support the request', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const lacks = fakeProvider('two', { runtime });
    const router = createRouter({
      runtime,
      providers: {
        a: { ...fakeProvider([{ error: 'auth' }, 'second key'], { runtime }), keyCount: 2 },
        b: {
          ...lacks,
          prepare: () => {
            throw new SignalboxError('unsupported', 'is not supported');
          },
        },
      },
      tiers: { t: { targets: ['a/m', 'b/m'], maxAttempts: 2 } },
    });
    const { text, trail } = await router.complete('t', 'hi');
    expect(text).toBe('second key');
    expect(trail.map(({ target, outcome }) => `${target} ${outcome}`)).toEqual([
      'a/m error',
      'a/m skipped',
      'b/m skipped',
      'a/m ok',
    ]);
  });
});

describe('a skipped key', () => {
  const failing = { error: 'timeout', firstTokenDelayMs: 61_000 } as const;
  const options = { timeouts: { firstTokenMs: 100_000 } };

  it.each([
    ['before', 1],
    ['after', 0],
  ])(
    '%s another failed is not tried later when the failure applies to the target',
    async (_, more) => {
      const answers = Array.from({ length: 1 + more }, () => 'one');
      const { complete, fails, calls } = setUp(
        { a: [{ error: 'auth' }, ...answers, failing, 'the first key'] },
        { keys: { a: 2 } },
      );
      for (let call = 0; call <= more; call += 1) await complete();
      await fails(options);
      expect(calls()).toEqual({ a: 3 + more });
    },
  );
});

describe('a skipped target', () => {
  it('is tried before one that would have to wait', async () => {
    const { complete, fails, calls } = setUp(
      {
        a: [{ text: 'long', firstTokenDelayMs: 50_000 }, 'waited for'],
        b: { error: 'timeout', firstTokenDelayMs: 8_000 },
        c: [down, down, down, 'back'],
      },
      { targets: { a: { limits: { concurrency: 1 } } } },
    );
    await fails({ route: { only: ['c'] } });
    const [, { text }] = await Promise.all([complete({ route: { only: ['a'] } }), complete()]);
    expect(text).toBe('back');
    expect(calls()).toEqual({ a: 1, b: 1, c: 4 });
  });

  it('is tried last when its circuit admits it then', async () => {
    const { complete, fails, calls, events } = setUp({
      a: [{ text: 'one' }, { error: 'timeout', firstTokenDelayMs: 8_000 }],
      b: [down, down, down, 'back'],
    });
    await complete({ route: { only: ['a'] } });
    await fails({ route: { only: ['b'] } });
    expect(events.of('circuit-open')).toHaveLength(1);
    const { text, trail } = await complete();
    expect(text).toBe('back');
    expect(trail.map(({ target, outcome }) => `${target} ${outcome}`)).toEqual([
      'a/m error',
      'b/m skipped',
      'b/m ok',
    ]);
    expect(calls()).toEqual({ a: 2, b: 4 });
  });

  it('is not tried when its circuit is still open', async () => {
    const { fails, calls } = setUp({
      a: { error: 'timeout', firstTokenDelayMs: 1_000 },
      b: [down, down, down, 'back'],
    });
    await fails({ route: { only: ['b'] } });
    const error = await fails();
    expect(error.trail.map(({ outcome }) => outcome)).toEqual(['error', 'skipped']);
    expect(calls()).toEqual({ a: 1, b: 3 });
  });

  it('is tried last when its queue had rejected it and has room then', async () => {
    const { complete, calls } = setUp(
      {
        a: [{ text: 'one', firstTokenDelayMs: 3_000 }, 'room again'],
        b: [{ text: 'two', firstTokenDelayMs: 4_000 }, { error: 'auth' }],
      },
      {
        targets: {
          a: { limits: { concurrency: 1, maxQueueMs: 1_000 } },
          b: { limits: { concurrency: 1 } },
        },
      },
    );
    const [, , third] = await Promise.all([
      complete({ route: { only: ['a'] } }),
      complete({ route: { only: ['b'] } }),
      complete(),
    ]);
    expect(third?.text).toBe('room again');
    expect(third?.trail.map(({ target, outcome }) => `${target} ${outcome}`)).toEqual([
      'a/m skipped',
      'b/m error',
      'a/m ok',
    ]);
    expect(calls()).toEqual({ a: 2, b: 2 });
  });

  it('is tried last when its circuit opened during the call and admits it then', async () => {
    const { complete, fails, calls, runtime } = setUp({
      a: { error: 'timeout', firstTokenDelayMs: 2_000 },
      b: [down, down, down, 'back'],
      c: { error: 'timeout', firstTokenDelayMs: 8_000 },
    });
    const calling = complete();
    await runtime.sleep(100);
    await fails({ route: { only: ['b'] } });
    const { text, trail } = await calling;
    expect(text).toBe('back');
    expect(trail.map(({ target, outcome }) => `${target} ${outcome}`)).toEqual([
      'a/m error',
      'b/m skipped',
      'c/m error',
      'b/m ok',
    ]);
    expect(calls()).toEqual({ a: 1, b: 4, c: 1 });
  });

  it('is tried with the last attempt, before the next key of a tried target', async () => {
    const { complete, fails, calls } = setUp(
      {
        a: [{ error: 'auth', firstTokenDelayMs: 8_000 }, 'second key'],
        b: [down, down, down, 'back'],
      },
      { keys: { a: 2 }, tier: { maxAttempts: 2, retry: { attempts: 2 } } },
    );
    for (let call = 0; call < 2; call += 1) await fails({ route: { only: ['b'] } });
    expect((await complete()).text).toBe('back');
    expect(calls()).toEqual({ a: 1, b: 4 });
  });

  it('is not tried when no attempt is left', async () => {
    const { fails, calls } = setUp(
      { a: { error: 'timeout', firstTokenDelayMs: 8_000 }, b: [down, 'back'] },
      { tier: { maxAttempts: 1, circuit: { consecutiveFailures: 1 } } },
    );
    await fails({ route: { only: ['b'] } });
    const { trail } = await fails();
    expect(trail.map(({ target, outcome }) => `${target} ${outcome}`)).toEqual([
      'a/m error',
      'b/m skipped',
    ]);
    expect(calls()).toEqual({ a: 1, b: 1 });
  });

  it('is tried last even if it is usually too slow', async () => {
    const slow: FakeAnswer = { text: 'one', firstTokenDelayMs: 6_000 };
    const quick: FakeAnswer = { text: 'quick this time', firstTokenDelayMs: 100 };
    const { complete, calls } = setUp({ a: [slow, slow, quick], b: { error: 'auth' } });
    await complete();
    await complete();
    const { text, trail } = await complete({ timeouts: { totalMs: 5_000 } });
    expect(text).toBe('quick this time');
    expect(trail.map(({ target, outcome }) => `${target} ${outcome}`)).toEqual([
      'a/m skipped',
      'b/m error',
      'a/m ok',
    ]);
    expect(calls()).toEqual({ a: 3, b: 1 });
  });
});

it('a target that is usually too slow and one that would have to wait are not postponed for each other', async () => {
  const slow: FakeAnswer = { text: 'one', firstTokenDelayMs: 6_000 };
  const { complete, calls } = setUp(
    {
      a: [slow, slow, { text: 'quick this time', firstTokenDelayMs: 100 }],
      b: { error: 'auth' },
      c: { text: 'long', firstTokenDelayMs: 50_000 },
    },
    { targets: { c: { limits: { concurrency: 1 } } } },
  );
  await complete();
  await complete();
  const [, { text }] = await Promise.all([
    complete({ route: { only: ['c'] } }),
    complete({ timeouts: { totalMs: 5_000 } }),
  ]);
  expect(text).toBe('quick this time');
  expect(calls()).toEqual({ a: 3, b: 1, c: 1 });
});

describe('the target that lost to a hedge', () => {
  const hedge = { afterMs: 300, maxExtra: 1 };

  it.each([
    ['breaks off', { chunks: ['a', 'b', 'c'], cutAfter: 1 }],
    ['is unusable', { text: '' }],
  ] as const)('is tried again when the answer of the hedge %s', async (_, answer) => {
    const { complete, events, runtime } = setUp(
      { a: late, b: answer },
      { tier: { hedge, repairAttempts: 0 } },
    );
    const { text, target } = await complete();
    expect([text, target]).toEqual(['late', 'a/m']);
    expect(events.of('failover')).toMatchObject([{ from: 'b/m', to: 'a/m' }]);
    expect(runtime.pending).toBe(0);
  });

  it('is tried again in a stream with midStream restart', async () => {
    const { router } = setUp(
      { a: late, b: { chunks: ['a', 'b', 'c'], cutAfter: 1 } },
      { tier: { hedge, midStream: 'restart' } },
    );
    expect(await textOf(router.stream('t', 'hi'))).toBe('late');
  });

  it('gets the last attempt rather than a repair of the hedge', async () => {
    const { complete, calls } = setUp({ a: late, b: '' }, { tier: { hedge, maxAttempts: 3 } });
    expect((await complete()).text).toBe('late');
    expect(calls()).toEqual({ a: 2, b: 1 });
  });
});

describe('a first target that failed before the hedge started', () => {
  it('is not tried again when the answer of the hedge breaks off', async () => {
    const { fails, calls } = setUp(
      {
        a: { error: 'timeout', firstTokenDelayMs: 320 },
        b: [{ chunks: ['a', 'b', 'c'], firstTokenDelayMs: 100, cutAfter: 1 }, { error: 'auth' }],
      },
      { tier: { hedge: { afterMs: 300, maxExtra: 1 } } },
    );
    await fails();
    expect(calls()).toEqual({ a: 1, b: 2 });
  });
});

describe('an attempt that the queue rejected', () => {
  it('does not count as an attempt', async () => {
    const { complete, calls } = setUp(
      {
        a: { text: 'one', firstTokenDelayMs: 9_000 },
        b: [{ text: 'two', firstTokenDelayMs: 4_000 }, down, 'retried'],
      },
      {
        tier: { maxAttempts: 2 },
        targets: {
          a: { limits: { concurrency: 1, maxQueueMs: 1_000 } },
          b: { limits: { concurrency: 1 } },
        },
      },
    );
    const [, , third] = await Promise.all([
      complete({ route: { only: ['a'] } }),
      complete({ route: { only: ['b'] } }),
      complete(),
    ]);
    expect(third?.text).toBe('retried');
    expect(calls()).toEqual({ a: 1, b: 3 });
  });
});

describe('a retry that a hedge replaced', () => {
  it('leaves its attempt to the repair of the hedge', async () => {
    const { complete, calls, events } = setUp(
      {
        a: { error: 'overloaded', retryAfterMs: 900, firstTokenDelayMs: 100 },
        b: ['', 'repaired'],
      },
      { tier: { hedge: { afterMs: 300, maxExtra: 1 }, maxAttempts: 3 } },
    );
    expect((await complete()).text).toBe('repaired');
    expect(events.of('retry')).toHaveLength(2);
    expect(events.of('hedge')).toHaveLength(1);
    expect(calls()).toEqual({ a: 1, b: 2 });
  });
});

describe('a hedge that started second', () => {
  it('is tried again when the first answer breaks off', async () => {
    const { complete, calls } = setUp(
      {
        a: { chunks: ['a', 'b'], firstTokenDelayMs: 400, cutAfter: 1 },
        b: { text: 'two', firstTokenDelayMs: 500 },
      },
      { tier: { hedge: { afterMs: 300, maxExtra: 1 } } },
    );
    expect((await complete()).text).toBe('two');
    expect(calls()).toEqual({ a: 1, b: 2 });
  });
});

describe('a prompt that is too long', () => {
  const tooLong = { error: 'context_length' } as const;

  it('for an unknown window goes to a window that is large enough', async () => {
    const { router, calls } = setUp(
      { a: tooLong, small: 'small', large: 'large' },
      { targets: { small: { contextWindow: 500 }, large: { contextWindow: 1_000_000 } } },
    );
    const { text, trail } = await router.complete('t', 'word '.repeat(600));
    expect(text).toBe('large');
    expect(trail[1]).toMatchObject({ outcome: 'skipped' });
    expect(trail[1]?.reason).toBe('its context window of 500 tokens is too small');
    expect(calls()).toEqual({ a: 1, small: 0, large: 1 });
  });

  it('for an unknown window goes to a window that may be large enough', async () => {
    const { complete } = setUp(
      { a: tooLong, b: 'two' },
      { targets: { b: { contextWindow: 8_000 } } },
    );
    expect((await complete()).text).toBe('two');
  });

  it.each([
    ['a smaller window', 4_000],
    ['an unknown window', undefined],
  ])(
    'for a large window is not sent to a window of that size again after %s',
    async (_, window) => {
      const { complete, calls } = setUp(
        { a: tooLong, b: tooLong, same: 'same', larger: 'larger' },
        {
          targets: {
            a: { contextWindow: 200_000 },
            ...(window !== undefined && { b: { contextWindow: window } }),
            same: { contextWindow: 200_000 },
            larger: { contextWindow: 200_001 },
          },
        },
      );
      expect((await complete()).text).toBe('larger');
      expect(calls()).toEqual({ a: 1, b: window === undefined ? 1 : 0, same: 0, larger: 1 });
    },
  );
});
