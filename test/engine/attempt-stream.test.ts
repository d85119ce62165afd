import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { AttemptStream } from '../../src/engine/attempt/attempt-stream.ts';
import { openScope } from '../../src/engine/core/scope.ts';
import { SignalboxError } from '../../src/errors.ts';
import type { PreparedCall } from '../../src/protocol/provider.ts';
import type { Runtime } from '../../src/protocol/runtime.ts';
import type { ProviderPart } from '../../src/protocol/stream-part.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { readAttempt } from '../support/read-attempt.ts';

const finish: ProviderPart = { type: 'finish', finishReason: 'stop' };

/** Aborts an attempt just before the last batch of its answer passes through nested generators. Returns the parts seen. */
async function seenBy(layers: number): Promise<readonly ProviderPart[]> {
  const caller = new AbortController();
  type Batches = AsyncGenerator<readonly ProviderPart[]>;
  async function* answer(): Batches {
    yield [{ type: 'open' }];
    caller.abort(new Error('enough'));
    yield [finish];
  }
  const through = async function* (parts: Batches): Batches {
    yield* parts;
  };
  const prepared: PreparedCall = {
    warnings: [],
    send: () => Array.from({ length: layers }).reduce<Batches>(through, answer()),
  };
  const seen: ProviderPart[] = [];
  const runtime = fakeRuntime();
  const parts = new AttemptStream(runtime, {
    send: prepared.send,
    scope: openScope(runtime, caller.signal, 10_000),
    timeouts: { connectMs: 1_000, firstTokenMs: 1_000, idleMs: 1_000 },
    transfer: 'stream',
    keepRaw: false,
    onLimits: () => undefined,
    onUnknownName: () => undefined,
    see: (part) => seen.push(part),
  });
  await readAttempt(parts);
  return seen;
}

it.each([0, 1, 3])(
  'sees the parts that arrived in the turn of an abort, through %i generators',
  async (layers) => {
    expect(await seenBy(layers)).toEqual([{ type: 'open' }, finish]);
  },
);

/** Returns one batch per read. The read after the last batch stays pending. */
class ScriptedAnswer implements AsyncIterableIterator<readonly ProviderPart[]> {
  reads = 0;
  hasLeft = false;
  readonly late = Promise.withResolvers<IteratorResult<readonly ProviderPart[]>>();
  readonly #batches: (readonly ProviderPart[])[];

  constructor(...batches: (readonly ProviderPart[])[]) {
    this.#batches = batches;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<readonly ProviderPart[]>> {
    this.reads += 1;
    const value = this.#batches.shift();
    return value === undefined ? this.late.promise : Promise.resolve({ done: false, value });
  }

  async return(): Promise<IteratorResult<readonly ProviderPart[]>> {
    this.hasLeft = true;
    return { done: true, value: undefined };
  }
}

const open: ProviderPart = { type: 'open' };
const text: ProviderPart = { type: 'text-delta', delta: 'a' };

function run(
  answer: AsyncIterableIterator<readonly ProviderPart[]>,
  { signal, runtime = fakeRuntime(), see = () => undefined }: Partial<Running> = {},
) {
  return new AttemptStream(runtime, {
    scope: openScope(runtime, signal, 10_000),
    timeouts: { connectMs: 1_000, firstTokenMs: 1_000, idleMs: 1_000 },
    transfer: 'stream',
    keepRaw: false,
    send: () => answer,
    onLimits: () => undefined,
    onUnknownName: () => undefined,
    see,
  });
}

type Running = {
  readonly signal: AbortSignal;
  readonly runtime: Runtime;
  readonly see: (part: ProviderPart) => void;
};

it('returns batches as they arrive and ends after finish', async () => {
  const seen: ProviderPart[] = [];
  const answer = new ScriptedAnswer([open], [], [text, finish]);
  const parts = run(answer, { see: (part) => seen.push(part) });
  expect(await parts.next()).toEqual([open]);
  expect(await parts.next()).toEqual([text, finish]);
  expect(await parts.next()).toBeUndefined();
  expect(seen).toEqual([open, text, finish]);
  expect(answer).toMatchObject({ reads: 3, hasLeft: true });
});

