import fc from 'fast-check';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { SignalboxError } from '../../src/errors.ts';
import { openai } from '../../src/openai.ts';
import type { Attempt } from '../../src/protocol/attempt.ts';
import { createRouter } from '../../src/router.ts';
import { errorSerializer } from '../../src/telemetry/error-serializer.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';

const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

/** What a call throws. */
async function failureOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => expect.unreachable('the call must fail'),
    (error: unknown) => error,
  );
}

/** What pino writes of an error. */
function logged(error: unknown): { readonly line: string; readonly err: unknown } {
  let line = '';
  const logger = pino(
    { serializers: { err: errorSerializer }, base: null, timestamp: false },
    {
      write(text: string) {
        line += text;
      },
    },
  );
  logger.error({ err: error }, 'failed');
  return { line, err: JSON.parse(line).err };
}

/** A router whose vendor answers with that body. */
function answering(body: string, status: number) {
  const fetch = async (): Promise<Response> =>
    new Response(body, { status, headers: { 'x-request-id': 'req_12345678' } });
  const tier = { retry: { attempts: 0 }, targets: ['openai/gpt-5.4-mini'] } as const;
  return createRouter({
    providers: { openai: openai({ apiKey: 'sk-secret-of-a-user', fetch }) },
    tiers: { t: tier },
  });
}

describe('errorSerializer', () => {
  it('keeps what describes a failed call', async () => {
    const router = createRouter({
      providers: {
        a: fakeProvider({ error: 'rate_limited' }),
        b: fakeProvider({ text: 'no', usage: { inputTokens: 1_000, outputTokens: 1_000 } }),
      },
      tiers: {
        fast: { targets: ['a/m', 'b/m'], retry: { attempts: 0 }, repairAttempts: 0 },
      },
      prices: { 'b/m': { input: 1, output: 2 } },
    });
    router.isolate('a/m');
    const options = { validate: () => 'it is no good' };
    const error = await failureOf(router.complete('fast', 'hello', options));
    expect(logged(error).err).toEqual({
      type: 'SignalboxError',
      message: expect.stringMatching(/^all targets of tier "fast" failed\n/),
      code: 'all_targets_failed',
      tier: 'fast',
      cost: 0.003,
      attempts: [
        { target: 'a/m', outcome: 'skipped', reason: 'isolated', durationMs: 0 },
        { target: 'b/m', outcome: 'error', code: 'invalid_output', durationMs: expect.any(Number) },
      ],
    });
  });

  it('has at most 2,048 bytes, and nothing of the vendor, the prompt and the key', async () => {
    const json = fc.record({
      error: fc.record({
        message: fc.string({ unit: 'binary' }).map((text) => `LEAK ${text}`.repeat(400)),
        type: fc.constantFrom('invalid_request_error', 'LEAK', 'server_error'),
        code: fc.constantFrom('insufficient_quota', 'LEAK', null),
        param: fc.constantFrom('LEAK', 'messages[0].content', null),
      }),
    });
    const body = fc.oneof(
      json.map((value) => JSON.stringify(value)),
      fc.constant('LEAK'.repeat(9_000)),
    );
    await fc.assert(
      fc.asyncProperty(
        body,
        fc.constantFrom(200, 400, 401, 403, 404, 413, 429, 500, 529),
        async (...reply) => {
          const router = answering(...reply);
          const error = await failureOf(router.complete('t', 'PROMPT of a user'));
          const { line } = logged(error);
          expect(Buffer.byteLength(line)).toBeLessThan(2_200);
          expect(bytesOf(errorSerializer(error))).toBeLessThanOrEqual(2_048);
          for (const text of [line, String(error)])
            expect(text).not.toMatch(/LEAK|PROMPT|sk-secret/);
          expect(String(error).length).toBeLessThanOrEqual(500);
          await router.close();
        },
      ),
      { numRuns: 60 },
    );
  });

  it('has at most 2,048 bytes for any error', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 3_000 }),
      fc.constant('\u0000'.repeat(5_000)),
      fc.constant('語'.repeat(5_000)),
    );
    const attempt = fc.record<Attempt>(
      {
        target: text,
        startedAt: fc.nat(),
        durationMs: fc.double({ noNaN: true }),
        outcome: fc.constantFrom('ok', 'error', 'skipped'),
        verdict: fc.constant('next'),
        reason: text,
        error: fc.record({ code: fc.constant('auth'), message: text, status: fc.nat() }),
        cost: fc.option(fc.nat()),
      },
      { requiredKeys: ['target', 'startedAt', 'durationMs', 'outcome', 'verdict'] },
    );
    const ours = fc
      .record({
        tier: text,
        target: text,
        requestId: text,
        policy: text,
        rule: text,
        trail: fc.array(attempt),
      })
      .chain((fields) => text.map((message) => new SignalboxError('auth', message, fields)));
    const other = fc.tuple(text, text, fc.option(ours)).map(([message, name, cause]) =>
      Object.assign(new Error(message, { cause: cause ?? new Error(message) }), {
        name,
        code: name,
      }),
    );
    fc.assert(
      fc.property(fc.oneof(ours, other, text, fc.anything()), (error) => {
        expect(bytesOf(errorSerializer(error))).toBeLessThanOrEqual(2_048);
      }),
      { numRuns: 300 },
    );
  });

  it('counts the attempts that it leaves out', () => {
    const attempt = { startedAt: 1, durationMs: 2, outcome: 'error', verdict: 'next' } as const;
    const trail = Array.from({ length: 200 }, (_, index) => ({ ...attempt, target: `a/${index}` }));
    const { attempts = [], attemptsLeftOut } = errorSerializer(
      new SignalboxError('all_targets_failed', 'failed', { trail }),
    );
    expect(attempts[0]).toEqual({ target: 'a/0', outcome: 'error', durationMs: 2 });
    expect(attempts.length).toBeGreaterThan(10);
    expect(attempts.length + (attemptsLeftOut ?? 0)).toBe(200);
  });

  it('is null as cost when a price is unknown', () => {
    const attempt = {
      target: 'a/m',
      startedAt: 1,
      durationMs: 2,
      outcome: 'ok',
      verdict: 'done',
    } as const;
    const trail: readonly Attempt[] = [
      { ...attempt, cost: 1 },
      { ...attempt, cost: null },
    ];
    expect(errorSerializer(new SignalboxError('closed', 'closed', { trail })).cost).toBeNull();
    expect(errorSerializer(new SignalboxError('closed', 'closed'))).not.toHaveProperty('cost');
  });
});

