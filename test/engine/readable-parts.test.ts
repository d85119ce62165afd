import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { createCompletionStream } from '../../src/engine/call/completion-stream.ts';
import { SignalboxError } from '../../src/errors.ts';
import type { Attempt } from '../../src/protocol/attempt.ts';
import type { Part } from '../../src/protocol/message.ts';
import type { Runtime } from '../../src/protocol/runtime.ts';
import type { Included, ReadableFormat, StreamPart } from '../../src/protocol/stream-part.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';

const failed: Attempt = {
  target: 'SECRET-TRAIL/1',
  startedAt: 0,
  durationMs: 5,
  outcome: 'error',
  error: { code: 'overloaded', message: 'SECRET-TRAIL', by: 'SECRET-BY' },
  verdict: 'next',
  usage: { inputTokens: 7_001, outputTokens: 0, totalTokens: 0 },
  cost: 7_002,
};
const opaque = {
  wire: 'anthropic',
  provider: 'a',
  model: '1',
  kind: 'signature',
  data: 'SECRET-OPAQUE',
} as const;
const reasoning: Part = { type: 'reasoning', text: 'hm', opaque };
const cited: Part = {
  type: 'text',
  text: 'Hello',
  citations: [{ url: 'https://example.com', raw: { encrypted: 'SECRET-OPAQUE' } }],
};
const toolCall = { type: 'tool-call', id: 't1', name: 'add', input: { a: 1 }, opaque } as const;
const completion = {
  id: 'answer_1',
  callId: 'call_1',
  tier: 't',
  target: 'a/1',
  provider: 'a',
  model: { requested: '1', served: '1' },
  content: [reasoning, cited, toolCall],
  text: 'Hello',
  reasoningText: 'hm',
  toolCalls: [toolCall],
  object: undefined,
  finishReason: 'tool_calls',
  rawFinishReason: 'SECRET-TRAIL',
  usage: { inputTokens: 7_003, outputTokens: 1, totalTokens: 0 },
  cost: { usd: 7_004 },
  latency: { totalMs: 9 },
  requestId: 'SECRET-TRAIL',
  trail: [failed],
  warnings: [{ code: 'compat', message: 'SECRET-TRAIL' }],
  tags: { user: 'SECRET-TAGS' },
  raw: { text: 'SECRET-OPAQUE' },
} as const;
const error = { code: 'overloaded', message: 'SECRET-TRAIL', by: 'SECRET-BY' } as const;
const answer: readonly StreamPart<unknown>[] = [
  { type: 'start', target: 'b/1', model: '1' },
  { type: 'text-delta', delta: 'Hel' },
  { type: 'restart', from: 'SECRET-TRAIL/1', to: 'a/1', error },
  { type: 'start', target: 'a/1', model: '1' },
  { type: 'part-end', part: reasoning },
  { type: 'text-delta', delta: 'Hello' },
  { type: 'part-end', part: cited },
  { type: 'tool-call-start', id: 't1', name: 'add' },
  { type: 'tool-call-delta', id: 't1', delta: '{"a":1}' },
  { type: 'part-end', part: toolCall },
  { type: 'continue', from: 'SECRET-TRAIL/1', to: 'a/1', error },
  { type: 'finish', completion },
];
const failure = new SignalboxError('stream_interrupted', 'SECRET-TRAIL broke off', {
  target: 'SECRET-TRAIL/1',
  trail: [failed],
  cause: new Error('SECRET-WORDS'),
});

function streamOf(
  parts: readonly (StreamPart<unknown> | Error)[],
  runtime: Runtime = fakeRuntime(),
) {
  async function* source() {
    for (const part of parts) {
      if (part instanceof Error) throw part;
      yield [part as StreamPart<typeof completion>];
    }
  }
  return createCompletionStream(async () => source(), runtime);
}

async function read(
  parts: readonly (StreamPart<unknown> | Error)[],
  format: ReadableFormat,
  include?: readonly Included[],
): Promise<string> {
  return new Response(streamOf(parts).toReadableStream(format, { include })).text();
}

type Event = Readonly<Record<string, unknown>>;

/** The data of the events. */
function eventsOf(body: string): readonly Event[] {
  return body.split('\n\n').flatMap((block) => {
    const [, name, data] = /^event: (.*)\ndata: (.*)$/.exec(block) ?? [];
    if (data === undefined) return [];
    const event: Event = JSON.parse(data);
    expect(event.type).toBe(name);
    return [event];
  });
}

const secrets = {
  cost: ['7001', '7002', '7003', '7004'],
  trail: ['SECRET-TRAIL'],
  tags: ['SECRET-TAGS'],
  opaque: ['SECRET-OPAQUE'],
} as const;

