import { readFile } from 'node:fs/promises';
import type { CallOptions } from '../../protocol/call-options.ts';
import type { Message, Part } from '../../protocol/message.ts';
import type { Explanation } from '../../protocol/router.ts';
import type { CommandResult } from './command-result.ts';
import { openSource, routerOf } from './open-source.ts';
import { indented, styled, type Terminal, table, wrap } from './terminal.ts';
import { fileOf, parseOptions, UsageProblem } from './usage-problem.ts';

const explainHelp = `signalbox explain <file>: show which targets a call would try, and which not

  <file>                  YAML or JSON file with providers, or a module that
                          exports a configuration or a router
  --config <file>         the same as <file>
  --tier <name>           the tier that the call is made to
  --tag <name>=<value>    a tag of the call; repeatable
  --prompt <text>         its prompt (default: Hello)
  --prompt-file <path>    a file with its prompt
  --input-tokens <n>      instead of a prompt: its estimated tokens
  --tools                 the call has a tool
  --images                the call has an image
  --files                 the call has a file
  --schema                the call has a schema
  --strict                exit with 1 for warnings too
  --json                  print the explanation as JSON

It sends nothing. Exit code 0: a target would answer, 1: none would, 2: could
not run.`;

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;

const options = {
  config: text,
  tier: text,
  tag: { type: 'string', multiple: true },
  prompt: text,
  'prompt-file': text,
  'input-tokens': text,
  tools: flag,
  images: flag,
  files: flag,
  schema: flag,
  strict: flag,
  json: flag,
  help: { type: 'boolean', short: 'h' },
} as const;

type Values = ReturnType<typeof parseOptions<typeof options>>['values'];

/** More than any context window, and still a text of moderate size. */
const maxInputTokens = 20_000_000;

/** A text that is estimated at one token. */
const oneToken = 'word ';

/** @throws UsageProblem */
function textOfTokens(value: string): string {
  const tokens = Number(value);
  if (/^\d+$/.test(value) && tokens >= 1 && tokens <= maxInputTokens) {
    return oneToken.repeat(tokens);
  }
  throw new UsageProblem(`--input-tokens: must be an integer from 1 to ${maxInputTokens}`);
}

/** @throws UsageProblem */
async function promptOf(values: Values): Promise<string> {
  const { prompt, 'prompt-file': file, 'input-tokens': tokens } = values;
  if ([prompt, file, tokens].filter((each) => each !== undefined).length > 1) {
    throw new UsageProblem('set one of --prompt, --prompt-file and --input-tokens');
  }
  if (tokens !== undefined) return textOfTokens(tokens);
  if (file === undefined) return prompt ?? 'Hello';
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'see cause';
    throw new UsageProblem(`--prompt-file: ${file} cannot be read (${code})`, { cause });
  }
}

/** @throws UsageProblem */
function tagsOf(tags: readonly string[] = []): Readonly<Record<string, string>> {
  return Object.fromEntries(
    tags.map((tag) => {
      const end = tag.indexOf('=');
      if (end < 1) throw new UsageProblem(`--tag: must be <name>=<value>, such as plan=free`);
      return [tag.slice(0, end), tag.slice(end + 1)] as const;
    }),
  );
}

function messagesOf(prompt: string, { images, files }: Values): readonly Message[] {
  // The smallest that are valid. Nothing is sent.
  const image = {
    type: 'image',
    source: { mediaType: 'image/png', data: 'iVBORw0KGgo=' },
  } as const;
  const file = {
    type: 'file',
    source: { mediaType: 'application/pdf', data: 'JVBERi0=' },
    filename: 'file.pdf',
  } as const;
  const content: readonly Part[] = [
    { type: 'text', text: prompt },
    ...(images === true ? [image] : []),
    ...(files === true ? [file] : []),
  ];
  return [{ role: 'user', content }];
}

const anySchema = {
  type: 'object',
  properties: { text: { type: 'string' } },
  required: ['text'],
  additionalProperties: false,
} as const;

function callOptionsOf({ tag, tools, schema }: Values): CallOptions {
  const tool = { name: 'tool', description: 'A tool.', inputSchema: anySchema };
  return {
    tags: tagsOf(tag),
    ...(tools === true && { tools: [tool] }),
    ...(schema === true && { schema: anySchema }),
  };
}

/** The figures of candidates that are shown, with their headings. */
const figures = {
  usd: ['usd', (usd) => `$${Number(usd.toPrecision(3))}`],
  firstTokenMs: ['first token', (ms) => `${Math.round(ms)} ms`],
  failureRate: ['failures', (rate) => `${Number((rate * 100).toPrecision(2))} %`],
  score: ['score', (score) => String(Number(score.toPrecision(3)))],
} as const satisfies Record<string, readonly [string, (figure: number) => string]>;

