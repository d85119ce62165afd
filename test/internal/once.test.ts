import { expect, it, vi } from 'vitest';
import { once } from '../../src/internal/once.ts';

it('makes a thing on first use, and only then', () => {
  const make = vi.fn(() => ({ made: true }));
  const thing = once(make);
  expect(make).not.toHaveBeenCalled();
  expect(thing()).toBe(thing());
  expect(make).toHaveBeenCalledOnce();
});
