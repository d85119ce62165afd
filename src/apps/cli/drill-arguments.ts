import type { DrillOptions } from '../../protocol/drill.ts';
import { fileOf, parseOptions, UsageProblem } from './usage-problem.ts';

export type DrillArguments = {
  readonly config: string;
  readonly drill: DrillOptions;
  readonly calls: number;
  readonly concurrency: number;
  readonly prompt: string;
  readonly mode: 'complete' | 'stream';
  readonly format: 'table' | 'json';
};

export const drillHelp = `signalbox drill <file>: make targets of a tier fail and check that the other
targets answer

  <file>                YAML or JSON file with providers, or a module that
                        exports a configuration or a router
  --config <file>       the same as <file>
  --tier <name>         the tier to drill
  --fault <fault>       connection, timeout, rate_limited, server_error,
                        overloaded, slow, cut, truncated, invalid_output
  --target <target>     a failing target; repeatable (default: the tier's first)
  --share <0..1>        share of the calls to drill (default: 1)
  --calls <n>           number of calls to make (default: 20)
  --concurrency <n>     concurrent calls (default: 4)
  --prompt <text>       prompt of each call (default: Reply with the word "ok".)
  --stream              read the answers as streams
  --delay-ms <n>        for slow
  --after-parts <n>     for cut and truncated
  --retry-after-ms <n>  for rate_limited
  --json                print the report as JSON

The calls are real and are billed.
Exit code 0: passed, 1: not passed, 2: could not run.`;

/** The drill ends after its calls. This bounds it if they never end. */
const maxDrillMs = 86_400_000;

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;

const options = {
  config: text,
  tier: text,
  fault: text,
  target: { type: 'string', multiple: true },
  share: { type: 'string', default: '1' },
  calls: { type: 'string', default: '20' },
  concurrency: { type: 'string', default: '4' },
  prompt: { type: 'string', default: 'Reply with the word "ok".' },
  stream: flag,
  'delay-ms': text,
  'after-parts': text,
  'retry-after-ms': text,
  json: flag,
  help: { type: 'boolean', short: 'h' },
} as const;

/** Command-line options that are settings of the fault. */
const faultSettings = {
  'delay-ms': 'delayMs',
  'after-parts': 'afterParts',
  'retry-after-ms': 'retryAfterMs',
} as const;

function required(name: string, value: string | undefined): string {
  if (value === undefined) throw new UsageProblem(`--${name} is required\n\n${drillHelp}`);
  return value;
}

function numberOf(name: string, value: string): number {
  const number = value.trim() === '' ? Number.NaN : Number(value);
  if (Number.isNaN(number)) throw new UsageProblem(`--${name}: "${value}" is not a number`);
  return number;
}

function countOf(name: string, value: string): number {
  const count = numberOf(name, value);
  if (Number.isInteger(count) && count > 0) return count;
  throw new UsageProblem(`--${name}: must be a positive integer`);
}

/**
 * Parses the arguments; `undefined` for `--help`. The router validates the drill options.
 * @throws UsageProblem
 */
export function parseDrillArguments(args: readonly string[]): DrillArguments | undefined {
  const { values, positionals } = parseOptions(args, options);
  if (values.help === true) return undefined;
  const config = fileOf(values.config, positionals, drillHelp);
  const tier = required('tier', values.tier);
  const type = required('fault', values.fault);
  const settings = Object.entries(faultSettings).flatMap(([name, setting]) => {
    const value = values[name as keyof typeof faultSettings];
    return value === undefined ? [] : [[setting, numberOf(name, value)] as const];
  });
  const drill = {
    tier,
    fault: { type, ...Object.fromEntries(settings) },
    share: numberOf('share', values.share),
    forMs: maxDrillMs,
    ...(values.target !== undefined && { targets: values.target }),
  };
  return {
    config,
    drill: drill as unknown as DrillOptions,
    calls: countOf('calls', values.calls),
    concurrency: countOf('concurrency', values.concurrency),
    prompt: values.prompt,
    mode: values.stream === true ? 'stream' : 'complete',
    format: values.json === true ? 'json' : 'table',
  };
}
