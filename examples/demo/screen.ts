import { styleText } from 'node:util';
import type { Attempt, Completion, SignalboxError } from 'signalbox';
import type { DemoRequest } from './story.ts';

/** Fits a terminal of 100 columns. */
const width = 98;

type Style = Parameters<typeof styleText>[0];

/** Coloured on a terminal (or with FORCE_COLOR), plain elsewhere and with NO_COLOR. */
export const paint = (style: Style, text: string): string =>
  styleText(style, text, { stream: process.stdout });

export const print = (line = ''): void => console.log(line);

/** The terminal's default colour, for dark and light backgrounds. */
const plain: Style = 'reset';

const vendorStyles: Readonly<Record<string, Style>> = {
  openai: 'green',
  anthropic: 'magenta',
  google: 'blue',
};

/** `provider/model` in its vendor's colour, padded to `columns`. */
export function paintTarget(target: string, columns = 0): string {
  const provider = target.slice(0, target.indexOf('/'));
  return paint(vendorStyles[provider] ?? plain, target.padEnd(columns));
}

export const dollars = (usd: number, digits = 5): string => `$${usd.toFixed(digits)}`;
export const milliseconds = (ms: number): string => `${Math.round(ms).toLocaleString('en')} ms`;
export const seconds = (ms: number): string => `${(Math.max(0, ms) / 1_000).toFixed(1)} s`;

/** Prints a horizontal rule with the title of a chapter. */
export function printRule(title: string, style: Style = ['bold', 'cyan']): void {
  print();
  print(paint(style, `── ${title} ${'─'.repeat(Math.max(0, width - title.length - 4))}`));
}

/** Prints a state change of a target between the requests. */
export function printNotice(style: Style, sign: string, what: string, target: string, more = '') {
  const head = paint(style, `     ${sign} ${what.padEnd(18)}`);
  print(`${head} ${paintTarget(target)}  ${paint('dim', more)}`.trimEnd());
}

/** The symbols of the verdicts, as in the legend. */
const signs = { retry: '↻', next: '↷', stop: '✗', done: '' } as const satisfies Record<
  Attempt['verdict'],
  string
>;

const labels: Readonly<Record<string, string>> = {
  connection: 'reset',
  idle: 'stalled',
  'first-token': 'silent',
};

/** Summarizes one line of the trail. */
function summarize({ outcome, error, reason, verdict }: Attempt): string {
  if (outcome === 'skipped')
    return `${(reason ?? 'unavailable').replace(/( until |, | ").*/, '')} ⊘`;
  const label = error?.status ?? labels[error?.phase ?? ''] ?? labels[error?.code ?? ''];
  return `${label ?? error?.code ?? outcome} ${signs[verdict]}`;
}

/** Summarizes why the target answered: the targets before it in `order`, with the verdict of each. */
function summarizeTrail(trail: readonly Attempt[], order: readonly string[]): string {
  let provider = '';
  const words: string[] = [];
  const answered = trail.find(({ outcome }) => outcome === 'ok')?.target ?? '';
  for (const attempt of trail) {
    if (attempt.outcome === 'ok' || order.indexOf(attempt.target) > order.indexOf(answered))
      continue;
    const [name = ''] = attempt.target.split('/');
    words.push(name === provider ? summarize(attempt) : `${name} ${summarize(attempt)}`);
    provider = name;
  }
  return words.join(' ');
}

const clip = (text: string, columns: number): string =>
  text.length <= columns ? text : `${text.slice(0, columns - 1)}…`;

function head({ number, tier, mode }: DemoRequest): string {
  const sign = mode === 'stream' ? '≈' : '·';
  return `${String(number).padStart(3)} ${sign} ${tier.padEnd(18)}`;
}

/** Longer latencies are highlighted. */
const slowMs = 800;

/** Prints one answer: target, latency, cost, and why that target answered. `order` is the tier's usual order. */
export function printAnswer(
  request: DemoRequest,
  completion: Completion,
  order: readonly string[],
): void {
  const { target, latency, cost, trail } = completion;
  const price = cost.usd === null ? 'unknown' : dollars(cost.usd);
  const why = clip(summarizeTrail(trail, order), 26);
  const slow = latency.totalMs > slowMs ? 'yellow' : plain;
  print(
    [
      paint(why === '' ? 'dim' : plain, head(request)),
      paintTarget(target, 29),
      paint(slow, milliseconds(latency.totalMs).padStart(8)),
      paint('dim', price.padStart(8)),
      paint(trail.some(({ outcome }) => outcome === 'error') ? 'red' : 'dim', why),
    ]
      .join(' ')
      .trimEnd(),
  );
}

export function printLoss(request: DemoRequest, error: SignalboxError): void {
  print(paint(['bold', 'red'], clip(`${head(request)} LOST: ${error.message}`, width)));
}
