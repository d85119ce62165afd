import { parseArgs } from 'node:util';
import { UsageProblem } from '../../src/apps/cli/usage-problem.ts';
import { closest } from '../../src/internal/closest.ts';

export const liveHelp = `npm run live: the adapter contract against real vendors, for the keys in the environment

  --providers <a,b>          only these vendors (default: all that have a key)
  --model <vendor>=<model>   another model for a vendor; repeatable
  --max-usd <amount>         stop before a request that could exceed it (default: 0.05)
  --simulated                against simulated vendors on this machine, without keys
  --json                     print the report as JSON instead of Markdown

The requests are real and are billed. The report goes to stdout, progress to stderr.
Exit code 0: all passed, 1: a case failed or none passed, 2: wrong use, or no key was found.`;

export type LiveArguments = {
  /** `undefined`: all that are configured. */
  readonly names: readonly string[] | undefined;
  readonly models: ReadonlyMap<string, string>;
  readonly maxUsd: number;
  readonly mode: 'live' | 'simulated';
  readonly format: 'markdown' | 'json';
};

const defaultMaxUsd = 0.05;

/** Nothing is billed, so the cap must not skip cases. */
const simulatedMaxUsd = 100;

const options = {
  providers: { type: 'string', multiple: true },
  model: { type: 'string', multiple: true },
  'max-usd': { type: 'string' },
  simulated: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

function knownName(option: string, name: string, known: readonly string[]): string {
  if (known.includes(name)) return name;
  const near = closest(name, known);
  const hint = near === undefined ? `one of ${known.join(', ')}` : `did you mean "${near}"?`;
  throw new UsageProblem(`--${option}: there is no vendor "${name}": ${hint}`);
}

function modelsOf(settings: readonly string[], known: readonly string[]): Map<string, string> {
  return new Map(
    settings.map((setting) => {
      const at = setting.indexOf('=');
      const model = setting.slice(at + 1);
      if (at < 0 || model === '') {
        throw new UsageProblem(`--model: "${setting}" is not of the form <vendor>=<model>`);
      }
      return [knownName('model', setting.slice(0, at), known), model] as const;
    }),
  );
}

function amountOf(text: string): number {
  const amount = text.trim() === '' ? Number.NaN : Number(text);
  if (Number.isFinite(amount) && amount > 0) return amount;
  throw new UsageProblem(`--max-usd: "${text}" is not a positive number`);
}

/**
 * Parses the arguments; `undefined` for `--help`.
 * @throws UsageProblem
 */
export function parseLiveArguments(
  args: readonly string[],
  known: readonly string[],
): LiveArguments | undefined {
  const { values } = parseArgs({ args: [...args], options, strict: true });
  if (values.help) return undefined;
  const mode = values.simulated ? 'simulated' : 'live';
  const maxUsd = values['max-usd'];
  const defaultUsd = mode === 'live' ? defaultMaxUsd : simulatedMaxUsd;
  return {
    names: values.providers
      ?.flatMap((list) => list.split(','))
      .map((name) => knownName('providers', name.trim(), known)),
    models: modelsOf(values.model ?? [], known),
    maxUsd: maxUsd === undefined ? defaultUsd : amountOf(maxUsd),
    mode,
    format: values.json ? 'json' : 'markdown',
  };
}
