import { SignalboxError } from '../errors.ts';
import { quoted, quotedList } from '../internal/quoted.ts';

/** @throws SignalboxError `config` that names the argument and what it must be. */
export function invalidArgument(path: string, wanted: string): SignalboxError {
  return new SignalboxError('config', `${path}: must be ${wanted}`);
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Holds that the options are an object without other names than these.
 * @throws SignalboxError `config`
 */
export function checkOptions(path: string, options: unknown, known: readonly string[]): void {
  if (!isObject(options)) throw invalidArgument(path, 'an object');
  const strange = Object.keys(options).find((name) => !known.includes(name));
  if (strange === undefined) return;
  const message = `${path}: there is no option ${quoted(strange)}; there is ${quotedList(known)}`;
  throw new SignalboxError('config', message);
}
