import { timestamp } from '../../internal/timestamp.ts';
import type { RouterEvent } from '../../protocol/events.ts';
import type { Evals } from '../evals/create-evals.ts';
import type { CommandResult } from './command-result.ts';
import { usdOf } from './evals-arguments.ts';
import { openEvals } from './open-evals.ts';
import type { Notes } from './progress-notes.ts';
import { wrap } from './terminal.ts';
import { fileOf, parseOptions } from './usage-problem.ts';

const help = `signalbox evals watch <module or file>: run the suites on their schedule, and
print what they find

  <module or file>      as for signalbox evals run; its evals need a schedule
  --config <file>       the same as <module or file>
  --max-usd <n>         stop each run before it costs more; the next one goes on
  --json                print the events as JSON lines

Runs until SIGINT (Ctrl-C) or SIGTERM. A run in progress goes on the next time.
Exit code 0: ended by a signal, 2: could not run.`;

const options = {
  config: { type: 'string' },
  'max-usd': { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

function points(effect: number): string {
  return `${(effect * 100).toFixed(1)} points`;
}

/** What a line says behind the time and the name of the event. `undefined` for events that are not about evaluations. */
function textOf(event: RouterEvent): string | undefined {
  switch (event.type) {
    case 'eval-end':
      return `${event.suite} ${event.target}: ${event.score?.toFixed(3) ?? 'no score'}, ${event.state}`;
    case 'eval-failed':
      return event.error.message;
    case 'drift-detected': {
      if (event.source === 'traffic') return `${event.tier} ${event.target}: ${event.signal}`;
      const { suite, target, effect, cases, action } = event;
      const ids = cases.map(({ id }) => id).join(', ');
      return `${suite} ${target}: ${points(effect)} below its baseline, ${action}; ${ids}`;
    }
    case 'drift-cleared':
      return `${event.suite} ${event.target}: ${event.reason}, ${event.action}`;
    case 'target-demote':
    case 'target-demote-end':
      return event.target;
    default:
      return undefined;
  }
}

type WatchSettings = {
  readonly signal: AbortSignal;
  readonly format: 'text' | 'json';
  readonly maxUsd: number | undefined;
  readonly notes: Notes;
};

/** Runs the schedule until the signal aborts. @throws SignalboxError `config` without a schedule */
async function watchEvals(
  evals: Evals,
  { signal, format, maxUsd, notes }: WatchSettings,
): Promise<void> {
  evals.router.on('*', (event) => {
    const text = textOf(event);
    if (text === undefined) return;
    // One line, whatever is in the names.
    const [line = ''] = wrap(
      `${timestamp(event.at)} ${event.type} ${text}`,
      Number.MAX_SAFE_INTEGER,
    );
    notes.print(`${format === 'json' ? JSON.stringify(event) : line}\n`);
  });
  await evals.start({ maxUsd });
  const nextAt = evals.nextRun();
  if (nextAt !== undefined) notes.write(`next run: ${timestamp(nextAt)}\n`);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await evals.stop();
  await evals.router.close();
}

/**
 * `signalbox evals watch`: runs the schedule of a document or a module in the foreground.
 * @throws UsageProblem, or SignalboxError `config`, if it cannot run
 */
export async function watchEvalsCommand(
  args: readonly string[],
  notes: Notes,
): Promise<CommandResult> {
  const { values, positionals } = parseOptions(args, options);
  if (values.help === true) return { exitCode: 0, output: help, problem: '' };
  const file = fileOf(values.config, positionals, help);
  const maxUsd = usdOf(values['max-usd']);
  const stop = new AbortController();
  const end = (): void => stop.abort();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, end);
  const format = values.json === true ? 'json' : 'text';
  try {
    const evals = await openEvals(file);
    await watchEvals(evals, { signal: stop.signal, format, maxUsd, notes });
  } finally {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, end);
  }
  return { exitCode: 0, output: '', problem: '' };
}
