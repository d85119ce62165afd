import pLimit from 'p-limit';
import type { DrillReport } from '../../protocol/drill.ts';
import type { CommandResult } from './command-result.ts';
import { type DrillArguments, drillHelp, parseDrillArguments } from './drill-arguments.ts';
import { formatReport } from './format-report.ts';
import { loadRouter } from './open-source.ts';

async function runDrill(args: DrillArguments): Promise<DrillReport> {
  const { config, drill: options, calls, concurrency, prompt, mode } = args;
  const router = await loadRouter(config);
  try {
    const drill = router.drill(options);
    const limit = pLimit(concurrency);
    const call = async (): Promise<unknown> =>
      mode === 'stream'
        ? router.stream(options.tier, prompt).completion
        : router.complete(options.tier, prompt);
    const all = Array.from({ length: calls }, () => limit(call));
    // Failed calls are in the report.
    await Promise.allSettled(all);
    return await drill.stop();
  } finally {
    await router.close();
  }
}

/**
 * `signalbox drill`: loads a router from a module, runs a fire drill and makes the calls.
 * @throws UsageProblem, or SignalboxError `config`, if the drill cannot run.
 */
export async function drillCommand(args: readonly string[]): Promise<CommandResult> {
  const parsed = parseDrillArguments(args);
  if (parsed === undefined) return { exitCode: 0, output: drillHelp, problem: '' };
  const report = await runDrill(parsed);
  const output = parsed.format === 'json' ? JSON.stringify(report, null, 2) : formatReport(report);
  return { exitCode: report.passed ? 0 : 1, output, problem: '' };
}
