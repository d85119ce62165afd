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

  test('does not let small requests overtake a large one at any of its gates', async () => {
    const { enter, admitted, runtime } = setUp();
    const tokens = () =>
      createRateGate({ name: () => 'tpm', unit: 'tokens', perMinute: () => 6_000 });
    const [one, two] = [tokens(), tokens()];
    enter('filler one', [one], { load: { tokens: 6_000 } });
    enter('filler two', [two], { load: { tokens: 60 } });
    enter('large', [one, two], { load: { tokens: 100 } });
    enter('small', [two], { load: { tokens: 5 } });
    await runtime.settle();
    expect(admitted).toEqual(['filler one', 'filler two']);
  });

  test('sets its timer once for attempts that wait for the same gate', async () => {
    const runtime = fakeRuntime();
    let sleeps = 0;
    const queue = createAdmissionQueue({
      ...runtime,
      sleep: (ms, signal) => {
        sleeps += 1;
        return runtime.sleep(ms, signal);
      },
    });
    const gate = createRateGate({ name: () => 'tpm', unit: 'tokens', perMinute: () => 6_000 });
    const enter = (tokens: number) =>
      queue.enter({
        gates: [gate],
        renewedGates: () => [gate],
        load: { tokens },
        priority: 'normal',
        since: runtime.now(),
        deadline: runtime.now() + 600_000,
        expiresAt: Number.POSITIVE_INFINITY,
        bounds: [],
        signal: new AbortController().signal,
      });
    await enter(90);
    const waiting = [enter(6_000), enter(5), enter(5)];
    expect(sleeps).toBe(1);
    await runtime.advance(500);
    expect(sleeps).toBe(1);
    await runtime.advance(200_000);
    await Promise.all(waiting);
    expect(runtime.pending).toBe(0);
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

  test('passes an attempt only if no gate is closed, and none is blocked by a waiting one', async () => {
    const { enter, queue, release, runtime } = setUp();
    const load = { tokens: 0 };
    const shared = slots(9);
    const full = slots(1);
    expect(queue.pass([shared], load)).toBeDefined();
    enter('in', [full]);
    expect(queue.pass([full], load)).toBeUndefined();
    const rate = createRateGate({ name: () => 'tpm', unit: 'tokens', perMinute: () => 6_000 });
    enter('large', [rate], { load: { tokens: 6_000 } });
    enter('waits', [rate], { load: { tokens: 100 } });
    await runtime.settle();
    expect(queue.pass([rate], load)).toBeUndefined();
    release('in');
    await runtime.settle();
    expect(queue.pass([full], load)).toBeDefined();
  });

  test('returns the pass of each gate', () => {
    const { queue } = setUp();
    const gate = slots(2);
    const entered: object[] = [];
    const recording = {
      ...gate,
      enter: (...each: Parameters<Gate['enter']>) => {
        const pass = gate.enter(...each);
        entered.push(pass);
        return pass;
      },
    };
    const admission = queue.pass([slots(1), recording], { tokens: 0 });
    expect(admission?.pass(recording)).toBe(entered[0]);
    expect(admission?.pass(slots(1))).toBeUndefined();
  });

  test('admits attempts when a limit has changed, after a review', async () => {
    const { enter, queue, admissions, admitted, runtime } = setUp();
    let limit = 1;
    const gate = createConcurrencyGate(
      () => 'slots',
      () => limit,
    );
    for (const name of ['a', 'b', 'c']) enter(name, [gate]);
    await runtime.settle();
    expect(admitted).toEqual(['a']);
    limit = 2;
    queue.limitsChanged();
    await runtime.settle();
    expect(admitted).toEqual(['a', 'b']);
    limit = 3;
    admissions.get('a')?.review();
    await runtime.settle();
    expect(admitted).toEqual(['a', 'b', 'c']);
  });

  /** Resolves to the rejection of an attempt. */
  const rejectionOf = (entered: Admission | Promise<Admission>): Promise<unknown> =>
    Promise.resolve(entered).then(
      () => 'admitted',
      (error: unknown) => error,
    );

  test('reports the gate, the wait and the bound when the queue is full', async () => {
    const { queue, enter, runtime } = setUp();
    const gate = createRateGate({ name: () => 'its rpm', unit: 'requests', perMinute: () => 61 });
    const bounds = [
      { key: 'other', max: 9 },
      { key: 'target', max: 1 },
    ];
    for (let each = 0; each < 5; each += 1) enter(`burst ${each}`, [gate]);
    enter('waits', [gate], { bounds });
    const rejection = await rejectionOf(
      queue.enter({
        gates: [gate],
        renewedGates: () => [gate],
        load: { tokens: 0 },
        priority: 'normal',
        since: 99,
        deadline: runtime.now() + 600_000,
        expiresAt: Number.POSITIVE_INFINITY,
        bounds,
        signal: new AbortController().signal,
      }),
    );
    expect(rejection).toMatchObject({
      message: 'full: its rpm',
      reason: 'full',
      gate: 'its rpm',
      waitMs: 2_000,
      bound: { key: 'target', max: 1 },
    });
    expect(queue.waiting('other')).toBe(1);
    expect(queue.waiting('none')).toBe(0);
  });

  test.each(['deadline', 'expiresAt'] as const)(
    'rejects as too late exactly when the wait reaches %s',
    async (limit) => {
      const { queue, enter, runtime } = setUp();
      const gate = createRateGate({ name: () => 'its rpm', unit: 'requests', perMinute: () => 61 });
      for (let each = 0; each < 5; each += 1) enter(`burst ${each}`, [gate]);
      const request = {
        gates: [slots(1), gate],
        renewedGates: () => [gate],
        load: { tokens: 0 },
        priority: 'normal',
        since: 99,
        deadline: runtime.now() + 600_000,
        expiresAt: Number.POSITIVE_INFINITY,
        bounds: [],
        signal: new AbortController().signal,
      } as const;
      const tooLate = queue.enter({ ...request, [limit]: runtime.now() + 1_000 });
      expect(await rejectionOf(tooLate)).toMatchObject({
        reason: 'too-late',
        gate: 'its rpm',
        waitMs: 1_000,
        bound: undefined,
      });
      const inTime = queue.enter({ ...request, [limit]: runtime.now() + 1_001 });
      await runtime.advance(1_000);
      expect(await rejectionOf(inTime)).toBe('admitted');
    },
  );

  test('counts only attempts that go first, and that need the same gate, as ahead', async () => {
    const { enter, rejected, queue, runtime } = setUp();
    const gate = createRateGate({ name: () => 'rpm', unit: 'requests', perMinute: () => 61 });
    const other = createRateGate({ name: () => 'rpm', unit: 'requests', perMinute: () => 61 });
    for (let each = 0; each < 5; each += 1) {
      enter(`a${each}`, [gate]);
      enter(`b${each}`, [other]);
    }
    for (let each = 0; each < 4; each += 1) enter(`waits ${each}`, [gate], { priority: 'low' });
    await runtime.settle();
    expect(queue.forecast([other], { tokens: 0 })).toEqual({ waitMs: 1_000, gate: 'rpm' });
    expect(queue.forecast([gate], { tokens: 0 })?.waitMs).toBe(5_000);
    const deadline = runtime.now() + 1_500;
    enter('normal', [gate], { deadline });
    enter('low', [gate], { deadline, priority: 'low' });
    await runtime.settle();
    expect(rejected).toEqual(['low: too-late']);
  });

  test('estimates the wait for a slot from how long slots are held', async () => {
    const { enter, release, queue, runtime } = setUp();
    const gate = slots(2, 'its slots');
    enter('first', [gate]);
    await runtime.advance(1_000);
    release('first');
    for (const name of ['a', 'b', 'c']) enter(name, [gate]);
    await runtime.settle();
    expect(queue.forecast([gate], { tokens: 0 })).toEqual({ waitMs: 1_000, gate: 'its slots' });
  });

  test('listens for the abort of waiting attempts only', async () => {
    const { enter, release, runtime } = setUp();
    const gate = slots(1);
    const { signal } = new AbortController();
    enter('in', [gate]);
    enter('waits', [gate], { signal });
    enter('expires', [gate], { signal, expiresAt: runtime.now() + 5_000 });
    await runtime.settle();
    expect(getEventListeners(signal, 'abort')).toHaveLength(2);
    await runtime.advance(5_000);
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    release('in');
    await runtime.settle();
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  test('admits those behind an attempt that is aborted', async () => {
    const { enter, admitted, runtime } = setUp();
    const gate = createRateGate({ name: () => 'tpm', unit: 'tokens', perMinute: () => 6_000 });
    const controller = new AbortController();
    enter('filler', [gate], { load: { tokens: 90 } });
    enter('large', [gate], { load: { tokens: 6_000 }, signal: controller.signal });
    enter('small', [gate], { load: { tokens: 5 } });
    await runtime.settle();
    expect(admitted).toEqual(['filler']);
    controller.abort();
    await runtime.settle();
    expect(admitted).toEqual(['filler', 'small']);
  });

  test('keeps waiting attempts in order when the one ahead needs another gate too', async () => {
    const { enter, release, admitted, runtime } = setUp();
    const full = slots(1);
    const other = slots(1);
    enter('in', [full]);
    enter('holds', [other]);
    enter('needs both', [full, other]);
    enter('needs other', [other]);
    await runtime.settle();
    release('holds');
    await runtime.settle();
    expect(admitted).toEqual(['in', 'holds', 'needs other']);
    release('needs other');
    release('in');
    await runtime.settle();
    expect(admitted).toEqual(['in', 'holds', 'needs other', 'needs both']);
  });

  test('reports the gate for which an attempt waited until it expired', async () => {
    const { queue, enter, runtime } = setUp();
    const gate = slots(1, 'its slots');
    enter('in', [gate]);
    const expired = rejectionOf(
      queue.enter({
        gates: [gate],
        renewedGates: () => [gate],
        load: { tokens: 0 },
        priority: 'normal',
        since: 99,
        deadline: runtime.now() + 600_000,
        expiresAt: runtime.now() + 1_000,
        bounds: [{ key: 'target', max: 5 }],
        signal: new AbortController().signal,
      }),
    );
    await runtime.settle();
    expect(queue.waiting('target')).toBe(1);
    await runtime.advance(1_000);
    expect(await expired).toMatchObject({ reason: 'expired', gate: 'its slots', waitMs: 0 });
    expect(queue.waiting('target')).toBe(0);
  });

  test('waits for the gate that opens last', () => {
    const { queue } = setUp();
    const opens = (name: string, at: number): Gate => ({
      name,
      opensAt: () => at,
      intervalMs: () => 0,
      enter: () => ({ leave: () => undefined }),
    });
    const gates = [opens('soon', 2e15), opens('late', 3e15), opens('between', 2.5e15)];
    expect(queue.forecast(gates, { tokens: 0 })?.gate).toBe('late');
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
