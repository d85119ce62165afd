/**
 * Runs the sixteen faults of Failover Bench at their published timings (20 s to the first token, stalls of 30 s, an outage
 * of 60 s) over real sockets and the vendors' SDKs. Takes about two minutes. `npm run bench:failover`
 */
import { type Mode, runScenario, scenarios } from '../test/support/failover-bench.ts';

const modes: readonly Mode[] = ['complete', 'stream'];
const results = await Promise.all(
  scenarios.flatMap((scenario) =>
    modes.map(async (mode) => ({ scenario, mode, ...(await runScenario(scenario, mode, 'real')) })),
  ),
);

console.log('scenario                               by         result      seconds');
for (const { scenario, mode, problems, tookMs } of results) {
  const name = `${scenario.id} ${scenario.name}`.padEnd(39);
  const result = problems.length === 0 ? 'pass' : 'FAIL';
  console.log(
    `${name}${mode.padEnd(11)}${result.padEnd(12)}${(tookMs / 1000).toFixed(1).padStart(7)}`,
  );
  for (const problem of problems) console.log(`    missing: ${problem}`);
}
const passed = scenarios.filter(({ id }) =>
  results.every(({ scenario, problems }) => scenario.id !== id || problems.length === 0),
);
console.log(`${passed.length} of ${scenarios.length} passed in both modes`);
if (passed.length < scenarios.length) process.exitCode = 1;