describe.each(['sse', 'json'] as const)('a readable stream of %s', (format) => {
  test('shows the answer and nothing else', async () => {
    const body = await read([...answer, failure], format);
    for (const secret of Object.values(secrets).flat()) expect(body).not.toContain(secret);
    expect(body).toContain('"text":"Hello"');
    expect(body).toContain('"url":"https://example.com"');
  });

  test.each(['cost', 'trail', 'tags', 'opaque'] as const)(
    'shows %s when included',
    async (name) => {
      const body = await read([...answer, failure], format, [name]);
      for (const [other, found] of Object.entries(secrets)) {
        for (const secret of found) {
          // The trail has costs too.
          if (secret === '7001' || secret === '7002') continue;
          expect(body.includes(secret), secret).toBe(name === other);
        }
      }
      expect(body).not.toContain('7002');
      expect(body).not.toContain('SECRET-WORDS');
    },
  );

  test('shows the costs of attempts with cost and trail, and values of tags with tags', async () => {
    expect(await read(answer, format, ['cost', 'trail'])).toContain('"cost":7002');
    expect(await read(answer, format, ['trail'])).not.toContain('SECRET-BY');
    expect(await read(answer, format, ['tags', 'trail'])).toContain('SECRET-BY');
  });
});

describe('server-sent events', () => {
  test('have the name of their part', async () => {
    const events = eventsOf(await read(answer, 'sse'));
    expect(events.map(({ type }) => type)).toEqual(answer.map(({ type }) => type));
    expect(events[1]).toEqual({ type: 'text-delta', delta: 'Hel' });
    expect(events[2]).toEqual({ type: 'restart', to: 'a/1' });
    expect(events.at(-1)).toEqual({
      type: 'finish',
      completion: expect.objectContaining({ id: 'answer_1', target: 'a/1', text: 'Hello' }),
    });
  });

  test('begin with an id and a time to reconnect that never comes', async () => {
    expect(await read(answer, 'sse')).toMatch(/^id: 1\nretry: 2147483647\n\nevent: start\n/);
  });

  test('end with an error event, without words of the vendor', async () => {
    const body = await read([...answer.slice(0, 2), failure], 'sse');
    expect(eventsOf(body).at(-1)).toEqual({
      type: 'error',
      code: 'stream_interrupted',
      message: 'The answer broke off. Try again.',
    });
    expect(body).not.toContain('SECRET');
  });

  test('are an error event when the call fails before it starts', async () => {
    const limited = new SignalboxError('rate_limited', 'SECRET', { retryAfterMs: 1_500 });
    expect(eventsOf(await read([limited], 'sse'))).toEqual([
      {
        type: 'error',
        code: 'rate_limited',
        message: 'Too many requests. Try again later.',
        retryAfterMs: 1_500,
      },
    ]);
  });

  test('start the call and the response at the first read', async () => {
    let starts = 0;
    const stream = createCompletionStream<typeof completion>(async () => {
      starts += 1;
      return (async function* () {
        yield await new Promise<never>(() => undefined);
      })();
    }, fakeRuntime());
    const reader = stream.toReadableStream('sse').getReader();
    await nextTurn();
    expect(starts).toBe(0);
    expect(new TextDecoder().decode((await reader.read()).value)).toMatch(/^id: 1\n/);
    expect(starts).toBe(1);
  });

  test.each([
    ['15 s', undefined, 15_000],
    ['heartbeatMs', 2_000, 2_000],
  ])('have a comment after %s without a part', async (_, heartbeatMs, expectedMs) => {
    const runtime = fakeRuntime();
    const gate = Promise.withResolvers<void>();
    const stream = createCompletionStream<typeof completion>(async () => {
      return (async function* () {
        yield [{ type: 'text-delta', delta: 'a' } as const];
        await gate.promise;
        yield [{ type: 'text-delta', delta: 'b' } as const];
      })();
    }, runtime);
    const reader = stream.toReadableStream('sse', { heartbeatMs }).getReader();
    const next = async () => new TextDecoder().decode((await reader.read()).value);
    await next();
    expect(await next()).toContain('"delta":"a"');
    for (let beat = 0; beat < 3; beat += 1) {
      let comment: string | undefined;
      const reading = next().then((text) => {
        comment = text;
      });
      await runtime.advance(expectedMs - 1);
      expect(comment).toBeUndefined();
      await runtime.advance(1);
      await reading;
      expect(comment).toBe(': \n\n');
    }
    gate.resolve();
    expect(await next()).toContain('"delta":"b"');
    expect(await next()).toBe('');
    expect(runtime.pending).toBe(0);
  });

  test('leave no timer when they are cancelled during a read', async () => {
    const runtime = fakeRuntime();
    let closed = false;
    const stream = createCompletionStream<typeof completion>(async (leaving) => {
      return (async function* () {
        try {
          yield [{ type: 'text-delta', delta: 'a' } as const];
          await new Promise((_, reject) => {
            leaving.addEventListener('abort', () => reject(leaving.reason));
          });
        } finally {
          closed = true;
        }
      })();
    }, runtime);
    const reader = stream.toReadableStream('sse').getReader();
    await reader.read();
    await reader.read();
    const reading = reader.read();
    await nextTurn();
    expect(runtime.pending).toBe(1);
    await reader.cancel();
    expect(await reading).toEqual({ done: true, value: undefined });
    await nextTurn();
    expect(closed).toBe(true);
    expect(runtime.pending).toBe(0);
  });
});

test('lines of JSON end with the error', async () => {
  const body = await read([...answer.slice(0, 2), failure], 'json');
  const lines = body
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines.map(({ type }) => type)).toEqual(['start', 'text-delta', 'error']);
  expect(lines[2].code).toBe('stream_interrupted');
});
