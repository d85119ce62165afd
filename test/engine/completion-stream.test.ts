import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCompletionStream } from '../../src/engine/call/completion-stream.ts';
import { SignalboxError } from '../../src/errors.ts';
import type { StreamPart } from '../../src/protocol/stream-part.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';

const completion = {
  target: 'a/1',
  model: { requested: '1', served: '1' },
  content: [],
  text: 'ab',
  toolCalls: [],
  trail: [],
};
type Answer = typeof completion;
type Part = StreamPart<Answer>;

const text = (delta: string): Part => ({ type: 'text-delta', delta });
const finish: Part = { type: 'finish', completion };
const answer: readonly Part[] = [
  { type: 'start', target: 'a/1', model: '1' },
  text('a'),
  { type: 'reasoning-delta', delta: 'hm' },
  text('b'),
  finish,
];
const restart: Part = {
  type: 'restart',
  from: 'a/1',
  to: 'b/1',
  error: { code: 'stream_interrupted', message: 'broke off' },
};
const failure = new SignalboxError('stream_interrupted', 'broke off');

/** A source that counts its reads, throws errors, and hangs at 'hang' until the reader leaves. */
function sourceOf(...parts: readonly (Part | Error | 'hang')[]) {
  const runtime = fakeRuntime();
  const state = { starts: 0, pulled: 0, closed: false };
  async function* source(leaving: AbortSignal) {
    state.starts += 1;
    try {
      for (const part of parts) {
        state.pulled += 1;
        if (part instanceof Error) throw part;
        if (part === 'hang') {
          await new Promise((_, reject) => {
            leaving.addEventListener('abort', () => reject(leaving.reason), { once: true });
          });
        } else yield [part];
      }
    } finally {
      state.closed = true;
    }
  }
  const stream = createCompletionStream<Answer>(async (leaving) => source(leaving), runtime);
  return { stream, state, runtime };
}

async function readAll<Each>(parts: AsyncIterable<Each>): Promise<readonly Each[]> {
  const all: Each[] = [];
  for await (const part of parts) all.push(part);
  return all;
}

const unhandled: unknown[] = [];
const onUnhandled = (reason: unknown): void => {
  unhandled.push(reason);
};
beforeEach(() => {
  unhandled.length = 0;
  process.on('unhandledRejection', onUnhandled);
});
afterEach(async () => {
  await nextTurn();
  process.off('unhandledRejection', onUnhandled);
  expect(unhandled).toEqual([]);
});

