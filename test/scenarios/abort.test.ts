import { getEventListeners } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createRouter } from '../../src/router.ts';
import {
  type Fault,
  type SimulatedProviders,
  simulateProviders,
} from '../../src/testing/simulate-providers.ts';
import { vendorsOverAll, waysAndWires } from '../support/transports.ts';

let simulators: SimulatedProviders;
let vendorOver: Awaited<ReturnType<typeof vendorsOverAll>>;
const unhandled: unknown[] = [];
const note = (reason: unknown): void => {
  unhandled.push(reason);
};

beforeAll(async () => {
  process.on('unhandledRejection', note);
  simulators = await simulateProviders();
  vendorOver = await vendorsOverAll(simulators);
});
beforeEach(() => simulators.reset());
afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve));
  expect(unhandled.splice(0)).toEqual([]);
});
afterAll(async () => {
  process.off('unhandledRejection', note);
  await simulators.close();
});

const slow: readonly (readonly [string, Fault | undefined, number])[] = [
  ['before anything was sent', undefined, -1],
  ['while the vendor is silent', { type: 'silence' }, 60],
  ['after headers, before the first token', { type: 'slow-first-token', ms: 5_000 }, 60],
  ['in the middle of the answer', { type: 'stall', afterEvents: 5 }, 120],
  ['while an error is waited out', { type: 'status', status: 429, retryAfterSeconds: 30 }, 60],
];

describe.each(waysAndWires)('over %s, on the %s wire, an abort', (way, name) => {
  const setUp = () => {
    const vendor = vendorOver(way, name);
    vendor.simulator.answer({
      text: 'one two three four five',
      chunks: ['one ', 'two ', 'three ', 'four ', 'five'],
    });
    const router = createRouter({
      providers: { main: vendor.provider },
      tiers: { t: [`main/${vendor.model}`] },
    });
    return { router, simulator: vendor.simulator };
  };

  it.each(slow)('%s closes the socket and leaves nothing behind', async (_, fault, afterMs) => {
    const { router, simulator } = setUp();
    if (fault !== undefined) simulator.fault(fault);
    const controller = new AbortController();
    const { signal } = controller;
    if (afterMs < 0) controller.abort();
    else setTimeout(() => controller.abort(), afterMs);
    await expect(router.complete('t', 'hi', { signal })).rejects.toMatchObject({
      code: 'aborted',
    });
    await Promise.all(simulator.log.map((each) => each.done));
    expect(simulator.openRequests).toBe(0);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(router.snapshot().callsInFlight).toBe(0);
    await router.close();
  });

  it('by a reader who leaves closes the socket', async () => {
    const { router, simulator } = setUp();
    simulator.fault({ type: 'stall', afterEvents: 6 });
    for await (const part of router.stream('t', 'hi')) if (part.type === 'text-delta') break;
    await Promise.all(simulator.log.map((each) => each.done));
    expect(simulator.log[0]?.aborted).toBe(true);
    expect(simulator.openRequests).toBe(0);
  });

  it('by a cancelled web response closes the socket', async () => {
    const { router, simulator } = setUp();
    simulator.fault({ type: 'stall', afterEvents: 6 });
    const reader = new Response(router.stream('t', 'hi').toReadableStream()).body?.getReader();
    await reader?.read();
    await reader?.cancel();
    await Promise.all(simulator.log.map((each) => each.done));
    expect(simulator.openRequests).toBe(0);
  });

  it('by a response cancelled while a part is waited for closes the socket at once', async () => {
    const { router, simulator } = setUp();
    simulator.fault({ type: 'silence' });
    const reader = router.stream('t', 'hi').toReadableStream().getReader();
    const reading = reader.read();
    reading.catch(() => undefined);
    await expect.poll(() => simulator.openRequests).toBe(1);
    await reader.cancel();
    await Promise.all(simulator.log.map((each) => each.done));
    expect(simulator.openRequests).toBe(0);
    expect(router.snapshot().callsInFlight).toBe(0);
  });

  it('by a closing router settles what runs', async () => {
    const { router, simulator } = setUp();
    simulator.fault({ type: 'silence' });
    const running = router.complete('t', 'hi');
    running.catch(() => undefined);
    await expect.poll(() => simulator.openRequests).toBe(1);
    await router.close();
    await expect(running).rejects.toMatchObject({ code: 'closed' });
    await Promise.all(simulator.log.map((each) => each.done));
    expect(simulator.openRequests).toBe(0);
  });

  it('never comes from a stream that nobody has read', async () => {
    const { router, simulator } = setUp();
    router.stream('t', 'hi');
    await new Promise((resolve) => setImmediate(resolve));
    expect(simulator.log).toHaveLength(0);
    expect(router.snapshot().callsInFlight).toBe(0);
  });

  it('leaves no listener on a signal that outlives many calls', async () => {
    const { router } = setUp();
    const { signal } = new AbortController();
    for (let each = 0; each < 5; each++) await router.complete('t', 'hi', { signal });
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});
