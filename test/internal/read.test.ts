import { describe, expect, it, vi } from 'vitest';
import { nextValue, PullReader } from '../../src/internal/read.ts';

describe('a pulled source', () => {
  it('gives each value once, and the next one after it', async () => {
    const values = [1, 2];
    const source = new PullReader(async () => values.shift());
    expect(await nextValue(() => source.read())).toBe(1);
    expect(await nextValue(() => source.read())).toBe(2);
    expect(await nextValue(() => source.read())).toBeUndefined();
  });

  it('is not pulled before it is read, and once for all who wait', async () => {
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

  it('throws what the pull failed with, ever after, and pulls no more', async () => {
    const failure = new Error('cut');
    const pull = vi.fn(() => Promise.reject<number>(failure));
    const source = new PullReader(pull);
    await expect(source.read()).resolves.toBeUndefined();
    expect(() => source.read()).toThrow(failure);
    expect(() => source.read()).toThrow(failure);
    expect(pull).toHaveBeenCalledTimes(1);
  });
});
