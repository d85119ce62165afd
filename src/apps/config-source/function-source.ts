import { configError } from '../../config/problems.ts';
import { dataFlaws } from '../../internal/caller-data.ts';
import type { ConfigSource } from '../../protocol/config-source.ts';
import { checkInterval } from './check-arguments.ts';
import { checkDocument, documentError } from './parse-document.ts';
import { pollingSource } from './polling-source.ts';

const defaultEveryMs = 30_000;

export type FunctionSourceOptions = {
  /** Milliseconds between two calls. @default 30_000 */
  readonly everyMs?: number;
  /** The name in events and errors. @default 'function' */
  readonly name?: string;
};

/** A copy, because the caller may change its object later, without what is not the router's. */
function copyOf(data: unknown): unknown {
  if (typeof data !== 'object' || data === null) return data;
  // Flawed data cannot be copied. The router reports the flaws.
  if (dataFlaws(data).some(({ kind }) => kind !== 'name')) return data;
  const document: object = structuredClone(data);
  const problems = checkDocument(document, undefined);
  if (problems.length > 0) throw configError(problems);
  return document;
}

/**
 * A configuration that a function returns, such as the row of a database, for `router.follow`. The function returns plain
 * data, or `undefined` if nothing has changed. The signal aborts when the router stops following.
 */
export function functionSource(
  read: (context: { readonly signal: AbortSignal }) => unknown,
  { everyMs = defaultEveryMs, name = 'function' }: FunctionSourceOptions = {},
): ConfigSource {
  checkInterval('functionSource', everyMs);
  if (typeof read !== 'function') throw documentError('functionSource takes a function');
  return pollingSource(name, everyMs, () => ({
    read: async ({ signal }) => copyOf(await read({ signal })),
  }));
}
