import { expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { version } from '../../src/internal/version.ts';

it('equals the version in package.json', () => {
  expect(version).toBe(packageJson.version);
});
