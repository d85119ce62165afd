import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const script = join(import.meta.dirname, 'support', 'entered-files.ts');

/** Features that a plain call does not use, by their files. */
const unused = [
  'engine/call/layers.ts',
  'engine/call/plugin-layer.ts',
  'engine/call/single-flight.ts',
  'engine/call/completion-stream.ts',
  'routing/strategies/cheapest.ts',
  'routing/requirements.ts',
  'routing/rules.ts',
  'engine/chain/requirements.ts',
  'engine/call/route-by-rule.ts',
];

it('enters few files for a call, and none of a feature that the call does not use', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--no-warnings', script]);
  const entered: string[] = JSON.parse(stdout);
  expect(entered).toContain('engine/call/run-call.ts');
  expect(entered.filter((file) => unused.includes(file))).toEqual([]);
  expect(entered.length).toBeLessThanOrEqual(70);
});
