import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Admission,
  createAdmissionQueue,
  QueueRejection,
  type QueueRequest,
} from '../../src/limits/admission-queue.ts';
import { createConcurrencyGate } from '../../src/limits/concurrency-gate.ts';
import type { Gate } from '../../src/limits/gate.ts';
import { createRateGate } from '../../src/limits/rate-gate.ts';
import type { Priority } from '../../src/protocol/call-options.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';

const places = (limit: number, name = 'places'): Gate =>
  createConcurrencyGate(
    () => name,
    () => limit,
  );
const done = { outcome: 'ok', tokens: undefined } as const;

/** A queue on virtual time, and who has come through it, in order. */
function setUp() {
  const runtime = fakeRuntime();
  const queue = createAdmissionQueue(runtime);
  const admitted: string[] = [];
  const refused: string[] = [];
  const held = new Map<string, Admission>();
  let arrivals = 0;
  const nextArrival = (): number => {
    arrivals += 1;
    return arrivals;
  };
  const ask = (gates: readonly Gate[], more: Partial<QueueRequest> = {}): QueueRequest => ({
    gates,
    load: { tokens: 0 },
    priority: 'normal',
    since: nextArrival(),
    deadline: runtime.now() + 600_000,
    expiresAt: Number.POSITIVE_INFINITY,
    bounds: [],
    signal: new AbortController().signal,
    ...more,
  });
  const enter = (name: string, gates: readonly Gate[], more: Partial<QueueRequest> = {}): void => {
    void Promise.resolve(queue.enter(ask(gates, more))).then(
      (admission) => {
        admitted.push(name);
        held.set(name, admission);
      },
      (error: unknown) =>
        refused.push(
          error instanceof QueueRejection ? `${name}: ${error.reason}` : `${name}: left`,
        ),
    );
  };
  const release = (name: string): void => held.get(name)?.leave(done);
  return { runtime, queue, admitted, refused, held, enter, release };
}

