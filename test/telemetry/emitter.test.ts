import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { RouterEvent } from '../../src/protocol/events.ts';
import { createRouter } from '../../src/router.ts';
import { createEmitter } from '../../src/telemetry/emitter.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';

const changed: RouterEvent = {
  type: 'config-change',
  at: 1,
  callId: null,
  tier: null,
  tags: {},
  tiers: ['fast'],
  changes: [],
  source: 'reconfigure',
  version: 2,
};

function setUp() {
  const emitter = createEmitter(
    () => 7,
    () => ({ service: 'checkout' }),
  );
  const errors: unknown[] = [];
  emitter.on('listener-error', (event) => {
    errors.push(event);
  });
  return { emitter, errors };
}

const reported = (error: unknown) => ({
  type: 'listener-error',
  at: 7,
  callId: null,
  tier: null,
  tags: { service: 'checkout' },
  event: 'config-change',
  error,
});

test('throws for an unknown event', () => {
  const { emitter } = setUp();
  const listener = (): void => undefined;
  expect(() => emitter.on('cots' as 'cost', listener)).toThrow(
    'there is no event "cots"; did you mean "cost"?',
  );
  expect(() => emitter.once('toString' as 'cost', listener)).toThrow(
    'there is no event "toString"',
  );
});

describe('createEmitter', () => {
  test('calls listeners of an event in the order of registration', () => {
    const { emitter } = setUp();
    const heard: string[] = [];
    emitter.on('config-change', () => heard.push('first'));
    emitter.on('circuit-close', () => heard.push('another name'));
    emitter.on('config-change', () => heard.push('second'));
    emitter.emit(changed);
    expect(heard).toEqual(['first', 'second']);
  });

  test("passes every event unchanged to listeners of '*'", () => {
    const { emitter } = setUp();
    const all = vi.fn();
    emitter.on('*', all);
    emitter.emit(changed);
    expect(all.mock.calls).toEqual([[changed]]);
    expect(all.mock.calls[0]?.[0]).toBe(changed);
  });

  test('calls a listener added with once only once', () => {
    const { emitter } = setUp();
    const once = vi.fn();
    emitter.once('config-change', once);
    emitter.once('*', once);
    emitter.emit(changed);
    emitter.emit(changed);
    expect(once).toHaveBeenCalledTimes(2);
  });

  test('calls a listener added with once only once when it emits the same event', () => {
    const { emitter } = setUp();
    let calls = 0;
    emitter.once('config-change', () => {
      calls += 1;
      if (calls < 5) emitter.emit(changed);
    });
    emitter.emit(changed);
    expect(calls).toBe(1);
  });

  test('removes listeners with off, including those added with once', () => {
    const { emitter } = setUp();
    const listener = vi.fn();
    emitter.on('config-change', listener);
    emitter.once('*', listener);
    emitter.off('config-change', listener);
    emitter.off('*', listener);
    emitter.off('*', listener);
    emitter.emit(changed);
    expect(listener).not.toHaveBeenCalled();
  });

  test('removes a listener only from the given event', () => {
    const { emitter } = setUp();
    const listener = vi.fn();
    emitter.on('config-change', listener);
    emitter.on('*', listener);
    emitter.off('*', listener);
    emitter.emit(changed);
    expect(listener).toHaveBeenCalledOnce();
  });

  test('calls a listener added twice twice, and removes it one by one', () => {
    const { emitter } = setUp();
    const listener = vi.fn();
    emitter.on('config-change', listener);
    emitter.on('config-change', listener);
    emitter.emit(changed);
    expect(listener).toHaveBeenCalledTimes(2);
    emitter.off('config-change', listener);
    emitter.emit(changed);
    expect(listener).toHaveBeenCalledTimes(3);
    emitter.off('config-change', listener);
    emitter.emit(changed);
    expect(listener).toHaveBeenCalledTimes(3);
  });

  test('distinguishes the same listener added with on and with once', () => {
    const { emitter } = setUp();
    const listener = vi.fn();
    emitter.once('config-change', listener);
    emitter.on('config-change', listener);
    emitter.emit(changed);
    emitter.off('config-change', listener);
    emitter.emit(changed);
    expect(listener).toHaveBeenCalledTimes(2);
  });

  test('allows a listener to remove itself during an event', () => {
    const { emitter } = setUp();
    const second = vi.fn();
    const first = () => {
      emitter.off('config-change', first);
    };
    emitter.on('config-change', first);
    emitter.on('config-change', second);
    emitter.emit(changed);
    emitter.emit(changed);
    expect(second).toHaveBeenCalledTimes(2);
  });

  test('removes all listeners with clear', () => {
    const { emitter } = setUp();
    const listener = vi.fn();
    emitter.on('*', listener);
    emitter.clear();
    emitter.emit(changed);
    emitter.off('*', listener);
    expect(listener).not.toHaveBeenCalled();
  });
});

