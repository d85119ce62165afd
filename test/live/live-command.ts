import type { CommandResult } from '../../src/apps/cli/command-result.ts';
import { isUsageProblem, UsageProblem } from '../../src/apps/cli/usage-problem.ts';
import type { SimulatedProviders } from '../../src/testing/simulate-providers.ts';
import { type LiveArguments, liveHelp, parseLiveArguments } from './live-arguments.ts';
import { countOf, formatReport, type LiveReport, versions } from './report.ts';
import {
  boundUsdOf,
  type CaseResult,
  type PreparedVendor,
  prepareVendor,
  runVendor,
} from './run-vendor.ts';
import { simulatedConnection, startSimulatedVendors } from './simulated-vendors.ts';
import { formatUsd, Spending } from './spending.ts';
import {
  type Candidate,
  type Environment,
  isConfigured,
  type LiveVendor,
  liveVendors,
  missingVariables,
} from './vendors.ts';

export type LiveSetting = {
  readonly environment: Environment;
  /** Called with each line about the progress. */
  readonly onProgress?: (line: string) => void;
  /** @default all that signalbox has a function for */
  readonly vendors?: readonly LiveVendor[];
  /** Called with the simulated vendors before the first case. */
  readonly onSimulated?: (simulators: SimulatedProviders) => void | Promise<void>;
};

type Selected = Omit<Candidate, 'connection'>;

/** The vendors to run, with their models. */
function select(
  { names, models, mode }: LiveArguments,
  { environment, vendors = liveVendors }: LiveSetting,
): readonly Selected[] {
  const isSimulated = mode === 'simulated';
  const wanted = vendors.filter((vendor) =>
    names === undefined
      ? isSimulated || isConfigured(vendor, environment)
      : names.includes(vendor.name),
  );
  return wanted.map((vendor) => {
    const { name, modelVariable } = vendor;
    const missing = isSimulated ? [] : missingVariables(vendor, environment);
    if (missing.length > 0) throw new UsageProblem(`${name}: set ${missing.join(', and ')}`);
    const own = modelVariable === undefined ? vendor.model : environment[modelVariable];
    const model = models.get(name) ?? (isSimulated ? (vendor.model ?? 'installed-model') : own);
    if (model === undefined) {
      throw new UsageProblem(`${name}: name an installed model with --model ${name}=<model>`);
    }
    return { vendor, model, environment };
  });
}

function noKeyProblem(vendors: readonly LiveVendor[]): UsageProblem {
  const lines = vendors
    .filter(({ variables }) => variables.length > 0)
    .map((vendor) => `  ${vendor.name}: ${missingVariables(vendor, {}).join(', and ')}`);
  return new UsageProblem(
    `no key was found in the environment. Set the variables of at least one vendor, or use --simulated:\n${lines.join('\n')}`,
  );
}

/** What the run is about to do, and what it costs at most. */
function plan(prepared: readonly PreparedVendor[], { mode, maxUsd }: LiveArguments): string {
  const bounds = prepared.map(boundUsdOf);
  const total = formatUsd(bounds.reduce((sum, each) => sum + each, 0));
  const requests =
    mode === 'live'
      ? `Sends billed requests that cost at most ${total}, and stops before one that could exceed $${maxUsd}:`
      : `Sends requests to simulated vendors, which are not billed (at most ${total} at list prices):`;
  return [
    requests,
    ...prepared.map(
      ({ candidate: { vendor, model } }, index) =>
        `  ${vendor.name} (${model}): at most ${formatUsd(bounds[index] ?? 0)}`,
    ),
  ].join('\n');
}

async function runAll(
  args: LiveArguments,
  setting: LiveSetting,
  candidates: readonly Candidate[],
): Promise<LiveReport> {
  const { environment, onProgress = () => undefined, vendors = liveVendors } = setting;
  const startedAt = new Date().toISOString();
  const prepared = await Promise.all(candidates.map(prepareVendor));
  onProgress(plan(prepared, args));
  const spending = new Spending(args.maxUsd);
  const results: LiveReport['vendors'][number][] = [];
  for (const each of prepared) {
    const { name } = each.candidate.vendor;
    const onCase = ({ name: caseName, status, reason }: CaseResult): void => {
      onProgress(`${name}: ${caseName}: ${status}${reason === undefined ? '' : ` (${reason})`}`);
    };
    results.push(await runVendor(each, spending, onCase));
  }
  const notConfigured = vendors
    .filter(({ variables }) => args.mode === 'live' && variables.length > 0)
    .filter((vendor) => !isConfigured(vendor, environment))
    .map(({ name }) => name);
  return {
    mode: args.mode,
    startedAt,
    versions: versions(),
    vendors: results,
    notConfigured,
    maxUsd: args.maxUsd,
    spentUsd: spending.spentUsd,
  };
}

async function runSimulated(
  args: LiveArguments,
  setting: LiveSetting,
  selected: readonly Selected[],
): Promise<LiveReport> {
  const models = selected.flatMap(({ vendor: { embeddingModel }, model }) =>
    embeddingModel === undefined ? [model] : [model, embeddingModel],
  );
  const simulators = await startSimulatedVendors(models);
  try {
    await setting.onSimulated?.(simulators);
    const candidates = selected.map((each) => ({
      ...each,
      connection: simulatedConnection(each.vendor, simulators),
    }));
    return await runAll(args, setting, candidates);
  } finally {
    await simulators.close();
  }
}

async function run(args: readonly string[], setting: LiveSetting): Promise<CommandResult> {
  const { vendors = liveVendors } = setting;
  const parsed = parseLiveArguments(
    args,
    vendors.map(({ name }) => name),
  );
  if (parsed === undefined) return { exitCode: 0, output: liveHelp, problem: '' };
  const selected = select(parsed, setting);
  if (selected.length === 0) throw noKeyProblem(vendors);
  const report =
    parsed.mode === 'simulated'
      ? await runSimulated(parsed, setting, selected)
      : await runAll(
          parsed,
          setting,
          selected.map((each) => ({ ...each, connection: {} })),
        );
  const cases = report.vendors.flatMap((each) => each.cases);
  const isWell = countOf(cases, 'failed') === 0 && countOf(cases, 'passed') > 0;
  const output = parsed.format === 'json' ? JSON.stringify(report, null, 2) : formatReport(report);
  return { exitCode: isWell ? 0 : 1, output, problem: '' };
}

/** Runs the live contract. Never throws, and prints only through `onProgress`. */
export async function liveCommand(
  args: readonly string[],
  setting: LiveSetting,
): Promise<CommandResult> {
  try {
    return await run(args, setting);
  } catch (error) {
    // The stack is for bugs. A usage problem needs only its message.
    const text = isUsageProblem(error) ? error.message : error instanceof Error && error.stack;
    return { exitCode: 2, output: '', problem: `live: ${text || String(error)}` };
  }
}
