import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { runAttempt } from '../../src/engine/attempt/attempt-stream.ts';
import { openScope } from '../../src/engine/core/scope.ts';
import { readOn } from '../../src/internal/reads.ts';
import type { PreparedCall, ReadyParts } from '../../src/protocol/provider.ts';
import type { ProviderPart } from '../../src/protocol/stream-part.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { readAttempt } from '../support/read-attempt.ts';

const finish: ProviderPart = { type: 'finish', finishReason: 'stop' };

/** Runs an attempt whose answer has come whole when the abort comes, and is still on its way through the adapter. */
async function seenBy(layers: number): Promise<readonly ProviderPart[]> {
  const caller = new AbortController();
  async function* answer(): AsyncGenerator<ProviderPart> {
    yield { type: 'open' };
    caller.abort(new Error('enough'));
    yield finish;
  }
  const through = async function* (parts: AsyncIterable<ProviderPart>) {
    yield* parts;
  };
  const prepared: PreparedCall = {
    warnings: [],
    send: () =>
      Array.from({ length: layers }).reduce<AsyncGenerator<ProviderPart>>(through, answer()),
  };
  const seen: ProviderPart[] = [];
  const runtime = fakeRuntime();
  const parts = runAttempt(runtime, prepared, {
    scope: openScope(runtime, caller.signal, 10_000),
    clocks: { connectMs: 1_000, firstTokenMs: 1_000, idleMs: 1_000 },
    wire: 'stream',
    keepRaw: false,
    onLimits: () => undefined,
    see: (part) => seen.push(part),
  });
  await readAttempt(parts);
  return seen;
}

it.each([0, 1, 3])(
  'hears what has come in the turn of an abort, through %i generators',
  async (layers) => {
    expect(await seenBy(layers)).toEqual([{ type: 'open' }, finish]);
  },
);

/** An answer of which all but the first part is there at once. */
class ReadyAnswer implements AsyncIterableIterator<ProviderPart>, ReadyParts {
  asked = 0;
  readonly #rest: ProviderPart[] = [{ type: 'text-delta', delta: 'a' }, finish];

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<ProviderPart>> {
    this.asked += 1;
    return { done: false, value: { type: 'open' } };
  }

  ready(): ProviderPart | undefined {
    return this.asked === 0 ? undefined : this.#rest.shift();
  }
}

function runReady<Answer extends ReadyAnswer>(
  signal: AbortSignal,
  answer: Answer,
  runtime = fakeRuntime(),
) {
  const seen: ProviderPart[] = [];
  const parts = runAttempt(
    runtime,
    { warnings: [], send: () => answer },
    {
      scope: openScope(runtime, signal, 10_000),
      clocks: { connectMs: 1_000, firstTokenMs: 1_000, idleMs: 1_000 },
      wire: 'stream',
      keepRaw: false,
      onLimits: () => undefined,
      see: (part) => seen.push(part),
    },
  );
  return { answer, seen, parts };
}

it('takes parts that are there at once without asking for them', async () => {
  const { answer, seen, parts } = runReady(new AbortController().signal, new ReadyAnswer());
  const told = await readAttempt(parts);
  expect(told.map(({ type }) => type)).toEqual(['open', 'text-delta', 'finish']);
  expect(seen).toEqual(told);
  expect(answer.asked).toBe(1);
});

it('takes none of them once it is aborted', async () => {
  const caller = new AbortController();
  const { parts } = runReady(caller.signal, new ReadyAnswer());
  await readOn(() => parts.read());
  const reason = new Error('enough');
  caller.abort(reason);
  expect(() => parts.read()).toThrow(expect.objectContaining({ cause: reason }));
  expect(parts.read()).toEqual({ done: true, value: undefined });
});

it('tells whoever waits for a part when it is left', async () => {
  const prepared: PreparedCall = {
    warnings: [],
    send: () => ({
      [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }),
    }),
  };
  const runtime = fakeRuntime();
  const parts = runAttempt(runtime, prepared, {
    scope: openScope(runtime, undefined, 10_000),
    clocks: { connectMs: 1_000, firstTokenMs: 1_000, idleMs: 1_000 },
    wire: 'stream',
    keepRaw: false,
    onLimits: () => undefined,
    see: () => undefined,
  });
  const waiting = readOn(() => parts.read());
  parts.leave();
  expect(await waiting).toEqual({ done: true, value: undefined });
});

/** An answer whose parts come one by one, and whose own promise tells of them. */
class WaitingAnswer extends ReadyAnswer {
  waiting = Promise.withResolvers<void>();

  override ready(): ProviderPart | undefined {
    return undefined;
  }

  more(): Promise<void> | undefined {
    return this.asked === 0 ? undefined : this.waiting.promise;
  }
}

it('fails with a clock that ran out while its reader was elsewhere', async () => {
  const runtime = fakeRuntime();
  const { parts } = runReady(new AbortController().signal, new ReadyAnswer(), runtime);
  await readOn(() => parts.read());
  await runtime.advance(1_000);
  await nextTurn();
  expect(() => parts.read()).toThrow(expect.objectContaining({ code: 'timeout' }));
  expect(parts.read()).toEqual({ done: true, value: undefined });
});

it('fails with what the adapter throws at once', async () => {
  const cause = new Error('a defect');
  const answer = new ReadyAnswer();
  answer.next = () => {
    throw cause;
  };
  const { parts } = runReady(new AbortController().signal, answer);
  const waiting = parts.read();
  await expect(waiting).resolves.toBeUndefined();
  expect(() => parts.read()).toThrow(expect.objectContaining({ code: 'invalid_response', cause }));
});

it('waits for what the adapter waits for, without a promise of its own', async () => {
  const { answer, parts } = runReady(new AbortController().signal, new WaitingAnswer());
  await readOn(() => parts.read());
  expect(parts.read()).toBe(answer.waiting.promise);
  expect(answer.asked).toBe(1);
});

it('fails with an abort even when the adapter tells of it late', async () => {
  const caller = new AbortController();
  const { answer, parts } = runReady(caller.signal, new WaitingAnswer());
  await readOn(() => parts.read());
  const reading = readOn(() => parts.read());
  const reason = new Error('enough');
  caller.abort(reason);
  await nextTurn();
  answer.waiting.resolve();
  await expect(reading).rejects.toMatchObject({ cause: reason });
});
