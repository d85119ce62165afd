import { describe, expect, test, vi } from 'vitest';
import { isSignalboxError, SignalboxError, summarizeError } from '../src/errors.ts';

describe('SignalboxError', () => {
  test('has a cause only when one is given', () => {
    const cause = new TypeError('fetch failed');
    expect(new SignalboxError('connection', 'gone', { cause }).cause).toBe(cause);
    expect('cause' in new SignalboxError('connection', 'gone')).toBe(false);
  });

  test('keeps a cause of undefined', () => {
    expect('cause' in new SignalboxError('aborted', 'left', { cause: undefined })).toBe(true);
  });

  test('has only the fields that are set', () => {
    const error = new SignalboxError('overloaded', 'busy', { status: 529, target: undefined });
    expect(new Set(Object.keys(error))).toEqual(new Set(['name', 'code', 'trail', 'status']));
  });

  test('does not expose its brand when spread', () => {
    const error = new SignalboxError('overloaded', 'busy');
    expect(Object.getOwnPropertySymbols({ ...error })).toEqual([]);
  });

  test('is an Error with a name and a stack', () => {
    const error = new SignalboxError('config', 'wrong');
    expect(error).toBeInstanceOf(Error);
    expect(`${error}`).toBe('SignalboxError [config]: wrong');
    expect(error.stack).toContain('errors.test.ts');
  });
});

test('toString is one bounded line', () => {
  const lines = Array.from({ length: 50 }, (_, index) => `\n  a/${index}: it failed`);
  const error = new SignalboxError(
    'all_targets_failed',
    `all targets of tier "t" failed${lines.join('')}`,
  );
  expect(String(error)).toMatch(
    /^SignalboxError \[all_targets_failed\]: all targets of tier "t" failed; a\/0: it failed; a\/1: /,
  );
  expect(String(error)).toMatch(/a\/49: it failed$/);
  expect(String(error).length).toBeLessThanOrEqual(500);
  expect(String(error)).not.toContain('\n');
});

describe('with', () => {
  const original = new SignalboxError('rate_limited', 'slow down', {
    status: 429,
    retryAfterMs: 2_000,
    requestId: 'req_1',
    cause: 'the vendor',
  });

  test('adds fields to a copy and leaves the original unchanged', () => {
    const copy = original.with({ target: 'openai/gpt' });
    expect(copy).toMatchObject({
      code: 'rate_limited',
      message: 'slow down',
      target: 'openai/gpt',
      status: 429,
      retryAfterMs: 2_000,
      requestId: 'req_1',
      cause: 'the vendor',
    });
    expect(original.target).toBeUndefined();
  });

  test('keeps the stack', () => {
    expect(original.with({ target: 'a/b' }).stack).toBe(original.stack);
  });

  test('replaces the message', () => {
    const copy = original.with({ message: 'a/b: slow down' });
    expect(copy.message).toBe('a/b: slow down');
    expect(copy.stack).toContain('a/b: slow down');
  });

  test('keeps trail, errors and partial', () => {
    const partial = { target: 'a/b', content: [], text: '' };
    const copy = new SignalboxError('all_targets_failed', 'none', {
      errors: [original],
      partial,
    }).with({ trail: [] });
    expect(copy.errors).toEqual([original]);
    expect(copy.partial).toBe(partial);
  });
});

describe('isSignalboxError', () => {
  test('recognizes errors of another copy of the package', async () => {
    vi.resetModules();
    const other = await import('../src/errors.ts');
    const foreign = new other.SignalboxError('timeout', 'late', { phase: 'idle' });
    expect(foreign).not.toBeInstanceOf(SignalboxError);
    expect(isSignalboxError(foreign)).toBe(true);
    expect(isSignalboxError(foreign, 'timeout')).toBe(true);
    expect(isSignalboxError(foreign, 'connection')).toBe(false);
  });

  test.each([
    ['a plain error', new Error('x')],
    ['a look-alike', { name: 'SignalboxError', code: 'timeout', message: 'late' }],
    ['null', null],
    ['undefined', undefined],
    ['a string', 'timeout'],
  ])('returns false for %s', (_, value) => {
    expect(isSignalboxError(value)).toBe(false);
    expect(isSignalboxError(value, 'timeout')).toBe(false);
  });

  test('does not unwrap a cause', () => {
    const inner = new SignalboxError('timeout', 'late');
    expect(isSignalboxError(new Error('outer', { cause: inner }))).toBe(false);
  });
});

test('summarizeError omits cause and partial', () => {
  const error = new SignalboxError('timeout', 'late', {
    phase: 'idle',
    requestId: 'req_1',
    cause: new Error('the prompt was: secret'),
    partial: { target: 'a/b', content: [], text: 'secret' },
  });
  expect(summarizeError(error)).toEqual({
    code: 'timeout',
    message: 'late',
    phase: 'idle',
    requestId: 'req_1',
  });
});
