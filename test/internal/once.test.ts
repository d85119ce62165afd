import { expect, it, vi } from 'vitest';
import { once } from '../../src/internal/once.ts';

it('calls make once, on first use', () => {
  const make = vi.fn(() => ({ made: true }));
  const get = once(make);
  expect(make).not.toHaveBeenCalled();
  expect(get()).toBe(get());
  expect(make).toHaveBeenCalledOnce();
});