describe('a failing listener', () => {
  const broken = new Error('broken');

  test.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw broken;
      },
    ],
    ['rejects', () => Promise.reject(broken)],
    [
      'returns a thenable that rejects',
      () => ({
        // biome-ignore lint/suspicious/noThenProperty: tests a thenable that is not a Promise
        then: (_: unknown, reject: (error: unknown) => void) => reject(broken),
      }),
    ],
    [
      'returns a thenable that throws',
      () => ({
        // biome-ignore lint/suspicious/noThenProperty: the same
        then: () => {
          throw broken;
        },
      }),
    ],
    [
      'returns an object whose then getter throws',
      () =>
        Object.defineProperty({}, 'then', {
          get: () => {
            throw broken;
          },
        }),
    ],
  ])('that %s is reported and affects no other listener', async (_, listener) => {
    const { emitter, errors } = setUp();
    const other = vi.fn();
    emitter.on('config-change', listener);
    emitter.on('config-change', other);
    emitter.emit(changed);
    expect(other).toHaveBeenCalledOnce();
    await nextTurn();
    expect(errors).toEqual([reported(broken)]);
  });

  test("is reported to '*' too, but a failure of that report is not", () => {
    const { emitter, errors } = setUp();
    const heard: string[] = [];
    emitter.on('*', (event) => {
      heard.push(event.type);
      throw broken;
    });
    emitter.emit(changed);
    expect(heard).toEqual(['config-change', 'listener-error']);
    expect(errors).toEqual([reported(broken)]);
  });

  test('of listener-error is not reported', async () => {
    const emitter = createEmitter(
      () => 7,
      () => ({}),
    );
    let heard = 0;
    emitter.on('listener-error', () => {
      heard += 1;
      throw broken;
    });
    emitter.on('listener-error', async () => {
      throw broken;
    });
    emitter.on('config-change', () => {
      throw broken;
    });
    emitter.emit(changed);
    await nextTurn();
    expect(heard).toBe(1);
  });
});

describe('a failing listener that nobody hears of', () => {
  const written: string[] = [];
  beforeEach(() => {
    written.length = 0;
    vi.spyOn(process, 'emitWarning').mockImplementation((message) => {
      written.push(String(message));
    });
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });
  const fail = () => {
    throw new TypeError('no such\ncolumn');
  };
  const quiet = () =>
    createEmitter(
      () => 7,
      () => ({}),
    );

  test('is printed once, in one line with its place', () => {
    const emitter = quiet();
    emitter.on('config-change', fail);
    for (let count = 0; count < 3; count += 1) emitter.emit(changed);
    expect(written).toHaveLength(1);
    expect(written[0]).toMatch(
      /^a listener for "config-change" failed: TypeError: no such column at .*emitter\.test\.ts:\d+.*; listen to "listener-error" for all failures$/,
    );
  });

  test("is printed once when it listens to '*', where it hears of itself", async () => {
    const emitter = quiet();
    emitter.on('*', async () => fail());
    for (let count = 0; count < 3; count += 1) emitter.emit(changed);
    await nextTurn();
    const other = quiet();
    other.on('*', fail);
    other.emit(changed);
    other.emit({ ...changed, type: 'circuit-close' } as unknown as RouterEvent);
    expect(written).toHaveLength(2);
  });

  test('is printed with a bounded length, whatever it throws', () => {
    const emitter = quiet();
    emitter.on('config-change', () => {
      throw new Error('x'.repeat(100_000));
    });
    emitter.on('circuit-close', () => {
      throw { secret: 'value' };
    });
    emitter.on('circuit-half-open', () => {
      throw Object.defineProperty(new Error('x'), 'message', { get: fail });
    });
    emitter.emit(changed);
    for (const type of ['circuit-close', 'circuit-half-open'])
      emitter.emit({ ...changed, type } as unknown as RouterEvent);
    expect(written).toHaveLength(2);
    expect(written[0]?.length).toBeLessThan(500);
    expect(written[1]).toMatch(/failed: it threw an object; /);
  });

  test.each(['listener-error', '*'] as const)('is not printed when %s is listened to', (name) => {
    const emitter = quiet();
    emitter.on(name, () => undefined);
    emitter.on('config-change', fail);
    emitter.emit(changed);
    expect(written).toEqual([]);
  });

  test('does not affect the call', async () => {
    const router = createRouter({
      providers: { a: fakeProvider() },
      tiers: { fast: ['a/model'] },
    });
    router.on('call-start', fail);
    router.on('call-end', fail);
    expect((await router.complete('fast', 'hello')).text).toContain('a/model');
    expect(written).toHaveLength(2);
    await router.close();
  });
});

test.each(['on', 'once'] as const)(
  '%s returns a function that removes the listener',
  (register) => {
    const { emitter } = setUp();
    const listener = vi.fn();
    const remove = emitter[register]('config-change', listener);
    remove();
    remove();
    emitter.emit(changed);
    expect(listener).not.toHaveBeenCalled();
    expect(emitter.isHeard('config-change')).toBe(false);
  },
);
