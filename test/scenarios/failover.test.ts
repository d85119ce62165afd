import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Provider } from '../../src/protocol/provider.ts';
import { createRouter } from '../../src/router.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import {
  type Fault,
  type SimulatedProviders,
  simulateProviders,
} from '../../src/testing/simulate-providers.ts';
import { SocketTime } from '../support/socket-time.ts';
import { vendorsOverAll, waysAndWires } from '../support/transports.ts';
import type { Vendor } from '../support/vendors.ts';

let simulators: SimulatedProviders;
let vendorOver: Awaited<ReturnType<typeof vendorsOverAll>>;

beforeAll(async () => {
  simulators = await simulateProviders();
  vendorOver = await vendorsOverAll(simulators);
});
beforeEach(() => simulators.reset());
afterAll(() => simulators.close());

/** The vendor under test first, a fake that always answers second. Runs in virtual time. */
function routerFor({ provider, model, simulator }: Vendor) {
  const providers: Record<'main' | 'spare', Provider> = {
    main: provider,
    spare: fakeProvider('spare'),
  };
  const runtime = fakeRuntime();
  const time = new SocketTime(runtime, [simulator]);
  const router = createRouter({
    runtime,
    providers,
    tiers: {
      t: [`main/${model}`, 'spare/m'],
      alone: [`main/${model}`],
    },
  });
  return { router: time.follow(router), time, runtime };
}

/** The answer of the vendor under test, or of the fake. */
function complete(vendor: Vendor, options: { readonly transfer?: 'unary' } = {}) {
  const { router, time } = routerFor(vendor);
  return time.settle(router.complete('t', 'hi', options));
}

const whole =
  'An answer that is long enough to have several chunks, so that it can be cut in the middle.';

/** Each fault with the code that it must leave in the trail, and the most attempts at the vendor. */
const faults: readonly (readonly [string, Fault, string, number])[] = [
  ['a reset before headers', { type: 'reset' }, 'connection', 2],
  ['silence', { type: 'silence' }, 'timeout', 1],
  ['a slow first token', { type: 'slow-first-token', ms: 600_000 }, 'timeout', 1],
  ['a cut', { type: 'cut', afterEvents: 7 }, 'stream_interrupted', 1],
  ['a truncation', { type: 'truncate', afterEvents: 7 }, 'stream_interrupted', 1],
  ['a stall', { type: 'stall', afterEvents: 7 }, 'timeout', 1],
  ['an HTML page with status 200', { type: 'html' }, 'invalid_response', 2],
  ['an empty 200', { type: 'empty' }, 'invalid_response', 2],
  [
    'an error inside a 200 stream',
    { type: 'error-in-stream', afterEvents: 1, kind: 'server_error' },
    'server_error',
    2,
  ],
  ['status 500', { type: 'status', status: 500 }, 'server_error', 2],
  ['status 503', { type: 'status', status: 503 }, 'overloaded', 2],
  ['status 429', { type: 'status', status: 429, retryAfterSeconds: 3 }, 'rate_limited', 1],
  ['status 401', { type: 'status', status: 401 }, 'auth', 1],
];

