import type { ConfigSource } from '../../protocol/config-source.ts';
import { checkInterval } from './check-arguments.ts';
import { documentError, documentOfData } from './parse-document.ts';
import { pollingSource } from './polling-source.ts';

const defaultEveryMs = 30_000;

export type FunctionSourceOptions = {
  /** Milliseconds between two calls. @default 30_000 */
  readonly everyMs?: number;
  /** The name in events and errors. @default 'function' */
  readonly name?: string;
};

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
    async read({ signal }) {
      const data: unknown = await read({ signal });
      return data === undefined ? undefined : documentOfData(data);
    },
  }));
}
