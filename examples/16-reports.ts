// Reports by tag and by target: costs, times and failures. Also from a file of events, with `signalbox report`.
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRouter, toLogEntry } from 'signalbox';
import { createReports, toCsv } from 'signalbox/reports';
import { close, providers, simulators } from './providers.ts';

const router = createRouter({
  providers,
  tiers: { fast: ['openai/gpt-5.4-mini', 'anthropic/claude-haiku-4-5'] },
});
const reports = createReports({ by: ['feature', 'target'] });
router.on('*', reports.add);
const folder = mkdtempSync(join(tmpdir(), 'signalbox-events-'));
const file = join(folder, 'events.jsonl');
router.on('*', (event) => appendFileSync(file, `${JSON.stringify(toLogEntry(event))}\n`));

simulators.openai.fault({ type: 'status', kind: 'overloaded' });
await router.complete('fast', 'Find red shoes', { tags: { feature: 'search' } });
await router.complete('fast', 'Find a blue hat', { tags: { feature: 'search' } });
const { callId } = await router.complete('fast', 'Hello', { tags: { feature: 'chat' } });
router.feedback(callId, { score: 0.9 });

for (const { key, requests, errors, usd } of reports.report({ by: 'target' })) {
  console.log(`${key}: ${requests} attempts, ${errors} failed, $${usd?.toFixed(6)}`);
}
for (const { key, requests, usdPerSuccess = 0, quality } of reports.report({ by: 'feature' })) {
  console.log(
    `${key}: ${requests} calls, $${usdPerSuccess.toFixed(6)} each, quality ${quality ?? '-'}`,
  );
}
const [header, ...lines] = toCsv(reports.report({ by: 'feature' }))
  .trim()
  .split('\r\n');
console.log(`CSV: ${lines.length} lines, ${header?.split(',').length} columns`);
const command = [join(import.meta.dirname, '../dist/cli.js'), 'report', file, '--by', 'feature'];
console.log(execFileSync(process.execPath, command, { encoding: 'utf8' }));

rmSync(folder, { recursive: true });
await router.close();
await close();
