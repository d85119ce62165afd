import { expect, it, vi } from 'vitest';
import { linearPattern } from '../../src/internal/linear-pattern.ts';

it('matches any part of a text', () => {
  expect(linearPattern('b+c').test('abbbcd')).toBe(true);
  expect(linearPattern('^b').test('ab')).toBe(false);
});

it('matches a pattern that backtracking takes forever for', () => {
  expect(linearPattern('^(a+)+$').test(`${'a'.repeat(30_000)}!`)).toBe(false);
});

it('says which package to install when it is missing', async () => {
  vi.resetModules();
  const modules = vi.spyOn(process, 'getBuiltinModule').mockImplementation(() => {
    throw new Error('Cannot find module');
  });
  const { linearPattern: withoutPackage } = await import('../../src/internal/linear-pattern.ts');
  expect(() => withoutPackage('a')).toThrow('needs the package "re2js": run npm install re2js');
  modules.mockRestore();
});