const figureNames = Object.keys(figures) as readonly (keyof typeof figures)[];

function nameOf({ target, key }: { readonly target: string; readonly key?: number }): string {
  return key === undefined ? target : `${target} (key ${key})`;
}

function formatCandidates({ candidates, demoted = [] }: Explanation, terminal: Terminal): string {
  const shown = figureNames.filter((name) =>
    candidates.some((candidate) => candidate[name] !== undefined),
  );
  const rows = candidates.map((candidate, index) => [
    `${index + 1}. ${nameOf(candidate)}`,
    ...shown.map((name) => {
      const figure = candidate[name];
      return figure === undefined ? '-' : figures[name][1](figure);
    }),
  ]);
  const [heading = '', ...lines] = table(
    [['would be tried', ...shown.map((name) => figures[name][0])], ...rows],
    terminal,
  );
  const withNotes = candidates.map(({ target, warnings }, index) => {
    const behind = demoted.filter((each) => each.target === target);
    return [
      lines[index],
      ...behind.map(({ reason }) => indented(`tried later or less: ${reason}`, 5, terminal)),
      ...warnings.map((warning) => styled('yellow', indented(warning, 5, terminal), terminal)),
    ].join('\n');
  });
  return [styled('dim', heading, terminal), ...withNotes].join('\n');
}

function formatSkipped(skipped: Explanation['skipped'], terminal: Terminal): string {
  const entries = skipped.map((each) => {
    const { reason, until } = each;
    const end = until === undefined ? '' : `, until ${new Date(until).toISOString()}`;
    return `${wrap(nameOf(each), terminal.columns).join('\n')}\n${indented(`${reason}${end}`, 3, terminal)}`;
  });
  return [styled('dim', 'would be skipped', terminal), ...entries].join('\n');
}

function formatFallbacks(
  fallbacks: NonNullable<Explanation['fallbacks']>,
  terminal: Terminal,
): string {
  const entries = Object.entries(fallbacks).map(([code, targets]) => {
    const names = targets.map((each) =>
      each.reason === undefined ? nameOf(each) : `${nameOf(each)} (skipped: ${each.reason})`,
    );
    return indented(`${code}: ${names.join(', ')}`, 3, terminal);
  });
  return [styled('dim', 'would follow after a failure', terminal), ...entries].join('\n');
}

/** Formats the explanation for a terminal. */
export function formatExplanation(explanation: Explanation, terminal: Terminal): string {
  const { tier, rule, strategy, candidates, skipped, fallbacks } = explanation;
  const by = rule === undefined ? 'no rule matches' : `by the rule ${rule}`;
  const title = wrap(`tier ${tier}, ${by}, strategy ${strategy}`, terminal.columns).join('\n');
  return [
    styled('bold', title, terminal),
    candidates.length === 0
      ? styled('red', 'no target can serve this call', terminal)
      : formatCandidates(explanation, terminal),
    ...(skipped.length === 0 ? [] : [formatSkipped(skipped, terminal)]),
    ...(fallbacks === undefined ? [] : [formatFallbacks(fallbacks, terminal)]),
  ].join('\n\n');
}

/**
 * `signalbox explain`: shows the plan of a call. Sends nothing.
 * @throws UsageProblem, or SignalboxError `config`, if the file or the call is invalid.
 */
export async function explainCommand(
  args: readonly string[],
  terminal: Terminal,
): Promise<CommandResult> {
  const { values, positionals } = parseOptions(args, options);
  if (values.help === true) return { exitCode: 0, output: explainHelp, problem: '' };
  const file = fileOf(values.config, positionals, explainHelp);
  const { tier } = values;
  if (tier === undefined) throw new UsageProblem(`--tier is required\n\n${explainHelp}`);
  const messages = messagesOf(await promptOf(values), values);
  const callOptions = callOptionsOf(values);
  const source = await openSource(file);
  const router = routerOf(source);
  try {
    const explanation = await router.explain(tier, messages, callOptions);
    const { candidates } = explanation;
    const hasWarnings = candidates.some(({ warnings }) => warnings.length > 0);
    const isFound = candidates.length === 0 || (values.strict === true && hasWarnings);
    const output =
      values.json === true
        ? JSON.stringify(explanation, null, 2)
        : formatExplanation(explanation, terminal);
    const problem = source.missing.map(({ path, message }) => `${path}: ${message}`).join('\n');
    return { exitCode: isFound ? 1 : 0, output, problem };
  } finally {
    await router.close();
  }
}