describe('a stream', () => {
  test('starts on the first read', async () => {
    const { stream, state } = sourceOf(...answer);
    const parts = stream[Symbol.asyncIterator]();
    const texts = stream.textStream;
    const bytes = stream.toReadableStream();
    await nextTurn();
    expect(state.starts).toBe(0);
    expect([texts, bytes]).toHaveLength(2);
    expect(await parts.next()).toEqual({ done: false, value: answer[0] });
    expect(state).toMatchObject({ starts: 1, pulled: 1 });
  });

  test('starts once when its first parts are read concurrently', async () => {
    const { state, stream } = sourceOf(...answer);
    const reader = stream[Symbol.asyncIterator]();
    const [first, second] = await Promise.all([reader.next(), reader.next()]);
    expect([first.value, second.value]).toEqual(answer.slice(0, 2));
    expect(state.starts).toBe(1);
  });

  test('returns concurrently read parts in order', async () => {
    const { state, stream } = sourceOf(...answer);
    const reader = stream[Symbol.asyncIterator]();
    const reads = Array.from({ length: 7 }, () => reader.next());
    const results = await Promise.all(reads);
    expect(results.flatMap(({ value }) => value ?? [])).toEqual(answer);
    expect(results.slice(-2)).toEqual(Array.from({ length: 2 }, () => ({ done: true })));
    expect(state.starts).toBe(1);
  });

  test('yields its parts in order and resolves its completion at the end', async () => {
    const { stream, state } = sourceOf(...answer);
    expect(await readAll(stream)).toEqual(answer);
    expect(await stream.completion).toEqual(completion);
    expect(state).toEqual({ starts: 1, pulled: 5, closed: true });
  });

  test('throws its failure once and then ends', async () => {
    const { stream } = sourceOf(text('a'), failure);
    const reader = stream[Symbol.asyncIterator]();
    await reader.next();
    await expect(reader.next()).rejects.toBe(failure);
    expect(await reader.next()).toEqual({ done: true, value: undefined });
    await expect(stream.completion).rejects.toBe(failure);
  });

  test('reads nothing from the source until the reader does', async () => {
    const { stream, state } = sourceOf(...answer);
    const parts = stream[Symbol.asyncIterator]();
    await parts.next();
    await parts.next();
    await nextTurn();
    expect(state.pulled).toBe(2);
  });

  test('rejects a second reader without disturbing the first', async () => {
    const { stream } = sourceOf(...answer);
    const first = stream[Symbol.asyncIterator]();
    await first.next();
    for (const second of [stream, stream.textStream]) {
      await expect(readAll<unknown>(second)).rejects.toMatchObject({
        code: 'config',
        message: 'this stream is being read already',
      });
    }
    await expect(stream.toReadableStream().getReader().read()).rejects.toMatchObject({
      code: 'config',
    });
    await stream.toReadableStream().cancel();
    const events = stream.toReadableStream('sse').getReader();
    await events.read();
    await events.cancel();
    expect(await first.next()).toEqual({ done: false, value: answer[1] });
  });

  test('throws a failure after the parts so far and rejects its completion', async () => {
    const { stream, state } = sourceOf(text('a'), failure);
    const seen: Part[] = [];
    const reading = (async () => {
      for await (const part of stream) seen.push(part);
    })();
    await expect(reading).rejects.toBe(failure);
    expect(seen).toEqual([text('a')]);
    await expect(stream.completion).rejects.toBe(failure);
    expect(state.closed).toBe(true);
  });

  test('causes no unhandled rejection when it fails, whether completion is used or not', async () => {
    const accessed = sourceOf(failure);
    void accessed.stream.completion;
    await nextTurn();
    expect(accessed.state.closed).toBe(true);
    const read = sourceOf(failure);
    await expect(readAll(read.stream)).rejects.toBe(failure);
  });
});

describe('a reader that leaves', () => {
  test('closes the source and rejects the completion', async () => {
    const { stream, state } = sourceOf(...answer);
    for await (const part of stream) if (part.type === 'text-delta') break;
    expect(state).toMatchObject({ pulled: 2, closed: true });
    await expect(stream.completion).rejects.toMatchObject({ code: 'aborted' });
  });

  test('at finish still gets the completion', async () => {
    const { stream } = sourceOf(...answer);
    for await (const part of stream) if (part.type === 'finish') break;
    expect(await stream.completion).toEqual(completion);
  });

  test('by throwing closes the source', async () => {
    const { stream, state } = sourceOf(...answer);
    const reading = (async () => {
      for await (const _ of stream.textStream) throw new Error('mine');
    })();
    await expect(reading).rejects.toThrow('mine');
    expect(state.closed).toBe(true);
  });
});