it('drops parts after finish', async () => {
  const parts = run(new ScriptedAnswer([finish, text]));
  expect(await parts.next()).toEqual([finish]);
  expect(await parts.next()).toBeUndefined();
});

it('returns the parts before the one that fails it, then throws', async () => {
  const failure = new SignalboxError('invalid_output', 'no');
  const answer = new ScriptedAnswer([open, text, finish]);
  const parts = run(answer, {
    see: (part) => {
      if (part === finish) throw failure;
    },
  });
  expect(await parts.next()).toEqual([open, text]);
  await expect(parts.next()).rejects.toBe(failure);
  expect(await parts.next()).toBeUndefined();
  expect(answer.hasLeft).toBe(true);
});

it('stops reading after an abort', async () => {
  const caller = new AbortController();
  const answer = new ScriptedAnswer([open], [text, finish]);
  const parts = run(answer, { signal: caller.signal });
  await parts.next();
  const reason = new Error('enough');
  caller.abort(reason);
  await expect(parts.next()).rejects.toMatchObject({ cause: reason });
  expect(await parts.next()).toBeUndefined();
  expect(answer.reads).toBe(1);
});

it('ends a pending read when the reader leaves', async () => {
  const parts = run(new ScriptedAnswer());
  const waiting = parts.next();
  parts.leave();
  expect(await waiting).toBeUndefined();
});

it('throws a timeout that expired while nothing was read', async () => {
  const runtime = fakeRuntime();
  const parts = run(new ScriptedAnswer([open]), { runtime });
  await parts.next();
  await runtime.advance(1_000);
  await nextTurn();
  await expect(parts.next()).rejects.toMatchObject({ code: 'timeout' });
  expect(await parts.next()).toBeUndefined();
});

it('fails with invalid_response when the adapter throws synchronously', async () => {
  const cause = new Error('a defect');
  const answer = new ScriptedAnswer();
  answer.next = () => {
    throw cause;
  };
  await expect(run(answer).next()).rejects.toMatchObject({ code: 'invalid_response', cause });
});

it('fails when the adapter ends without finish', async () => {
  const answer = new ScriptedAnswer([text]);
  const parts = run(answer);
  await parts.next();
  answer.late.resolve({ done: true, value: undefined });
  await expect(parts.next()).rejects.toMatchObject({ code: 'stream_interrupted' });
});

it('fails on abort even if the adapter ignores the signal', async () => {
  const caller = new AbortController();
  const answer = new ScriptedAnswer([open]);
  const parts = run(answer, { signal: caller.signal });
  await parts.next();
  const reason = new Error('enough');
  const failing = expect(parts.next()).rejects.toMatchObject({ cause: reason });
  caller.abort(reason);
  await nextTurn();
  answer.late.resolve({ done: false, value: [finish] });
  await failing;
});

it('does not blame the vendor for the time in which the process stood still', async () => {
  const started = fakeRuntime();
  let now = started.now();
  const alarms: (() => void)[] = [];
  const runtime: Runtime = {
    ...started,
    now: () => now,
    alarm(_, ring) {
      alarms.push(ring);
      return () => undefined;
    },
  };
  const answer = new ScriptedAnswer([open, text]);
  const attempt = run(answer, { runtime });
  expect(await attempt.next()).toEqual([open, text]);
  const reading = attempt.next();
  now += 30_000;
  alarms.at(-1)?.();
  // What arrived while the process was blocked is read now.
  answer.late.resolve({ done: false, value: [finish] });
  expect(await reading).toEqual([finish]);
});

it.each([
  [0, false],
  [25_000, true],
])('reports that the process stood still when it failed: for %i ms', async (ms, stoodStill) => {
  const started = fakeRuntime();
  let now = started.now();
  // Suspended computers stop the timers, too.
  const runtime: Runtime = { ...started, now: () => now, alarm: () => () => undefined };
  const answer = new ScriptedAnswer([open, text]);
  const attempt = run(answer, { runtime });
  await attempt.next();
  const reading = attempt.next();
  now += ms;
  answer.late.reject(new SignalboxError('stream_interrupted', 'the socket is gone'));
  await expect(reading).rejects.toMatchObject({ code: 'stream_interrupted' });
  expect(attempt.stoodStill).toBe(stoodStill);
});
