import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Admission,
  createAdmissionQueue,
  QueueRejection,
  type QueueRequest,
} from '../../src/limits/admission-queue.ts';
import { createConcurrencyGate, type Gate } from '../../src/limits/gate.ts';
import { createRateGate } from '../../src/limits/rate-gate.ts';
import type { Priority } from '../../src/protocol/call-options.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';

const slots = (limit: number, name = 'slots'): Gate =>
  createConcurrencyGate(
    () => name,
    () => limit,
  );
const done = { outcome: 'ok', tokens: undefined } as const;

/** A queue on virtual time that records admitted and rejected attempts, in order. */
function setUp() {
  const runtime = fakeRuntime();
  const queue = createAdmissionQueue(runtime);
  const admitted: string[] = [];
  const rejected: string[] = [];
  const admissions = new Map<string, Admission>();
  let arrivals = 0;
  const nextArrival = (): number => {
    arrivals += 1;
    return arrivals;
  };
  const requestFor = (gates: readonly Gate[], more: Partial<QueueRequest> = {}): QueueRequest => ({
    gates,
    renewedGates: () => gates,
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
    void Promise.resolve(queue.enter(requestFor(gates, more))).then(
      (admission) => {
        admitted.push(name);
        admissions.set(name, admission);
      },
      (error: unknown) =>
        rejected.push(
          error instanceof QueueRejection ? `${name}: ${error.reason}` : `${name}: left`,
        ),
    );
  };
  const release = (name: string): void => admissions.get(name)?.leave(done);
  return { runtime, queue, admitted, rejected, admissions, enter, release };
}

describe('createAdmissionQueue', () => {
  test('admits synchronously when all gates are open', () => {
    const { queue } = setUp();
    const { signal } = new AbortController();
    const entered = queue.enter({
      gates: [slots(1)],
      renewedGates: () => [],
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

  test('admits by priority, then by the age of the call', async () => {
    const { enter, release, admitted, runtime } = setUp();
    const gate = slots(1);
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

  test('does not block attempts that need none of the gates that others wait for', async () => {
    const { enter, admitted, runtime } = setUp();
    const shared = slots(10);
    const full = slots(1);
    enter('a', [shared, full]);
    enter('b', [shared, full]);
    enter('c', [shared, slots(1)]);
    await runtime.settle();
    expect(admitted).toEqual(['a', 'c']);
  });

  test('does not let small requests overtake a large one', async () => {
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

  test('admits when a gate opens over time, with one timer', async () => {
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

  test('rejects the newest attempt of the lowest priority when the queue is full', async () => {
    const { enter, rejected, queue, runtime } = setUp();
    const gate = slots(1);
    const bounds = [{ key: 'target', max: 2 }];
    enter('in', [gate], { bounds });
    enter('low', [gate], { bounds, priority: 'low' });
    enter('normal', [gate], { bounds });
    enter('late low', [gate], { bounds, priority: 'low' });
    await runtime.settle();
    expect(rejected).toEqual(['late low: full']);
    enter('high', [gate], { bounds, priority: 'high' });
    await runtime.settle();
    expect(rejected).toEqual(['late low: full', 'low: full']);
    expect(queue.waiting('target')).toBe(2);
  });

  test('rejects immediately when the wait would exceed the deadline', async () => {
    const { enter, rejected, admitted, runtime } = setUp();
    const gate = createRateGate({ name: () => 'rpm', unit: 'requests', perMinute: () => 60 });
    for (let each = 0; each < 5; each += 1) enter(`burst ${each}`, [gate]);
    for (let each = 0; each < 8; each += 1) enter(`waits ${each}`, [gate]);
    const deadline = runtime.now() + 4_000;
    enter('hurried', [gate], { deadline });
    enter('urgent', [gate], { deadline, priority: 'high' });
    await runtime.settle();
    expect(rejected).toEqual(['hurried: too-late']);
    await runtime.advance(4_000);
    expect(admitted).toContain('urgent');
  });

  test('rejects an attempt whose wait has expired', async () => {
    const { enter, rejected, runtime } = setUp();
    const gate = slots(1);
    enter('in', [gate]);
    enter('waits', [gate], { expiresAt: runtime.now() + 5_000 });
    await runtime.advance(4_999);
    expect(rejected).toEqual([]);
    await runtime.advance(1);
    expect(rejected).toEqual(['waits: expired']);
    expect(runtime.pending).toBe(0);
  });

  test('removes an aborted attempt and admits the ones behind it', async () => {
    const { enter, rejected, admitted, runtime, queue } = setUp();
    const shared = slots(2);
    const full = slots(1);
    const controller = new AbortController();
    const bounds = [{ key: 'target', max: 9 }];
    enter('in', [full]);
    enter('one', [shared]);
    enter('leaver', [shared, full], { signal: controller.signal, bounds });
    enter('behind', [full, shared], { bounds });
    await runtime.settle();
    controller.abort(new Error('gone'));
    await runtime.settle();
    expect(rejected).toEqual(['leaver: left']);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    expect(queue.waiting('target')).toBe(1);
    expect(admitted).toEqual(['in', 'one']);
    expect(runtime.pending).toBe(0);
  });

  test('rejects immediately and takes no slot when the signal is already aborted', async () => {
    const { enter, rejected, admitted, runtime } = setUp();
    const gate = slots(1);
    enter('gone', [gate], { signal: AbortSignal.abort() });
    enter('next', [gate]);
    await runtime.settle();
    expect({ rejected, admitted }).toEqual({ rejected: ['gone: left'], admitted: ['next'] });
  });

  test('ignores a second leave', async () => {
    const { enter, admissions, admitted, runtime } = setUp();
    const gate = slots(1);
    for (const name of ['a', 'b', 'c']) enter(name, [gate]);
    await runtime.settle();
    const first = admissions.get('a');
    first?.leave(done);
    first?.leave(done);
    await runtime.settle();
    expect(admitted).toEqual(['a', 'b']);
  });

  test('forecasts the wait and its gate', async () => {
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

test('admits every attempt, exceeds no gate and leaves no timer, for any sequence of events', async () => {
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
        const { runtime, enter, admissions, admitted, rejected } = setUp();
        const rate = createRateGate({ name: () => 'r', unit: 'requests', perMinute: () => 30 });
        const gates = [slots(one), slots(two), rate];
        const inside = new Map<string, readonly number[]>();
        const waiting = new Map<string, AbortController>();
        const requested = new Map<string, readonly number[]>();
        const settle = async (): Promise<void> => {
          await runtime.settle();
          for (const name of admitted) {
            if (waiting.delete(name)) inside.set(name, requested.get(name) ?? []);
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
          admissions.get(name)?.leave(done);
          await settle();
        };
        let entered = 0;
        for (const each of steps) {
          if (each.do === 'turn') await settle();
          if (each.do === 'release') await release();
          if (each.do === 'abort') {
            await settle();
            const [first] = waiting;
            first?.[1].abort();
            if (first !== undefined) waiting.delete(first[0]);
          }
          if (each.do === 'enter') {
            entered += 1;
            const name = `${entered}`;
            const controller = new AbortController();
            waiting.set(name, controller);
            requested.set(name, each.gates);
            const mine = each.gates.flatMap((index) => gates[index] ?? []);
            enter(name, mine, { priority: each.priority, signal: controller.signal });
          }
        }
        await settle();
        for (let round = 0; waiting.size > 0 || inside.size > 0; round += 1) {
          await release();
          if (inside.size === 0) await runtime.advance(10_000);
          await settle();
          if (round > 3 * entered + 5) throw new Error(`${waiting.size} never pass`);
        }
        expect(admitted.length + rejected.length).toBe(entered);
        expect(runtime.pending).toBe(0);
      },
    ),
    { numRuns: 40 },
  );
});