describe.each(waysAndWires)('over %s, on the %s wire', (way, name) => {
  const vendor = () => vendorOver(way, name);

  it.each(faults)('complete survives %s', async (_, fault, code, maxAttempts) => {
    const { simulator } = vendor();
    simulator.answer({ text: whole, chunks: whole.split(/(?<= )/) });
    simulator.fault(fault);
    const { router, time } = routerFor(vendor());
    const answer = await time.settle(router.complete('t', 'hi'));
    expect(answer.text).toBe('spare');
    const failed = answer.trail.filter((line) => line.outcome === 'error');
    expect(failed[0]?.error?.code).toBe(code);
    expect(failed.length).toBeLessThanOrEqual(maxAttempts);
    expect(simulator.log.length).toBe(failed.length);
    await router.close();
    await Promise.all(simulator.log.map((each) => each.done));
    expect(simulator.openRequests).toBe(0);
  });

  it.each(faults)('a stream does not end as if complete after %s', async (_, fault) => {
    const { simulator } = vendor();
    simulator.answer({ text: whole, chunks: whole.split(/(?<= )/) });
    simulator.fault(fault);
    const { router, time } = routerFor(vendor());
    let text = '';
    const read = async (): Promise<void> => {
      for await (const part of router.stream('t', 'hi'))
        if (part.type === 'text-delta') text += part.delta;
    };
    const failure: unknown = await time.settle(read()).catch((error: unknown) => error);
    if (failure === undefined) expect(text).toBe('spare');
    else expect(failure).toMatchObject({ name: 'SignalboxError', partial: { text } });
    await router.close();
  });

  it('waits for Retry-After when there is no other target', async () => {
    const { simulator } = vendor();
    simulator.fault({ type: 'status', status: 429, retryAfterSeconds: 3 }, { times: 1 });
    const { router, time, runtime } = routerFor(vendor());
    const startedAt = runtime.now();
    const answer = await time.settle(router.complete('alone', 'hi'));
    expect(answer.trail.map((line) => line.verdict)).toEqual(['retry', 'done']);
    expect(runtime.now() - startedAt).toBeGreaterThanOrEqual(3_000);
  });

  it('retries one 500 on the same vendor', async () => {
    const { simulator } = vendor();
    simulator.fault({ type: 'status', status: 500 }, { times: 1 });
    const answer = await complete(vendor());
    expect(answer.provider).toBe('main');
    expect(simulator.log).toHaveLength(2);
  });

  it('skips one malformed event with a warning', async () => {
    const { simulator } = vendor();
    simulator.answer({ text: whole, chunks: whole.split(/(?<= )/) });
    simulator.fault({ type: 'malformed', atEvent: 6 });
    const answer = await complete(vendor());
    expect(answer.provider).toBe('main');
    expect(answer.warnings.map((warning) => warning.code)).toContain('malformed-event');
  });

  it('accepts an answer that has a finish but no terminal marker', async () => {
    const { simulator } = vendor();
    simulator.answer(whole);
    simulator.fault({ type: 'no-done' });
    const answer = await complete(vendor());
    expect(answer).toMatchObject({ provider: 'main', text: whole });
    expect(answer.usage.estimated).toBeUndefined();
  });

  it.each([{ type: 'ignore-stream' }, { type: 'crlf' }, { type: 'odd-bytes', size: 3 }] as const)(
    'reads the answer of a vendor with $type',
    async (fault) => {
      const { simulator } = vendor();
      simulator.answer('Grüße, 世界 👋🏽');
      simulator.fault(fault);
      const answer = await complete(vendor());
      expect(answer).toMatchObject({ provider: 'main', text: 'Grüße, 世界 👋🏽' });
    },
  );

  it('reads a stream that was not requested', async () => {
    const { simulator } = vendor();
    simulator.answer(whole);
    simulator.fault({ type: 'stream-anyway' });
    const answer = await complete(vendor(), { transfer: 'unary' });
    expect(answer).toMatchObject({ provider: 'main', text: whole });
  });

  it('does not send a prompt that was too long to a window of the same size', async () => {
    const { simulator, model, provider } = vendor();
    simulator.fault({ type: 'status', status: 400, kind: 'context_length' });
    const router = createRouter({
      providers: { main: provider, spare: fakeProvider('spare') },
      tiers: {
        t: [
          { target: `main/${model}`, contextWindow: 8_000 },
          { target: 'spare/small', contextWindow: 8_000 },
          { target: 'spare/large', contextWindow: 80_000 },
        ],
      },
    });
    const answer = await router.complete('t', 'hi');
    expect(answer.target).toBe('spare/large');
    expect(answer.trail[0]?.error?.code).toBe('context_length');
    expect(simulator.log).toHaveLength(1);
  });

  it('does not route around a content filter', async () => {
    const { simulator } = vendor();
    // OpenAI answers 400; the others answer 200 and report it as the finish reason.
    if (name === 'responses' || name === 'chat') {
      simulator.fault({ type: 'status', status: 400, kind: 'content_filter' });
    } else
      simulator.answer({
        text: '',
        finishReason: name === 'google' ? 'content_filter' : 'refusal',
      });
    const outcome = await complete(vendor()).then(
      (answer) => ({ from: answer.provider, why: answer.finishReason as string }),
      (error: { code: string }) => ({ from: 'main', why: error.code }),
    );
    expect(outcome.from).toBe('main');
    expect(['content_filter', 'refusal']).toContain(outcome.why);
    expect(simulator.log).toHaveLength(1);
  });

  it('keeps keys, prompts and vendor texts out of errors', async () => {
    const { simulator } = vendor();
    simulator.fault({ type: 'status', status: 400, message: 'bad: my secret prompt test-key' });
    const { router, time } = routerFor(vendor());
    const error: unknown = await time
      .settle(router.complete('t', 'my secret prompt'))
      .catch((reason: unknown) => reason);
    const { message, trail } = error as { message: string; trail: unknown };
    expect(`${message} ${JSON.stringify(trail)}`).not.toMatch(/secret|test-key/);
  });
});