describe('completion', () => {
  test('reads the stream when nothing else does', async () => {
    const { stream, state } = sourceOf(...answer);
    expect(await stream.completion).toEqual(completion);
    expect(state.starts).toBe(1);
  });

  test('is the same promise each time and reads the stream once', async () => {
    const { stream, state } = sourceOf(...answer);
    expect(stream.completion).toBe(stream.completion);
    await stream.completion;
    expect(state.starts).toBe(1);
  });

  test('keeps every part for a later reader', async () => {
    const { stream } = sourceOf(...answer);
    await stream.completion;
    expect(await readAll(stream)).toEqual(answer);
  });

  test('keeps every part for a reader that starts while it is reading', async () => {
    for (let turns = 0; turns < 8; turns++) {
      const { stream, state } = sourceOf(...answer);
      const whole = stream.completion;
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      expect(await readAll(stream)).toEqual(answer);
      expect(await whole).toEqual(completion);
      expect(state.starts).toBe(1);
    }
  });

  test('keeps a failure for a later reader, after the parts', async () => {
    const { stream } = sourceOf(text('a'), text('b'), failure);
    await expect(stream.completion).rejects.toBe(failure);
    const seen: Part[] = [];
    const reading = (async () => {
      for await (const part of stream) seen.push(part);
    })();
    await expect(reading).rejects.toBe(failure);
    expect(seen).toEqual([text('a'), text('b')]);
  });

  test('rejects when the source ends without finish', async () => {
    const { stream } = sourceOf(text('a'));
    await expect(stream.completion).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('started', () => {
  const target = { target: 'a/1', model: '1' };

  test('starts the stream, resolves at the commit and reads no further', async () => {
    const { stream, state } = sourceOf(...answer);
    const started = stream.started;
    expect(await started).toEqual(target);
    await nextTurn();
    expect(state).toMatchObject({ starts: 1, pulled: 1 });
    expect(stream.started).toBe(started);
  });

  test('keeps the parts for every kind of reader', async () => {
    const parts = sourceOf(...answer);
    await parts.stream.started;
    expect(await readAll(parts.stream)).toEqual(answer);
    const texts = sourceOf(...answer);
    await texts.stream.started;
    expect(await readAll(texts.stream.textStream)).toEqual(['a', 'b']);
    const bytes = sourceOf(...answer);
    await bytes.stream.started;
    expect(await new Response(bytes.stream.toReadableStream()).text()).toBe('ab');
    const whole = sourceOf(...answer);
    await whole.stream.started;
    expect(await whole.stream.completion).toEqual(completion);
    expect(await readAll(whole.stream)).toEqual(answer);
  });

  test('keeps the parts for a reader that starts while it is waiting', async () => {
    for (let turns = 0; turns < 8; turns++) {
      const { stream, state } = sourceOf(...answer);
      const { started, completion: whole } = stream;
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      expect(await readAll(stream)).toEqual(answer);
      expect(await started).toEqual(target);
      expect(await whole).toEqual(completion);
      expect(state.starts).toBe(1);
    }
  });

  test('resolves while a reader is reading, and after it has read', async () => {
    const { stream } = sourceOf(...answer);
    const reader = stream[Symbol.asyncIterator]();
    const reading = reader.next();
    expect(await stream.started).toEqual(target);
    await reading;
    const read = sourceOf(...answer);
    await readAll(read.stream);
    expect(await read.stream.started).toEqual(target);
  });

  test('resolves for an answer without a start', async () => {
    expect(await sourceOf(text('ab'), finish).stream.started).toEqual(target);
  });

  test('names the first target after a restart', async () => {
    const other: Part = { type: 'start', target: 'b/1', model: '1' };
    const { stream } = sourceOf(...answer.slice(0, 2), restart, other, finish);
    await readAll(stream);
    expect(await stream.started).toEqual(target);
  });

  test('rejects with the error of a call that fails before the commit', async () => {
    const { stream } = sourceOf(failure);
    await expect(stream.started).rejects.toBe(failure);
    await expect(readAll(stream)).rejects.toBe(failure);
    await expect(stream.completion).rejects.toBe(failure);
  });

  test('does not reject for a failure after the commit', async () => {
    const { stream } = sourceOf(...answer.slice(0, 2), failure);
    expect(await stream.started).toEqual(target);
    await expect(readAll(stream)).rejects.toBe(failure);
    expect(await stream.started).toEqual(target);
  });

  test('rejects when the reader leaves before the commit', async () => {
    const { stream, state } = sourceOf('hang', ...answer);
    const { started } = stream;
    await nextTurn();
    await stream.toReadableStream().cancel();
    await expect(started).rejects.toMatchObject({ code: 'aborted' });
    expect(state.closed).toBe(true);
  });

  test('causes no unhandled rejection', async () => {
    const { stream, state } = sourceOf(failure);
    void stream.started;
    await nextTurn();
    expect(state.closed).toBe(true);
  });

  test('does not delay a reader that leaves during a read', async () => {
    const { stream, state } = sourceOf(...answer.slice(0, 2), 'hang');
    await stream.started;
    const reader = stream[Symbol.asyncIterator]();
    await reader.next();
    await reader.next();
    const waiting = reader.next();
    waiting.catch(() => undefined);
    await nextTurn();
    await reader.return?.();
    expect(state.closed).toBe(true);
    expect(await reader.next()).toEqual({ done: true, value: undefined });
  });
});

describe('textStream', () => {
  test('yields only the text', async () => {
    const { stream } = sourceOf(...answer);
    expect(await readAll(stream.textStream)).toEqual(['a', 'b']);
    expect(await stream.completion).toEqual(completion);
  });

  test('fails at a restart, because text cannot be retracted, and closes the source', async () => {
    const { stream, state } = sourceOf(text('a'), restart, ...answer);
    const seen: string[] = [];
    const reading = (async () => {
      for await (const delta of stream.textStream) seen.push(delta);
    })();
    await expect(reading).rejects.toMatchObject({ code: 'stream_interrupted', target: 'a/1' });
    expect(seen).toEqual(['a']);
    expect(state.closed).toBe(true);
    await expect(stream.completion).rejects.toMatchObject({ code: 'aborted' });
  });

  test('does not affect a reader of parts at a restart', async () => {
    const { stream } = sourceOf(text('x'), restart, ...answer);
    expect(await readAll(stream)).toEqual([text('x'), restart, ...answer]);
    expect(await stream.completion).toEqual(completion);
  });
});

describe('toReadableStream', () => {
  test('encodes the text as UTF-8', async () => {
    const { stream } = sourceOf(text('é'), text('😀'), finish);
    expect(await new Response(stream.toReadableStream()).text()).toBe('é😀');
  });

  test('rejects an unknown format and unknown options', () => {
    const { stream, state } = sourceOf(...answer);
    const calls = [
      () => stream.toReadableStream('xml' as 'sse'),
      () => stream.toReadableStream('sse', { include: ['costs' as 'cost'] }),
      () => stream.toReadableStream('sse', { heartbeatMs: 0 }),
      () => stream.toReadableStream('sse', { heartbeatMs: Number.NaN }),
    ];
    for (const call of calls) {
      expect(call).toThrow(expect.objectContaining({ code: 'config' }));
    }
    expect(state.starts).toBe(0);
  });

  test('reads nothing ahead', async () => {
    const { stream, state } = sourceOf(text('a'), text('b'), finish);
    const reader = stream.toReadableStream().getReader();
    await nextTurn();
    expect(state.pulled).toBe(0);
    await reader.read();
    await nextTurn();
    expect(state.pulled).toBe(1);
  });

  test('fails when the stream fails', async () => {
    const { stream } = sourceOf(text('a'), failure);
    const reader = stream.toReadableStream().getReader();
    await reader.read();
    await expect(reader.read()).rejects.toBe(failure);
    await expect(stream.completion).rejects.toBe(failure);
  });

  test('closes the source when canceled between two parts', async () => {
    const { stream, state } = sourceOf(...answer);
    const reader = stream.toReadableStream().getReader();
    await reader.read();
    await reader.cancel();
    expect(state.closed).toBe(true);
    await expect(stream.completion).rejects.toMatchObject({ code: 'aborted' });
  });

  test('closes the source when canceled during a pending read', async () => {
    const { stream, state } = sourceOf(text('a'), 'hang');
    const reader = stream.toReadableStream().getReader();
    await reader.read();
    const waiting = reader.read();
    await nextTurn();
    await reader.cancel();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(state.closed).toBe(true);
    await expect(stream.completion).rejects.toMatchObject({ code: 'aborted' });
  });

  test('never starts the source when canceled before the first read', async () => {
    const { stream, state } = sourceOf(...answer);
    await stream.toReadableStream().cancel();
    await expect(stream.completion).rejects.toMatchObject({ code: 'aborted' });
    expect(state.starts).toBe(0);
  });
});