describe('errorSerializer of other errors', () => {
  it('has their name, message, code, stack and causes, and no other fields', () => {
    const inner = new SignalboxError('rate_limited', 'slow down', { target: 'a/m', status: 429 });
    const error = Object.assign(new TypeError('checkout failed', { cause: inner }), {
      code: 'E_CHECKOUT',
      body: 'PROMPT',
    });
    const { stack, ...rest } = errorSerializer(error);
    expect(rest).toEqual({
      type: 'TypeError',
      message: 'checkout failed',
      code: 'E_CHECKOUT',
      cause: {
        type: 'SignalboxError',
        message: 'slow down',
        code: 'rate_limited',
        target: 'a/m',
        status: 429,
      },
    });
    expect(stack).toMatch(/^at .*error-serializer\.test\.ts/);
  });

  it('ends at a circle of causes', () => {
    const first = new Error('first');
    const second = new Error('second', { cause: first });
    first.cause = second;
    expect(errorSerializer(first)).toMatchObject({
      message: 'first',
      cause: { message: 'second' },
    });
    expect(errorSerializer(first).cause).not.toHaveProperty('cause');
  });

  it("does not repeat the vendor's words of a cause that is logged alone", async () => {
    const router = answering(JSON.stringify({ error: { message: 'LEAK' } }), 400);
    const error = await failureOf(router.complete('t', 'hello'));
    const { cause } = error as Error;
    expect(String(cause)).toContain('LEAK');
    expect(JSON.stringify(errorSerializer(cause))).not.toContain('LEAK');
    expect(errorSerializer(cause).type).toBe('VendorError');
  });

  it.each([
    [undefined, { type: 'undefined', message: 'undefined' }],
    [null, { type: 'null', message: 'null' }],
    ['text', { type: 'string', message: 'text' }],
    [Symbol('s'), { type: 'symbol', message: 'Symbol(s)' }],
    [{ prompt: 'secret' }, { type: 'object', message: 'not an error' }],
  ])('describes %s, which is none', (value, expected) => {
    expect(errorSerializer(value)).toEqual(expected);
  });

  it('does not throw for an error that cannot be read', () => {
    const broken = Object.defineProperty(new Error('x'), 'message', {
      get: () => {
        throw new Error('broken');
      },
    });
    expect(errorSerializer(broken)).toEqual({
      type: 'object',
      message: 'the error cannot be read',
    });
  });
});
