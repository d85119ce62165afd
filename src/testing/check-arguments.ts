import { SignalboxError } from '../errors.ts';
import { quoted, quotedList } from '../internal/quoted.ts';

/** A `config` error that names the argument and what it must be. */
export function invalidArgument(path: string, wanted: string): SignalboxError {
  return new SignalboxError('config', `${path}: must be ${wanted}`);
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Checks that the options are an object with known names only.
 * @throws SignalboxError `config`
 */
export function checkOptions(path: string, options: unknown, known: readonly string[]): void {
  if (!isObject(options)) throw invalidArgument(path, 'an object');
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const message = `${path}: unknown option ${quoted(unknown)}; known are ${quotedList(known)}`;
  throw new SignalboxError('config', message);
}