describe('a queue', () => {
  test('lets through at once, in the same turn, where nothing is in the way', () => {
    const { queue } = setUp();
    const { signal } = new AbortController();
    const entered = queue.enter({
      gates: [places(1)],
      load: { tokens: 0 },
      priority: 'low',
      since: 0,
      deadline: Number.POSITIVE_INFINITY,
      expiresAt: Number.POSITIVE_INFINITY,
      bounds: [],
      signal,
    });
    expect(entered).not.toBeInstanceOf(Promise);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  test('goes by priority, then by the age of the call', async () => {
    const { enter, release, admitted, runtime } = setUp();
    const gate = places(1);
    enter('first', [gate]);
    enter('low', [gate], { priority: 'low' });
    enter('young', [gate], { since: 99 });
    enter('old', [gate], { since: 50 });
    enter('high', [gate], { priority: 'high', since: 100 });
    for (let each = 0; each < 5; each += 1) {
      await runtime.settle();
      release(admitted.at(-1) ?? '');
    }
    expect(admitted).toEqual(['first', 'high', 'old', 'young', 'low']);
  });

  test('holds nobody back who needs none of the gates that others wait for', async () => {
    const { enter, admitted, runtime } = setUp();
    const shared = places(10);
    const full = places(1);
    enter('a', [shared, full]);
    enter('b', [shared, full]);
    enter('c', [shared, places(1)]);
    await runtime.settle();
    expect(admitted).toEqual(['a', 'c']);
  });

  test('does not let small ones past a large one for ever', async () => {
    const { enter, admitted, runtime } = setUp();
    const gate = createRateGate({ name: () => 'tpm', unit: 'tokens', perMinute: () => 6_000 });
    enter('filler', [gate], { load: { tokens: 5_990 } });
    enter('large', [gate], { load: { tokens: 5_000 } });
    enter('small', [gate], { load: { tokens: 5 } });
    await runtime.settle();
    expect(admitted).toEqual(['filler']);
    await runtime.advance(130_000);
    expect(admitted).toEqual(['filler', 'large', 'small']);
  });

  test('wakes by itself when time opens a gate, with one timer', async () => {
    const { enter, admitted, runtime } = setUp();
    const gate = createRateGate({ name: () => 'rpm', unit: 'requests', perMinute: () => 1 });
    for (const name of ['a', 'b', 'c']) enter(name, [gate]);
    await runtime.settle();
    expect(admitted).toEqual(['a']);
    expect(runtime.pending).toBe(1);
    await runtime.advance(62_000);
    expect(admitted).toEqual(['a', 'b']);
    await runtime.advance(62_000);
    expect(admitted).toEqual(['a', 'b', 'c']);
    expect(runtime.pending).toBe(0);
  });

  test('sheds the newest of the lowest priority when too many wait', async () => {
    const { enter, refused, queue, runtime } = setUp();
    const gate = places(1);
    const bounds = [{ key: 'target', max: 2 }];
    enter('in', [gate], { bounds });
    enter('low', [gate], { bounds, priority: 'low' });
    enter('normal', [gate], { bounds });
    enter('late low', [gate], { bounds, priority: 'low' });
    await runtime.settle();
    expect(refused).toEqual(['late low: full']);
    enter('high', [gate], { bounds, priority: 'high' });
    await runtime.settle();
    expect(refused).toEqual(['late low: full', 'low: full']);
    expect(queue.waiting('target')).toBe(2);
  });

  test('refuses at once whose turn would come too late', async () => {
    const { enter, refused, admitted, runtime } = setUp();
    const gate = createRateGate({ name: () => 'rpm', unit: 'requests', perMinute: () => 60 });
    for (let each = 0; each < 5; each += 1) enter(`burst ${each}`, [gate]);
    for (let each = 0; each < 8; each += 1) enter(`waits ${each}`, [gate]);
    const deadline = runtime.now() + 4_000;
    enter('hurried', [gate], { deadline });
    enter('urgent', [gate], { deadline, priority: 'high' });
    await runtime.settle();
    expect(refused).toEqual(['hurried: too-late']);
    await runtime.advance(4_000);
    expect(admitted).toContain('urgent');
  });

  test('turns away who has waited for as long as it may', async () => {
    const { enter, refused, runtime } = setUp();
    const gate = places(1);
    enter('in', [gate]);
    enter('waits', [gate], { expiresAt: runtime.now() + 5_000 });
    await runtime.advance(4_999);
    expect(refused).toEqual([]);
    await runtime.advance(1);
    expect(refused).toEqual(['waits: expired']);
    expect(runtime.pending).toBe(0);
  });

  test('leaves nothing behind of one that aborts, and lets those behind it on', async () => {
    const { enter, refused, admitted, runtime, queue } = setUp();
    const shared = places(2);
    const full = places(1);
    const controller = new AbortController();
    const bounds = [{ key: 'target', max: 9 }];
    enter('in', [full]);
    enter('one', [shared]);
    enter('leaver', [shared, full], { signal: controller.signal, bounds });
    enter('behind', [full, shared], { bounds });
    await runtime.settle();
    controller.abort(new Error('gone'));
    await runtime.settle();
    expect(refused).toEqual(['leaver: left']);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    expect(queue.waiting('target')).toBe(1);
    expect(admitted).toEqual(['in', 'one']);
    expect(runtime.pending).toBe(0);
  });

  test('rejects at once under a signal that has aborted, and takes nothing', async () => {
    const { enter, refused, admitted, runtime } = setUp();
    const gate = places(1);
    enter('gone', [gate], { signal: AbortSignal.abort() });
    enter('next', [gate]);
    await runtime.settle();
    expect({ refused, admitted }).toEqual({ refused: ['gone: left'], admitted: ['next'] });
  });

  test('does not mind one that leaves twice', async () => {
    const { enter, held, admitted, runtime } = setUp();
    const gate = places(1);
    for (const name of ['a', 'b', 'c']) enter(name, [gate]);
    await runtime.settle();
    const first = held.get('a');
    first?.leave(done);
    first?.leave(done);
    await runtime.settle();
    expect(admitted).toEqual(['a', 'b']);
  });

  test('tells how long one would wait, and for what', async () => {
    const { enter, queue, runtime } = setUp();
    const gate = createRateGate({ name: () => 'its rpm', unit: 'requests', perMinute: () => 6 });
    expect(queue.forecast([gate], { tokens: 0 })).toBeUndefined();
    for (let each = 0; each < 5; each += 1) enter(`burst ${each}`, [gate]);
    await runtime.settle();
    expect(queue.forecast([gate], { tokens: 0 })).toMatchObject({ gate: 'its rpm' });
    const alone = queue.forecast([gate], { tokens: 0 })?.waitMs ?? 0;
    enter('waits', [gate]);
    await runtime.settle();
    const second = queue.forecast([gate], { tokens: 0 })?.waitMs ?? 0;
    expect(alone).toBeGreaterThan(9_000);
    expect(second).toBeGreaterThan(alone + 9_000);
  });
});

test('nobody starves, no gate is overrun, and nothing is left, whoever comes, leaves or goes', async () => {
  const step = fc.oneof(
    fc.record({
      do: fc.constant('enter' as const),
      gates: fc.subarray([0, 1, 2], { minLength: 1 }),
      priority: fc.constantFrom<Priority>('high', 'normal', 'low'),
    }),
    fc.record({ do: fc.constantFrom('release' as const, 'abort' as const, 'turn' as const) }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
      fc.array(step, { maxLength: 40 }),
      async ([one, two], steps) => {
        const { runtime, enter, held, admitted, refused } = setUp();
        const rate = createRateGate({ name: () => 'r', unit: 'requests', perMinute: () => 30 });
        const gates = [places(one), places(two), rate];
        const inside = new Map<string, readonly number[]>();
        const waiting = new Map<string, AbortController>();
        const asked = new Map<string, readonly number[]>();
        const look = async (): Promise<void> => {
          await runtime.settle();
          for (const name of admitted) {
            if (waiting.delete(name)) inside.set(name, asked.get(name) ?? []);
          }
          for (const [index, limit] of [one, two].entries()) {
            const now = [...inside.values()].filter((each) => each.includes(index)).length;
            expect(now).toBeLessThanOrEqual(limit);
          }
        };
        const release = async (): Promise<void> => {
          const [name] = inside.keys();
          if (name === undefined) return;
          inside.delete(name);
          held.get(name)?.leave(done);
          await look();
        };
        let entered = 0;
        for (const each of steps) {
          if (each.do === 'turn') await look();
          if (each.do === 'release') await release();
          if (each.do === 'abort') {
            await look();
            const [first] = waiting;
            first?.[1].abort();
            if (first !== undefined) waiting.delete(first[0]);
          }
          if (each.do === 'enter') {
            entered += 1;
            const name = `${entered}`;
            const controller = new AbortController();
            waiting.set(name, controller);
            asked.set(name, each.gates);
            const mine = each.gates.flatMap((index) => gates[index] ?? []);
            enter(name, mine, { priority: each.priority, signal: controller.signal });
          }
        }
        await look();
        for (let round = 0; waiting.size > 0 || inside.size > 0; round += 1) {
          await release();
          if (inside.size === 0) await runtime.advance(10_000);
          await look();
          if (round > 3 * entered + 5) throw new Error(`${waiting.size} wait for ever`);
        }
        expect(admitted.length + refused.length).toBe(entered);
        expect(runtime.pending).toBe(0);
      },
    ),
    { numRuns: 40 },
  );
});
