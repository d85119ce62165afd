import { expect, it, vi } from 'vitest';
import { loadConfig } from '../../src/config.ts';

vi.mock('yaml', () => {
  throw new Error("Cannot find package 'yaml'");
});

it('reads JSON without the package yaml, and says how to install it for YAML', async () => {
  const text = '{ "tiers": { "fast": ["a/m"] } }';
  await expect(loadConfig({ text, format: 'json' })).resolves.toEqual({ tiers: { fast: ['a/m'] } });
  await expect(loadConfig({ text, format: 'yaml' })).rejects.toMatchObject({
    code: 'config',
    message: expect.stringContaining('npm i yaml'),
  });
});
