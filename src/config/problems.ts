import type * as z from 'zod';
import { SignalboxError } from '../errors.ts';
import type { DataFlaw } from '../internal/caller-data.ts';
import { closest } from '../internal/closest.ts';
import type { Locate, Position } from '../internal/document-positions.ts';
import { quoted, quotedList, shortened } from '../internal/quoted.ts';
import type { ConfigProblem } from '../protocol/config-source.ts';
import { meantIssues } from '../validation/wording.ts';
import { type Home, habitAdvice } from './habits.ts';

/** Most problems listed in one error; the rest are counted. */
const maxListedProblems = 100;

/** A message may quote a value, which may be long. */
const maxMessageLength = 2_000;

/** Of a longer path only the first and last steps are shown. */
const maxPathSteps = 12;

/** Most name comparisons per error for "did you mean" hints, because each one takes time. */
const maxCompared = 50_000;

/** A "did you mean" hint. `otherwise`: what to add when no name is similar, all known names or nothing. */
type Hint = {
  readonly name: string;
  readonly known: readonly string[];
  readonly otherwise: 'list' | 'nothing';
};

/** A problem of a configuration: its path, and what to do. */
export type Problem = {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** The unknown name, and the known ones. */
  readonly hint?: Hint;
  /** Where it is in the document, if the path does not determine that. */
  readonly position?: Position;
};

function formatStep(key: PropertyKey): string {
  return typeof key === 'number' ? `[${key}]` : `.${shortened(String(key))}`;
}

/** Formats a path as `a.b[0]`. A very long path is shortened in the middle. */
export function formatPath(path: readonly PropertyKey[]): string {
  const isLong = path.length > maxPathSteps;
  const shown = isLong ? [...path.slice(0, maxPathSteps - 2), '…', ...path.slice(-1)] : path;
  return (
    shown
      .map(formatStep)
      .join('')
      .replace(/^\./, '')
      // A target is usually written as a string, although it is parsed as an object.
      .replace(/(\.targets\[\d+\])\.target$/, '$1')
  );
}

function didYouMean({ name, known, otherwise }: Hint): string {
  const meant = closest(name, known);
  if (meant !== undefined) return `; did you mean ${quoted(meant)}?`;
  return known.length === 0 || otherwise === 'nothing' ? '' : `; there is ${quotedList(known)}`;
}

/** Converts the flaws of nested data to problems. */
export function flawProblems(flaws: readonly DataFlaw[]): readonly Problem[] {
  return flaws.map(({ path, message }) => ({ path, message }));
}

/** The option names to suggest for an unknown one at a path. */
type KnownAt = (path: readonly PropertyKey[]) => readonly string[];

/** Converts a zod issue to problems. `homes` are where options belong that are in the wrong place. */
export function describeIssue(
  issue: z.core.$ZodIssue,
  knownAt: KnownAt,
  homes: readonly Home[] = [],
): readonly Problem[] {
  return meantIssues(issue).flatMap((meant) => describeMeant(meant, knownAt, homes));
}

function describeMeant(
  issue: z.core.$ZodIssue,
  knownAt: KnownAt,
  homes: readonly Home[],
): readonly Problem[] {
  if (issue.code !== 'unrecognized_keys') return [{ path: issue.path, message: issue.message }];
  const known = knownAt(issue.path);
  return issue.keys.map((key) => {
    // A known key that the schema rejects is `providers` or `runtime`, passed to `reconfigure`.
    if (known.includes(key)) {
      const message = 'cannot be replaced by reconfigure; remove it';
      return { path: [...issue.path, key], message };
    }
    const path = [...issue.path, key];
    const advice = habitAdvice(key, known, homes);
    if (advice !== undefined) return { path, message: `unknown option; ${advice}` };
    const hint = { name: key, known, otherwise: 'nothing' } as const;
    return { path, message: 'unknown option', hint };
  });
}

function formatPosition({ document, line, column }: Position): string {
  return ` (${document === undefined ? '' : `${document}:`}${line}:${column})`;
}

/** One error that lists every problem with its path, and its position if `locate` finds it. */
export function configError(
  problems: readonly Problem[],
  what = 'configuration',
  locate?: Locate,
): SignalboxError {
  let compared = 0;
  const lines: string[] = [];
  const listed: ConfigProblem[] = [];
  for (const { path, message: reason, hint, ...problem } of problems.slice(0, maxListedProblems)) {
    const isHinted = hint !== undefined && compared <= maxCompared;
    if (isHinted) compared += hint.known.length;
    const message = `${shortened(reason, maxMessageLength)}${isHinted ? didYouMean(hint) : ''}`;
    const at = formatPath(path) || what;
    const position = problem.position ?? locate?.(path);
    lines.push(`${at}${position === undefined ? '' : formatPosition(position)}: ${message}`);
    const { line, column } = position ?? {};
    listed.push({
      path: at,
      message,
      ...(line !== undefined && column !== undefined && { line, column }),
    });
  }
  const count = problems.length;
  if (count > lines.length) lines.push(`and ${count - lines.length} more`);
  const title = count === 1 ? `invalid ${what}` : `invalid ${what} (${count} problems)`;
  const text = `${title}\n${lines.map((line) => `  ${line}`).join('\n')}`;
  return new SignalboxError('config', text, { problems: listed });
}
