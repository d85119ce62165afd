import { describe, expect, it, vi } from 'vitest';
import { nextValue, PullReader } from '../../src/internal/read.ts';

describe('PullReader', () => {
  it('returns each value once, in order', async () => {
    const values = [1, 2];
    const source = new PullReader(async () => values.shift());
    expect(await nextValue(() => source.read())).toBe(1);
    expect(await nextValue(() => source.read())).toBe(2);
    expect(await nextValue(() => source.read())).toBeUndefined();
  });

  it('pulls on the first read, and once for all waiting reads', async () => {
    const { promise, resolve } = Promise.withResolvers<number>();
    const pull = vi.fn(() => promise);
    const source = new PullReader(pull);
    expect(pull).not.toHaveBeenCalled();
    const waiting = source.read();
    expect(source.read()).toBe(waiting);
    expect(pull).toHaveBeenCalledTimes(1);
    resolve(1);
    await waiting;
    expect(source.read()).toBe(1);
  });

  it('throws the error of a failed pull on every read, without pulling again', async () => {
    const failure = new Error('cut');
    const pull = vi.fn(() => Promise.reject<number>(failure));
    const source = new PullReader(pull);
    await expect(source.read()).resolves.toBeUndefined();
    expect(() => source.read()).toThrow(failure);
    expect(() => source.read()).toThrow(failure);
    expect(pull).toHaveBeenCalledTimes(1);
  });
});
