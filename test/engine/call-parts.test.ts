import { describe, expect, it } from 'vitest';
import type { AttemptParts, AttemptStep } from '../../src/engine/attempt/attempt-stream.ts';
import { CallParts, type Step, type Telling } from '../../src/engine/call/call-parts.ts';
import { SignalboxError } from '../../src/errors.ts';
import { Pulled, readOn } from '../../src/internal/reads.ts';
import type { StreamPart } from '../../src/protocol/stream-part.ts';
import { completionOf } from '../support/completion.ts';

const completion = completionOf([{ type: 'text', text: 'ab' }]);
const start: StreamPart = { type: 'start', target: 'a/1', model: '1' };
const text = (delta: string) => ({ type: 'text-delta', delta }) as const;
const step = (value: AttemptStep['value']): AttemptStep =>
  value === undefined ? { done: true, value } : { done: false, value };

/** An attempt that gives what is listed, in order: at once, later, or as a failure. */
function attemptOf(...steps: readonly (AttemptStep | Promise<AttemptStep> | Error)[]) {
  const left = steps.map((each) => (each instanceof Promise ? new Pulled(() => each) : each));
  let later: Pulled<AttemptStep> | undefined;
  const attempt: AttemptParts & { isLeft: boolean } = {
    isLeft: false,
    read() {
      const first = later ?? left.shift() ?? step(undefined);
      if (first instanceof Error) throw first;
      if (!(first instanceof Pulled)) return first;
      const read = first.read();
      later = read instanceof Promise ? first : undefined;
      return read;
    },
    leave: () => {
      attempt.isLeft = true;
    },
  };
  return attempt;
}

function next(parts: CallParts): Promise<Step> {
  return readOn(() => parts.read());
}

async function all(parts: CallParts): Promise<readonly StreamPart[]> {
  const told: StreamPart[] = [];
  for (let each = await next(parts); each.done !== true; each = await next(parts)) {
    told.push(each.value);
  }
  return told;
}

/** A call that tells an attempt and answers; it notes how its attempt failed, and goes on to the next one. */
function callOf(...attempts: readonly AttemptParts[]) {
  const failures: unknown[] = [];
  async function* tell(): Telling {
    yield [start];
    for (const attempt of attempts) {
      try {
        yield attempt;
        return completion;
      } catch (error) {
        attempt.leave();
        failures.push(error);
        if (attempt === attempts.at(-1)) throw error;
      }
    }
    return completion;
  }
  return { parts: new CallParts(tell()), failures };
}

const over: Step = { done: true, value: undefined };

describe('the parts of a call', () => {
  it('are what the call tells, what its attempt says, and the completion', async () => {
    const { parts } = callOf(
      attemptOf(
        step({ type: 'open' }),
        step(text('a')),
        Promise.resolve(step(text('b'))),
        step({ type: 'finish', finishReason: 'stop' }),
      ),
    );
    expect(await all(parts)).toEqual([start, text('a'), text('b'), { type: 'finish', completion }]);
    expect(await next(parts)).toEqual(over);
  });

  it('are there at once where the attempt has them', async () => {
    const { parts } = callOf(attemptOf(step(text('a')), step(text('b'))));
    expect(await next(parts)).toEqual({ done: false, value: start });
    expect(await next(parts)).toEqual({ done: false, value: text('a') });
    expect(parts.read()).toEqual({ done: false, value: text('b') });
  });

  it.each([
    ['at once', (error: Error) => error],
    ['later', (error: Error) => Promise.reject(error)],
  ])('go on with what the call makes of a failure that comes %s', async (_, failing) => {
    const failure = new Error('cut');
    const { parts, failures } = callOf(
      attemptOf(step(text('a')), failing(failure)),
      attemptOf(step(text('b'))),
    );
    expect(await all(parts)).toEqual([start, text('a'), text('b'), { type: 'finish', completion }]);
    expect(failures).toEqual([failure]);
  });

  it('end the attempt when the reader leaves', async () => {
    const attempt = attemptOf(step(text('a')), step(text('b')));
    let isClosed = false;
    async function* tell(): Telling {
      try {
        yield attempt;
        return completion;
      } finally {
        isClosed = true;
      }
    }
    const parts = new CallParts(tell());
    await next(parts);
    await parts.return();
    expect(isClosed).toBe(true);
    expect(await next(parts)).toEqual(over);
  });

  it('are no whole answer for a reader who comes back to a call that was ended', async () => {
    const reason = new SignalboxError('aborted', 'enough');
    const attempt = attemptOf(step(text('a')), step(text('b')));
    const { parts, failures } = callOf(attempt);
    await next(parts);
    await next(parts);
    await parts.end(reason);
    expect(failures).toEqual([reason]);
    expect(attempt.isLeft).toBe(true);
    expect(() => parts.read()).toThrow(reason);
  });

  it('let what is being read come first when the call is ended', async () => {
    const { promise, resolve } = Promise.withResolvers<AttemptStep>();
    const { parts } = callOf(attemptOf(step(text('a')), promise, step(text('c'))));
    await next(parts);
    await next(parts);
    const reading = next(parts);
    const ending = parts.end(new Error('enough'));
    resolve(step(text('b')));
    expect(await reading).toEqual({ done: false, value: text('b') });
    await ending;
    expect(() => parts.read()).toThrow('enough');
  });
});
