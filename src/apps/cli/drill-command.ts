import pLimit from 'p-limit';
import type { DrillReport } from '../../protocol/drill.ts';
import type { CommandResult } from './command-result.ts';
import { type DrillArguments, drillHelp, parseDrillArguments } from './drill-arguments.ts';
import { formatReport } from './format-report.ts';
import { loadRouter } from './load-router.ts';

async function makeDrill(asked: DrillArguments): Promise<DrillReport> {
  const { config, drill: options, calls, concurrency, prompt, mode } = asked;
  const router = await loadRouter(config);
  try {
    const drill = router.drill(options);
    const limit = pLimit(concurrency);
    const call = async (): Promise<unknown> =>
      mode === 'stream'
        ? router.stream(options.tier, prompt).completion
        : router.complete(options.tier, prompt);
    const all = Array.from({ length: calls }, () => limit(call));
    // Which calls were lost, and how, is in the report.
    await Promise.allSettled(all);
    return await drill.stop();
  } finally {
    await router.close();
  }
}

/**
 * `signalbox drill`: a fire drill on the router of a module, with calls of its own.
 * @throws UsageProblem, and SignalboxError `config`, for what cannot be done.
 */
export async function drillCommand(args: readonly string[]): Promise<CommandResult> {
  const asked = parseDrillArguments(args);
  if (asked === undefined) return { exitCode: 0, output: drillHelp, problem: '' };
  const report = await makeDrill(asked);
  const output = asked.format === 'json' ? JSON.stringify(report, null, 2) : formatReport(report);
  return { exitCode: report.passed ? 0 : 1, output, problem: '' };
}
