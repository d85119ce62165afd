import { SignalboxError } from '../../errors.ts';
import { settingOrEnvironment } from './sdk.ts';

/**
 * A function that gives the current key is called for each attempt, so that keys can be renewed
 * and short-lived tokens used. When it fails, the attempt fails with `auth`.
 */
type OneKey = string | (() => string | Promise<string>);

/** One key, or a pool of them: the router then keeps the health of each, and names the one to use. */
export type ApiKey = OneKey | readonly OneKey[];

/** How many keys the setting holds. */
export function keyCountOf(setting: ApiKey | undefined): number {
  return isPool(setting) ? setting.length : 1;
}

function isPool(setting: ApiKey | undefined): setting is readonly OneKey[] {
  return Array.isArray(setting);
}

/** Asks the caller's function for its secret; `path` is the setting that holds it. */
async function ask(path: string, give: () => string | Promise<string>): Promise<string> {
  let given: unknown;
  try {
    given = await give();
  } catch (cause) {
    throw new SignalboxError('auth', `${path}: the function failed`, { cause });
  }
  if (typeof given === 'string' && given.trim() !== '') return given.trim();
  throw new SignalboxError('auth', `${path}: the function gave no key`);
}

/** What a header can carry of every key there is; never told, since it is a secret. */
const sendable = /^[\x20-\x7e]*$/;

/** @throws SignalboxError `auth` when the key cannot be sent at all, which no retry would change. */
function checkSendable(where: string, key: string): string {
  if (sendable.test(key)) return key;
  throw new SignalboxError(
    'auth',
    `${where}: holds a line break or another character that no key has and no header can carry`,
  );
}

/**
 * The key to send now, the one of that index in a pool, from the setting or else from the first of the
 * environment variables that holds one. At once, unless a function gives it.
 * @throws SignalboxError `auth` when the function fails or gives none, or the key cannot be sent.
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
    return ask(where, key).then((given) => checkSendable(where, given));
  const found = settingOrEnvironment(key, isPool(setting) ? [] : variables);
  if (found === undefined) return undefined;
  const isOwn = key !== undefined && key.trim() === found;
  return checkSendable(isOwn ? where : `the variable ${variables.join(' or ')}`, found);
}

/**
 * The same for a provider that needs one. `withheld` says why the environment's is not sent.
 * @throws SignalboxError `auth` that names the setting and the variable.
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

/** Headers as the guard wants them: names in lower case, and no line feed behind a value that was read from a file. */
export function headerTable(
  headers: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value.trim()]),
  );
}

/** The headers that `make` makes of a key; at once where the key is there at once. */
export function withKey(
  key: string | Promise<string>,
  make: (key: string) => Readonly<Record<string, string>>,
): Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>> {
  return typeof key === 'string' ? make(key) : key.then(make);
}
