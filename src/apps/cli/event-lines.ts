import { createReadStream } from 'node:fs';
import type { RouterEvent } from '../../protocol/events.ts';
import { UsageProblem } from './usage-problem.ts';

/** Characters. A longer line is not held in memory. */
const maxLineLength = 1_000_000;

/** More than a model can read or write. */
const maxTokens = 1e12;

/** US dollars. An attempt that costs more is a mistake of the file. */
const maxUsd = 1e6;

/** The latest time that a date can have. */
const maxTime = 8.64e15;

/** A line with its number, from 1. `undefined`: it was too long. */
type Line = { readonly number: number; readonly text: string | undefined };

/** The lines of a file, one at a time, whatever their length. @throws UsageProblem if it cannot be read */
async function* linesOf(path: string): AsyncGenerator<Line, void> {
  let number = 1;
  let text = '';
  let isTooLong = false;
  const line = (): Line => ({ number, text: isTooLong ? undefined : text });
  try {
    for await (const chunk of createReadStream(path, 'utf8')) {
      const pieces = String(chunk).split('\n');
      for (const [index, piece] of pieces.entries()) {
        if (index > 0) {
          yield line();
          number += 1;
          text = '';
          isTooLong = false;
        }
        isTooLong ||= text.length + piece.length > maxLineLength;
        text = isTooLong ? '' : text + piece;
      }
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
    throw new UsageProblem(`cannot read "${path}"${code}`);
  }
  if (text !== '' || isTooLong) yield line();
}

type Fields = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string';

function isUpTo(max: number): Check {
  return (value) => typeof value === 'number' && value >= 0 && value <= max;
}

function optional(check: Check): Check {
  return (value) => value === undefined || check(value);
}

function oneOf(...values: readonly unknown[]): Check {
  return (value) => values.includes(value);
}

function shape(checks: Readonly<Record<string, Check>>): Check {
  return (value) => isObject(value) && wrongField(value, checks) === undefined;
}

function wrongField(fields: Fields, checks: Readonly<Record<string, Check>>): string | undefined {
  return Object.entries(checks).find(([name, check]) => !check(fields[name]))?.[0];
}

const isMs = isUpTo(Number.MAX_VALUE);
const isCount: Check = (value) => Number.isInteger(value) && isUpTo(maxTokens)(value);
const isError = shape({ code: isText });

const common = {
  at: isUpTo(maxTime),
  tier: isText,
  tags: (value) => isObject(value) && Object.values(value).every(isText),
  drill: optional(isText),
} as const satisfies Record<string, Check>;

/** What a report reads of each event that it counts. */
const checks = {
  'call-end': {
    status: oneOf('ok', 'error', 'aborted'),
    durationMs: isMs,
    firstTokenMs: optional(isMs),
  },
  'attempt-end': {
    target: isText,
    outcome: oneOf('ok', 'error', 'aborted'),
    durationMs: isMs,
    firstTokenMs: optional(isMs),
    error: optional(isError),
  },
  failover: { from: isText },
  retry: { target: isText, error: isError },
  cost: {
    target: isText,
    usd: (value) => value === null || isUpTo(maxUsd)(value),
    usage: shape({
      inputTokens: isCount,
      outputTokens: isCount,
      cachedInputTokens: optional(isCount),
    }),
  },
  feedback: { target: isText, score: isUpTo(1) },
} as const satisfies Record<string, Readonly<Record<string, Check>>>;

/** What is in a line: an event that a report counts, something else, or something that cannot be read. */
type Content = { readonly event: RouterEvent } | { readonly problem: string } | 'other';

function contentOf(text: string): Content {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Not the parser's message: it quotes the line.
    return { problem: 'is not JSON' };
  }
  if (!isObject(value)) return { problem: 'is not a JSON object' };
  const { type } = value;
  if (typeof type !== 'string' || !Object.hasOwn(checks, type)) return 'other';
  const wrong = wrongField(value, { ...common, ...checks[type as keyof typeof checks] });
  if (wrong !== undefined) return { problem: `"${wrong}" of the ${type} event is wrong` };
  return { event: value as unknown as RouterEvent };
}

export type EventLine = Content & { readonly number: number };

/**
 * The events in a file of JSON lines that a report counts, and its unreadable lines. Lines that are empty, or no events, are
 * left out, because other parts of an application write to the same log. @throws UsageProblem if the file cannot be read
 */
export async function* eventLinesOf(path: string): AsyncGenerator<Exclude<EventLine, 'other'>> {
  for await (const { number, text } of linesOf(path)) {
    if (text === undefined) {
      yield { number, problem: `is longer than ${maxLineLength} characters` };
      continue;
    }
    const trimmed = text.replace(/^\uFEFF/, '').trim();
    const content = trimmed === '' ? 'other' : contentOf(trimmed);
    if (content !== 'other') yield { number, ...content };
  }
}
