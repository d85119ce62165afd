import { styleText } from 'node:util';
import type { Attempt, Completion, SignalboxError } from 'signalbox';
import type { DemoRequest } from './story.ts';

/** Columns: fits a terminal of 100. */
const width = 98;

type Style = Parameters<typeof styleText>[0];

/** Coloured on a terminal (or with FORCE_COLOR), plain elsewhere and with NO_COLOR. */
export const paint = (style: Style, text: string): string =>
  styleText(style, text, { stream: process.stdout });

export const print = (line = ''): void => console.log(line);

/** The terminal's own colour, whether its ground is dark or light. */
const plain: Style = 'reset';

const vendorStyles: Readonly<Record<string, Style>> = {
  openai: 'green',
  anthropic: 'magenta',
  google: 'blue',
};

/** `provider/model` in its vendor's colour, in a column of `columns`. */
export function paintTarget(target: string, columns = 0): string {
  const provider = target.slice(0, target.indexOf('/'));
  return paint(vendorStyles[provider] ?? plain, target.padEnd(columns));
}

export const dollars = (usd: number, digits = 5): string => `$${usd.toFixed(digits)}`;
export const milliseconds = (ms: number): string => `${Math.round(ms).toLocaleString('en')} ms`;
export const seconds = (ms: number): string => `${(Math.max(0, ms) / 1_000).toFixed(1)} s`;

/** A line across, for something that changes the story. */
export function printRule(title: string, style: Style = ['bold', 'cyan']): void {
  print();
  print(paint(style, `── ${title} ${'─'.repeat(Math.max(0, width - title.length - 4))}`));
}

/** Something that happened to a target, beside the requests. */
export function printNotice(style: Style, sign: string, what: string, target: string, more = '') {
  const head = paint(style, `     ${sign} ${what.padEnd(18)}`);
  print(`${head} ${paintTarget(target)}  ${paint('dim', more)}`.trimEnd());
}

/** The signs of the trail's verdicts, as the legend of the header has them. */
const signs = { retry: '↻', next: '↷', stop: '✗', done: '' } as const satisfies Record<
  Attempt['verdict'],
  string
>;

const words: Readonly<Record<string, string>> = {
  connection: 'reset',
  idle: 'stalled',
  'first-token': 'silent',
};

/** One line of the trail in two or three words. */
function tell({ outcome, error, reason, verdict }: Attempt): string {
  if (outcome === 'skipped') return `${(reason ?? 'unavailable').replace(/( until |, ).*/, '')} ⊘`;
  const word = error?.status ?? words[error?.phase ?? ''] ?? words[error?.code ?? ''];
  return `${word ?? error?.code ?? outcome} ${signs[verdict]}`;
}

/**
 * Why the answer is from where it is: what became of the targets before it, and the verdict on each. The
 * trail also has those behind it that could not have been asked; they are left out.
 */
function tellTrail(trail: readonly Attempt[], order: readonly string[]): string {
  let provider = '';
  const told: string[] = [];
  const answered = trail.find(({ outcome }) => outcome === 'ok')?.target ?? '';
  for (const attempt of trail) {
    if (attempt.outcome === 'ok' || order.indexOf(attempt.target) > order.indexOf(answered))
      continue;
    const [name = ''] = attempt.target.split('/');
    told.push(name === provider ? tell(attempt) : `${name} ${tell(attempt)}`);
    provider = name;
  }
  return told.join(' ');
}

const clip = (text: string, columns: number): string =>
  text.length <= columns ? text : `${text.slice(0, columns - 1)}…`;

function head({ number, tier, mode }: DemoRequest): string {
  const sign = mode === 'stream' ? '≈' : '·';
  return `${String(number).padStart(3)} ${sign} ${tier.padEnd(18)}`;
}

/** Longer than this is worth a second look. */
const slowMs = 800;

/**
 * One answer: who gave it, how long it took, what it cost, and why it was that target; `order` is what the
 * tier prefers.
 */
export function printAnswer(
  request: DemoRequest,
  completion: Completion,
  order: readonly string[],
): void {
  const { target, latency, cost, trail } = completion;
  const price = cost.usd === null ? 'unknown' : dollars(cost.usd);
  const why = clip(tellTrail(trail, order), 26);
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
