import { describe, expect, it } from 'vitest';
import { type CallRun, RunningCall } from '../../src/engine/call/running-call.ts';
import { openScope } from '../../src/engine/core/scope.ts';
import { SignalboxError } from '../../src/errors.ts';
import type { StreamPart } from '../../src/protocol/stream-part.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { completionOf } from '../support/completion.ts';

const completion = completionOf([{ type: 'text', text: 'ab' }]);
const text = (delta: string) => ({ type: 'text-delta', delta }) as const;

/** A call that yields the batches, awaits promises, and records how it ended. */
function callOf(...batches: readonly (readonly StreamPart[] | Promise<readonly StreamPart[]>)[]) {
  const state = { isClosed: false, failure: undefined as unknown };
  async function* run(): CallRun {
    try {
      for (const batch of batches) yield await batch;
      yield [{ type: 'finish', completion }];
    } catch (error) {
      state.failure = error;
      throw error;
    } finally {
      state.isClosed = true;
    }
  }
  return {
    parts: new RunningCall(run(), openScope(fakeRuntime(), undefined, 1_000), () => undefined),
    state,
  };
}

const over = { done: true, value: undefined };

describe('a running call', () => {
  it('yields its batches, and the completion as the last part', async () => {
    const { parts } = callOf([text('a'), text('b')], Promise.resolve([text('c')]));
    expect(await parts.next()).toEqual({ done: false, value: [text('a'), text('b')] });
    expect(await parts.next()).toEqual({ done: false, value: [text('c')] });
    expect(await parts.next()).toEqual({ done: false, value: [{ type: 'finish', completion }] });
    expect(await parts.next()).toEqual(over);
  });

  it('ends without a completion when the reader leaves', async () => {
    const { parts, state } = callOf([text('a')], [text('b')]);
    await parts.next();
    await parts.return();
    expect(state).toEqual({ isClosed: true, failure: undefined });
    expect(await parts.next()).toEqual(over);
  });

  it('throws at the next read after it was ended', async () => {
    const reason = new SignalboxError('aborted', 'enough');
    const { parts, state } = callOf([text('a')], [text('b')]);
    await parts.next();
    await parts.end(reason);
    expect(state).toEqual({ isClosed: true, failure: reason });
    await expect(parts.next()).rejects.toBe(reason);
  });

  it('yields the batch that is being read when it is ended', async () => {
    const { promise, resolve } = Promise.withResolvers<readonly StreamPart[]>();
    const { parts } = callOf([text('a')], promise, [text('c')]);
    await parts.next();
    const reading = parts.next();
    const ending = parts.end(new Error('enough'));
    resolve([text('b')]);
    expect(await reading).toEqual({ done: false, value: [text('b')] });
    await ending;
    await expect(parts.next()).rejects.toThrow('enough');
  });
});
