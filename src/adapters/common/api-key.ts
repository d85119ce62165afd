import { SignalboxError } from '../../errors.ts';
import { settingOrEnvironment } from './sdk.ts';

/**
 * A key, or a function that returns the current key. The function is called for each attempt, so keys can be rotated
 * and short-lived tokens can be used. If it throws, the attempt fails with `auth`.
 */
type OneKey = string | (() => string | Promise<string>);

/** One key, or a pool of keys. The router tracks the health of each key in a pool and chooses one for each attempt. */
export type ApiKey = OneKey | readonly OneKey[];

/** The number of keys in the setting. */
export function keyCountOf(setting: ApiKey | undefined): number {
  return isPool(setting) ? setting.length : 1;
}

function isPool(setting: ApiKey | undefined): setting is readonly OneKey[] {
  return Array.isArray(setting);
}

/** Calls the caller's function for the key. `path` is the setting, for error messages. */
async function callForKey(path: string, get: () => string | Promise<string>): Promise<string> {
  let key: unknown;
  try {
    key = await get();
  } catch (cause) {
    throw new SignalboxError('auth', `${path}: the function threw`, { cause });
  }
  if (typeof key === 'string' && key.trim() !== '') return key.trim();
  throw new SignalboxError('auth', `${path}: the function returned no key`);
}

/** The characters of a key that a header can carry. */
const sendable = /^[\x20-\x7e]*$/;

/** @throws SignalboxError `auth` when no header can carry the key. The message does not contain the key. */
function checkSendable(where: string, key: string): string {
  if (sendable.test(key)) return key;
  throw new SignalboxError(
    'auth',
    `${where}: contains a line break or another character that is not allowed in a header`,
  );
}

/**
 * The key to send: the key at `index` of a pool, the single key of the setting, or else the first environment variable
 * with a value. A promise only when a function returns the key.
 * @throws SignalboxError `auth` when the function throws or returns no key, or when a header cannot carry the key.
 */
export function optionalKey(
  path: string,
  setting: ApiKey | undefined,
  variables: readonly string[],
  index: number,
): string | undefined | Promise<string> {
  const key = isPool(setting) ? setting[index] : setting;
  const where = isPool(setting) ? `${path}[${index}]` : path;
  if (typeof key === 'function')
    return callForKey(where, key).then((found) => checkSendable(where, found));
  const found = settingOrEnvironment(key, isPool(setting) ? [] : variables);
  if (found === undefined) return undefined;
  const isOwn = key !== undefined && key.trim() === found;
  return checkSendable(isOwn ? where : `the variable ${variables.join(' or ')}`, found);
}

/**
 * {@link optionalKey} for a provider that requires a key. `withheld` is the reason why the environment's key is not
 * sent.
 * @throws SignalboxError `auth` with the names of the setting and the variable when there is no key.
 */
export function currentKey(
  path: string,
  setting: ApiKey | undefined,
  variables: readonly string[],
  index: number,
  withheld?: string,
): string | Promise<string> {
  const key = optionalKey(path, setting, variables, index);
  if (key !== undefined) return key;
  const instead = variables.length === 0 ? '' : `, or the variable ${variables.join(' or ')}`;
  const why = withheld === undefined ? '' : ` (${withheld})`;
  throw new SignalboxError('auth', `${path}: there is no key; set it${instead}${why}`);
}

/** Headers with names in lower case and trimmed values. A value read from a file may end with a line feed. */
export function headerTable(
  headers: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value.trim()]),
  );
}

/** Builds headers from a key. A promise only when the key is one. */
export function withKey(
  key: string | Promise<string>,
  make: (key: string) => Readonly<Record<string, string>>,
): Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>> {
  return typeof key === 'string' ? make(key) : key.then(make);
}
