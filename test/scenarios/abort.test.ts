import { getEventListeners } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createRouter } from '../../src/router.ts';
import {
  type Fault,
  type SimulatedProvider,
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

/** Whether a call has come as far as the test wants, by the vendor's log and the events so far. */
type IsReady = (log: SimulatedProvider['log'], events: readonly string[]) => boolean;

const moments: readonly (readonly [string, Fault | undefined, IsReady])[] = [
  ['before anything is sent', undefined, () => true],
  ['while the vendor is silent', { type: 'silence' }, (log) => log.length === 1],
  [
    'after headers, before the first token',
    { type: 'slow-first-token', ms: 600_000 },
    ([request]) => request?.status === 200,
  ],
  [
    'in the middle of the answer',
    { type: 'stall', afterEvents: 5 },
    ([request], events) => request?.eventsSent === 5 && events.includes('first-token'),
  ],
  [
    'while waiting for Retry-After',
    { type: 'status', status: 429, retryAfterSeconds: 30 },
    (_, events) => events.includes('retry'),
  ],
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

  it.each(moments)('%s closes the socket and leaves nothing behind', async (_, fault, isReady) => {
    const { router, simulator } = setUp();
    if (fault !== undefined) simulator.fault(fault);
    const events: string[] = [];
    router.on('*', ({ type }) => events.push(type));
    const controller = new AbortController();
    const { signal } = controller;
    if (fault === undefined) controller.abort();
    const running = router.complete('t', 'hi', { signal });
    running.catch(() => undefined);
    await expect.poll(() => isReady(simulator.log, events)).toBe(true);
    controller.abort();
    await expect(running).rejects.toMatchObject({ code: 'aborted' });
    await Promise.all(simulator.log.map((each) => each.done));
    expect(simulator.openRequests).toBe(0);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(router.snapshot().callsInFlight).toBe(0);
    await router.close();
  });

  it('by a reader that stops closes the socket', async () => {
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

  it('by a response cancelled while it waits for a part closes the socket', async () => {
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

  it('by closing the router settles running calls', async () => {
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

  it('is not needed for a stream that was never read', async () => {
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
