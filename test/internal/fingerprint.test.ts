import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { fingerprintOf } from '../../src/internal/fingerprint.ts';

it('is the same for the same secret in one process, and differs between secrets', () => {
  expect(fingerprintOf('a key')).toBe(fingerprintOf('a key'));
  expect(fingerprintOf('a key')).toMatch(/^[\w-]{16}$/);
  expect(fingerprintOf('a key')).not.toBe(fingerprintOf('another'));
});

it('differs between processes', () => {
  const file = new URL('../../src/internal/fingerprint.ts', import.meta.url);
  const code = `import { fingerprintOf } from '${file}'; console.log(fingerprintOf('a key'));`;
  const args = ['--no-warnings', '--input-type=module', '--eval', code];
  const other = execFileSync(process.execPath, args, { encoding: 'utf8' }).trim();
  expect(other).toMatch(/^[\w-]{16}$/);
  expect(other).not.toBe(fingerprintOf('a key'));
});
