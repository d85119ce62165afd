import { describe, expect, test } from 'vitest';
import {
  asQueueRejection,
  isQueueRejection,
  notSent,
} from '../../src/engine/failures/queue-rejection.ts';
import { SignalboxError } from '../../src/errors.ts';
import { QueueRejection } from '../../src/limits/admission-queue.ts';

const attempt = { id: 'openai/gpt', label: 'openai/gpt (key 2)', waitedMs: 1_234.5 };
const gate = 'its rpm limit of 60';

describe('asQueueRejection', () => {
  test.each([
    [
      new QueueRejection('full', gate, 5_000, { key: 'openai/gpt', max: 1_000 }),
      'openai/gpt (key 2): rejected: the queue for openai/gpt is full (maxQueue 1000)',
    ],
    [
      new QueueRejection('too-late', gate, 5_000),
      'openai/gpt (key 2): not sent: its rpm limit of 60 is used up, and the wait of about 5000 ms exceeds the deadline',
    ],
    [
      new QueueRejection('expired', gate, 5_000),
      'openai/gpt (key 2): not sent: its rpm limit of 60 was used up for longer than maxQueueMs',
    ],
  ])('reports %s as a rate limit of the target', (cause, message) => {
    const error = asQueueRejection(cause, attempt);
    expect(error).toBeInstanceOf(SignalboxError);
    expect(error).toMatchObject({
      code: 'rate_limited',
      message,
      target: 'openai/gpt',
      retryAfterMs: 5_000,
      cause,
    });
  });

  test('has no retryAfterMs when the wait is unknown', () => {
    const error = asQueueRejection(new QueueRejection('expired', gate, 0), attempt);
    expect(error).not.toHaveProperty('retryAfterMs');
  });

  test('adds the wait to a timeout', () => {
    const timeout = new SignalboxError('timeout', 'late', { phase: 'total' });
    expect(asQueueRejection(timeout, attempt)).toMatchObject({
      code: 'timeout',
      phase: 'total',
      message: 'openai/gpt (key 2): not sent, waited 1235 ms in the queue; late',
    });
  });

  test.each([new SignalboxError('aborted', 'gone'), new Error('x'), undefined])(
    'returns other errors as they are: %s',
    (error) => {
      expect(asQueueRejection(error, attempt)).toBe(error);
    },
  );
});

describe('notSent', () => {
  test('says why an attempt was not made after its wait', () => {
    const error = notSent('openai/gpt', 'its circuit is open');
    expect(error.code).toBe('rate_limited');
    expect(error.message).toBe('openai/gpt: not sent after its wait, its circuit is open');
    expect(error.cause).toMatchObject({
      message: 'the target became unavailable while the attempt waited in the queue',
    });
  });
});

test('isQueueRejection recognizes attempts that were never made', () => {
  const rejected = new SignalboxError('rate_limited', 'x', {
    cause: new QueueRejection('full', gate, 0),
  });
  expect(isQueueRejection(rejected)).toBe(true);
  expect(isQueueRejection(notSent('openai/gpt', 'x'))).toBe(true);
  expect(isQueueRejection(new SignalboxError('rate_limited', 'x'))).toBe(false);
});
