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
  'engine/call/configured.ts',
  'engine/call/completion-stream.ts',
  'routing/strategies/cheapest.ts',
  'config/validators.ts',
  'internal/linear-pattern.ts',
  'validation/json-schema.ts',
  'engine/answer/text-validators.ts',
  'engine/attempt/watched-parts.ts',
  'engine/chain/fallbacks.ts',
  'routing/requirements.ts',
  'telemetry/quality.ts',
  'engine/chain/demotions.ts',
  'engine/inspect/feedback.ts',
  'routing/rules.ts',
  'engine/chain/requirements.ts',
  'engine/call/route-by-rule.ts',
  'budgets/budget.ts',
  'budgets/ledger.ts',
  'budgets/spending.ts',
  'budgets/waiting.ts',
  'budgets/windows.ts',
  'engine/limits/attempt-bound.ts',
  'engine/limits/budget-keeper.ts',
  'engine/limits/budget-warnings.ts',
  'internal/memory-store.ts',
  'engine/chain/estimates.ts',
  'engine/chain/known-target.ts',
  'engine/chain/plan-record.ts',
  'engine/core/own-key.ts',
  'engine/attempt/attempt-key.ts',
  'internal/fingerprint.ts',
  'internal/latest.ts',
];

async function run(...args: readonly string[]): Promise<readonly string[]> {
  const command = ['--no-warnings', script, ...args];
  const { stdout } = await promisify(execFile)(process.execPath, command);
  return JSON.parse(stdout);
}

/** Each takes a process, so tests share what it has found. */
const plain = run();

it('enters few files for a call, and none of a feature that the call does not use', async () => {
  const entered = await plain;
  expect(entered).toContain('engine/call/run-call.ts');
  expect(entered.filter((file) => unused.includes(file))).toEqual([]);
  expect(entered.filter((file) => file.startsWith('plugins/'))).toEqual([]);
  // With the estimate of tokens: this vendor reports a limit in tokens.
  expect(entered.length).toBeLessThanOrEqual(71);
});

it('counts no tokens for a call without limits', async () => {
  const entered = await run('compatible');
  expect(entered).toContain('engine/call/run-call.ts');
  expect(entered.filter((file) => /tokens?/.test(file))).toEqual([]);
});

it('enters nothing of OpenTelemetry without its plugin', async () => {
  const entered = await plain;
  const own = (file: string) => file.startsWith('plugins/') || file === 'internal/async-context.ts';
  expect(entered.filter(own)).toEqual([]);
});
