/**
 * Runs the sixteen faults of Failover Bench at their published timings (20 s to the first token, stalls of 30 s, an outage
 * of 60 s) over real sockets and the vendors' SDKs. Takes about two minutes. `npm run bench:failover`; with `-- --handler`,
 * the caller is OpenAI's SDK over HTTP, in front of the handler.
 */
import { parseArgs } from 'node:util';
import { type Mode, runScenario, scenarios } from '../test/support/failover-bench.ts';

const { values } = parseArgs({ options: { handler: { type: 'boolean', default: false } } });
const caller = values.handler ? 'handler' : 'router';
const modes: readonly Mode[] = ['complete', 'stream'];
const results = await Promise.all(
  scenarios.flatMap((scenario) =>
    modes.map(async (mode) => ({
      scenario,
      mode,
      ...(await runScenario(scenario, mode, 'real', caller)),
    })),
  ),
);

console.log('scenario                               by         result      seconds');
for (const { scenario, mode, problems, tookMs } of results) {
  const name = `${scenario.id} ${scenario.name}`.padEnd(39);
  const passed = scenario.isOnlySafe?.(mode, caller) === true ? 'safe' : 'pass';
  const result = problems.length === 0 ? passed : 'FAIL';
  console.log(
    `${name}${mode.padEnd(11)}${result.padEnd(12)}${(tookMs / 1000).toFixed(1).padStart(7)}`,
  );
  for (const problem of problems) console.log(`    missing: ${problem}`);
}
for (const mode of modes) {
  const passed = results.filter((each) => each.mode === mode && each.problems.length === 0);
  const safe = passed.filter(({ scenario }) => scenario.isOnlySafe?.(mode, caller) === true);
  const rest = safe.length === 0 ? '' : `, and ${safe.length} safe`;
  console.log(`by ${mode}: ${passed.length - safe.length} of ${scenarios.length} passed${rest}`);
  if (passed.length < scenarios.length) process.exitCode = 1;
}
if (caller === 'handler') {
  console.log(`
safe: the client of a stream has the first forty tokens, and they cannot be taken back when
the answer starts over. It gets an error at the end, never a false end or a second answer.
Texts and failures are what the client gets; target, cost, warnings and trail what the router
returned. A client sees the target and the cost only with "expose", of a stream only the
target that began it, and never warnings and trail.`);
}
