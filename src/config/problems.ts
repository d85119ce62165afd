import type * as z from 'zod';
import { SignalboxError } from '../errors.ts';
import { closest } from '../internal/closest.ts';
import type { DataFlaw } from '../internal/data-flaws.ts';
import { quoted, quotedList, shortened } from '../internal/quoted.ts';

/** An error lists no more problems than these; the others are counted. */
const maxListedProblems = 100;

/** What others say of a value may quote it, and values may be long. */
const maxMessageLength = 2_000;

/** Of a longer path only the first and the last steps are named. */
const maxPathSteps = 12;

/** Names that one error compares with those there are, in search of what was meant: it takes a while for each. */
const maxCompared = 50_000;

/** What is said when none is near: all names there are, or nothing where they are too many to help. */
type Hint = {
  readonly name: string;
  readonly known: readonly string[];
  readonly otherwise: 'list' | 'nothing';
};

/** Something wrong with a configuration: where, and what to do. */
export type Problem = {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** A name that is not there, among those that are. */
  readonly hint?: Hint;
};

function formatStep(key: PropertyKey): string {
  return typeof key === 'number' ? `[${key}]` : `.${shortened(String(key))}`;
}

/** A path as people write it; one through very deep data is cut in its middle. */
export function formatPath(path: readonly PropertyKey[]): string {
  const isLong = path.length > maxPathSteps;
  const shown = isLong ? [...path.slice(0, maxPathSteps - 2), '…', ...path.slice(-1)] : path;
  return (
    shown
      .map(formatStep)
      .join('')
      .replace(/^\./, '')
      // A target is usually a string, and told as one even where it was read as an object.
      .replace(/(\.targets\[\d+\])\.target$/, '$1')
  );
}

function didYouMean({ name, known, otherwise }: Hint): string {
  const meant = closest(name, known);
  if (meant !== undefined) return `; did you mean ${quoted(meant)}?`;
  return known.length === 0 || otherwise === 'nothing' ? '' : `; there is ${quotedList(known)}`;
}

/** The flaws of nested data as problems. */
export function flawProblems(flaws: readonly DataFlaw[]): readonly Problem[] {
  return flaws.map(({ path, message }) => ({ path, message }));
}

/** A zod issue as problems; `known` are the options that an unknown one may have been meant to be. */
export function describeIssue(
  issue: z.core.$ZodIssue,
  known: readonly string[],
): readonly Problem[] {
  if (issue.code !== 'unrecognized_keys') return [{ path: issue.path, message: issue.message }];
  return issue.keys.map((key) => {
    // Only what a router is made with is known and yet not part of the routing data.
    if (known.includes(key)) {
      const message = 'cannot be replaced while the router runs; leave it out';
      return { path: [...issue.path, key], message };
    }
    const hint = { name: key, known, otherwise: 'nothing' } as const;
    return { path: [...issue.path, key], message: 'unknown option', hint };
  });
}

/** One error that lists every problem with its path. */
export function configError(problems: readonly Problem[], what = 'configuration'): SignalboxError {
  let compared = 0;
  const lines = problems.slice(0, maxListedProblems).map(({ path, message, hint }) => {
    const isHinted = hint !== undefined && compared <= maxCompared;
    if (isHinted) compared += hint.known.length;
    const told = shortened(message, maxMessageLength);
    return `${formatPath(path) || what}: ${told}${isHinted ? didYouMean(hint) : ''}`;
  });
  const count = problems.length;
  if (count > lines.length) lines.push(`and ${count - lines.length} more`);
  const title = count === 1 ? `invalid ${what}` : `invalid ${what} (${count} problems)`;
  return new SignalboxError('config', `${title}\n${lines.map((line) => `  ${line}`).join('\n')}`);
}
