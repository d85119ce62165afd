import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import type { RouterEvent } from '../../src/protocol/events.ts';
import { createEmitter } from '../../src/telemetry/emitter.ts';

const changed: RouterEvent = {
  type: 'config-change',
  at: 1,
  callId: null,
  tier: null,
  tags: {},
  tiers: ['fast'],
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

test('an event that does not exist cannot be listened to', () => {
  const { emitter } = setUp();
  const listener = (): void => undefined;
  expect(() => emitter.on('cots' as 'cost', listener)).toThrow(
    'there is no event "cots"; did you mean "cost"?',
  );
  expect(() => emitter.once('toString' as 'cost', listener)).toThrow(
    'there is no event "toString"',
  );
});

describe('listeners', () => {
  test('get the events of their name, in the order of their registration', () => {
    const { emitter } = setUp();
    const heard: string[] = [];
    emitter.on('config-change', () => heard.push('first'));
    emitter.on('circuit-close', () => heard.push('another name'));
    emitter.on('config-change', () => heard.push('second'));
    emitter.emit(changed);
    expect(heard).toEqual(['first', 'second']);
  });

  test("get all of them under '*', as they are", () => {
    const { emitter } = setUp();
    const all = vi.fn();
    emitter.on('*', all);
    emitter.emit(changed);
    expect(all.mock.calls).toEqual([[changed]]);
    expect(all.mock.calls[0]?.[0]).toBe(changed);
  });

  test('are heard once when registered with once', () => {
    const { emitter } = setUp();
    const once = vi.fn();
    emitter.once('config-change', once);
    emitter.once('*', once);
    emitter.emit(changed);
    emitter.emit(changed);
    expect(once).toHaveBeenCalledTimes(2);
  });

  test('registered with once can emit the same event without being heard again', () => {
    const { emitter } = setUp();
    let calls = 0;
    emitter.once('config-change', () => {
      calls += 1;
      if (calls < 5) emitter.emit(changed);
    });
    emitter.emit(changed);
    expect(calls).toBe(1);
  });

  test('are gone after off, also when registered with once', () => {
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

  test('taken off under one name stay under the other', () => {
    const { emitter } = setUp();
    const listener = vi.fn();
    emitter.on('config-change', listener);
    emitter.on('*', listener);
    emitter.off('*', listener);
    emitter.emit(changed);
    expect(listener).toHaveBeenCalledOnce();
  });

  test('registered twice are heard twice, and taken off one by one', () => {
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

  test('registered with on and with once are told apart', () => {
    const { emitter } = setUp();
    const listener = vi.fn();
    emitter.once('config-change', listener);
    emitter.on('config-change', listener);
    emitter.emit(changed);
    emitter.off('config-change', listener);
    emitter.emit(changed);
    expect(listener).toHaveBeenCalledTimes(2);
  });

  test('can be taken off while an event is told', () => {
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

  test('are all gone after clear', () => {
    const { emitter } = setUp();
    const listener = vi.fn();
    emitter.on('*', listener);
    emitter.clear();
    emitter.emit(changed);
    emitter.off('*', listener);
    expect(listener).not.toHaveBeenCalled();
  });
});

describe('a listener that fails', () => {
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
        // biome-ignore lint/suspicious/noThenProperty: a thenable that is no Promise is what this is about
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
      'returns something whose then cannot be read',
      () =>
        Object.defineProperty({}, 'then', {
          get: () => {
            throw broken;
          },
        }),
    ],
  ])('and %s changes nothing and is reported', async (_, listener) => {
    const { emitter, errors } = setUp();
    const other = vi.fn();
    emitter.on('config-change', listener);
    emitter.on('config-change', other);
    emitter.emit(changed);
    expect(other).toHaveBeenCalledOnce();
    await nextTurn();
    expect(errors).toEqual([reported(broken)]);
  });

  test("is reported to '*' too, itself included, and not about that again", () => {
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

  test('at listener-error has nobody left to tell', async () => {
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
