import type * as z from 'zod';
import { SignalboxError } from '../errors.ts';
import { closest } from '../internal/closest.ts';

/** Something wrong with a configuration: where, and what to do. */
export type Problem = { readonly path: readonly PropertyKey[]; readonly message: string };

function formatPath(path: readonly PropertyKey[]): string {
  return (
    path
      .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
      .join('')
      .replace(/^\./, '')
      // A target is usually a string, and told as one even where it was read as an object.
      .replace(/(\.targets\[\d+\])\.target$/, '$1')
  );
}

/** A hint for a name that is not there: the one it was meant to be, or all that are. */
export function didYouMean(word: string, words: readonly string[]): string {
  const meant = closest(word, words);
  if (meant !== undefined) return `; did you mean "${meant}"?`;
  return words.length === 0 ? '' : `; there is ${words.map((each) => `"${each}"`).join(', ')}`;
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
    const meant = closest(key, known);
    const hint = meant === undefined ? '' : `; did you mean "${meant}"?`;
    return { path: [...issue.path, key], message: `unknown option${hint}` };
  });
}

/** One error that lists every problem with its path. */
export function configError(problems: readonly Problem[], what = 'configuration'): SignalboxError {
  const lines = problems.map(({ path, message }) => `${formatPath(path) || what}: ${message}`);
  const title =
    lines.length === 1 ? `invalid ${what}` : `invalid ${what} (${lines.length} problems)`;
  return new SignalboxError('config', `${title}\n${lines.map((line) => `  ${line}`).join('\n')}`);
}
