import { isSignalboxError, SignalboxError } from '../../errors.ts';
import { fingerprintOf } from '../../internal/fingerprint.ts';
import type { Tags } from '../../protocol/completion.ts';
import type { CallKey } from '../../protocol/provider.ts';

/**
 * A key, or a function that returns the current key. The function is called for each attempt, so keys can be rotated
 * and short-lived tokens can be used. If it throws, the attempt fails with `auth`.
 */
type OneKey = string | (() => string | Promise<string>);

/**
 * A function with a parameter returns the key for a call with these tags, such as a customer's own key. The router tracks
 * the health and the limits of each key by its fingerprint. A call for which it returns none fails with `auth` at this
 * provider.
 */
type KeyFunction = (call: {
  /** The tags of router, tier, target and call; frozen. */
  readonly tags: Tags;
}) => string | undefined | Promise<string | undefined>;

/**
 * One key, a function of the call's tags, or a pool of keys. The router tracks the health of each key in a pool and
 * chooses one for each attempt.
 */
export type ApiKey = OneKey | KeyFunction | readonly OneKey[];

function isPool(setting: ApiKey | undefined): setting is readonly OneKey[] {
  return Array.isArray(setting);
}

/** Whether the key depends on the call's tags: the function has a parameter for them. */
function isKeyFunction(setting: ApiKey | undefined): setting is KeyFunction {
  return typeof setting === 'function' && setting.length > 0;
}

/** Passed to functions without a declared parameter. Their key counts as one, so it must not depend on tags. */
function withoutTags(path: string) {
  return {
    get tags(): Tags {
      throw new SignalboxError(
        'config',
        `${path}: the function reads tags, but declares no parameter; write ({ tags }) => …`,
      );
    },
  };
}

/** A key that a function returned for a call. The key is private, so that printing the object does not show it. */
class FoundKey implements CallKey {
  readonly fingerprint: string;
  readonly #key: string;

  constructor(key: string) {
    this.#key = key;
    this.fingerprint = fingerprintOf(key);
  }

  /** @throws SignalboxError `config` if another provider made it */
  static reveal(path: string, found: CallKey): string {
    if (#key in found) return found.#key;
    throw new SignalboxError('config', `${path}: the key of the call is not from this provider`);
  }
}

/** Most names of tags in a message. */
const maxNames = 10;

function namesOf(tags: Tags): string {
  const names = Object.keys(tags);
  if (names.length === 0) return 'for a call without tags';
  const more = names.length > maxNames ? ', …' : '';
  return `for a call with the tags ${names.slice(0, maxNames).join(', ')}${more}`;
}

/**
 * {@link Provider.keyFor} of an adapter with this setting; `undefined` if its key does not depend on tags. A promise only
 * when the function returns one.
 */
export function keyForOf(
  path: string,
  setting: ApiKey | undefined,
): ((tags: Tags) => CallKey | Promise<CallKey>) | undefined {
  if (!isKeyFunction(setting)) return undefined;
  const checked = (key: unknown, tags: Tags): CallKey => {
    if (typeof key === 'string' && key.trim() !== '') {
      return new FoundKey(checkSendable(path, key.trim()));
    }
    throw new SignalboxError('auth', `${path}: the function returned no key ${namesOf(tags)}`);
  };
  return (given) => {
    const tags = Object.freeze({ ...given });
    let key: ReturnType<KeyFunction>;
    try {
      key = setting({ tags });
    } catch (cause) {
      throw threw(path, cause);
    }
    if (!isThenable(key)) return checked(key, tags);
    return Promise.resolve(key).then(
      (found) => checked(found, tags),
      (cause: unknown) => {
        throw threw(path, cause);
      },
    );
  };
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value;
}

/** The function's own message may contain a key, so it is only in `cause`. */
function threw(path: string, cause: unknown): SignalboxError {
  return new SignalboxError('auth', `${path}: the function threw`, { cause });
}

/** The number of keys in the setting. */
export function keyCountOf(setting: ApiKey | undefined): number {
  return isPool(setting) ? setting.length : 1;
}

/** The setting, or else the first environment variable with a value. Blank values count as unset. */
function settingOrEnvironment(
  setting: string | undefined,
  variables: readonly string[],
): string | undefined {
  if (setting !== undefined && setting.trim() !== '') return setting.trim();
  for (const variable of variables) {
    const value = process.env[variable]?.trim();
    if (value !== undefined && value !== '') return value;
  }
  return undefined;
}

/** Calls the caller's function for the key. `path` is the setting, for error messages. */
async function callForKey(path: string, get: KeyFunction): Promise<string> {
  let key: unknown;
  try {
    key = await get(withoutTags(path));
  } catch (cause) {
    if (isSignalboxError(cause, 'config')) throw cause;
    throw threw(path, cause);
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

/** Which key to send. */
type KeyChoice = {
  /** Of the pool, from 0. */
  readonly index: number;
  /** The key of the attempt, if it depends on the call's tags. */
  readonly callKey?: CallKey | undefined;
};

/**
 * The key to send: that of the call, the key at `index` of a pool, the single key of the setting, or else the first environment variable
 * with a value. A promise only when a function returns the key.
 * @throws SignalboxError `auth` when the function throws or returns no key, or when a header cannot carry the key.
 */
export function optionalKey(
  path: string,
  setting: ApiKey | undefined,
  variables: readonly string[],
  { index, callKey }: KeyChoice,
): string | undefined | Promise<string> {
  if (callKey !== undefined) return FoundKey.reveal(path, callKey);
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
  choice: KeyChoice,
  withheld?: string,
): string | Promise<string> {
  const key = optionalKey(path, setting, variables, choice);
  if (key !== undefined) return key;
  throw noKey(path, variables, withheld);
}

function noKey(path: string, variables: readonly string[], withheld?: string): SignalboxError {
  const instead = variables.length === 0 ? '' : `, or the variable ${variables.join(' or ')}`;
  const why = withheld === undefined ? '' : ` (${withheld})`;
  return new SignalboxError('auth', `${path}: there is no key; set it${instead}${why}`);
}

/**
 * Where {@link currentKey} finds the key: a setting or an environment variable. Calls no function.
 * @throws SignalboxError `auth` when there is no key
 */
export function keySourceOf(
  path: string,
  setting: ApiKey | undefined,
  { names, withheld }: KeyVariables,
  index: number,
): string {
  const key = isPool(setting) ? setting[index] : setting;
  if (typeof key === 'function' || (key !== undefined && key.trim() !== '')) {
    return isPool(setting) ? `${path}[${index}]` : path;
  }
  const variables = isPool(setting) ? [] : names;
  const variable = variables.find((name) => (process.env[name]?.trim() ?? '') !== '');
  if (variable === undefined) throw noKey(path, names, withheld);
  return `the variable ${variable}`;
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

/** The environment variables that may be read for a key. */
export type KeyVariables = {
  readonly names: readonly string[];
  /** Why the variables are not read, for the error about the missing key. */
  readonly withheld?: string;
};

/** Whether the host is one of `hosts` or a subdomain of one. */
export function isHostOf(hostname: string, hosts: readonly string[]): boolean {
  return hosts
    .map((host) => host.toLowerCase())
    .some((host) => host !== '' && (hostname === host || hostname.endsWith(`.${host}`)));
}

/** Loopback hosts, used by test servers and local proxies. Requests do not leave this machine. */
function isThisMachine(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}

/**
 * Whether a credential from the environment may be sent to the URL: over TLS to one of its vendor's hosts at the
 * default port, or to this machine.
 */
export function mayGetAmbientKey(baseURL: string, hosts: readonly string[]): boolean {
  if (!URL.canParse(baseURL)) return false;
  const { protocol, hostname, port } = new URL(baseURL);
  if (isThisMachine(hostname)) return true;
  return protocol === 'https:' && port === '' && isHostOf(hostname, hosts);
}

/**
 * The variables to read for the key of a URL. A key from the environment belongs to its vendor, so other hosts get it
 * only if the caller sets it as `apiKey`. `baseURL` is the caller's setting; without it, requests go to the vendor.
 */
export function keyVariablesFor(
  baseURL: string | undefined,
  names: readonly string[],
  hosts: readonly string[] | 'any',
): KeyVariables {
  if (baseURL === undefined || names.length === 0 || hosts === 'any') return { names };
  if (mayGetAmbientKey(baseURL, hosts)) return { names };
  const variables = names.join(' or ');
  const withheld = `the variable ${variables} is only sent over https to ${hosts.join(', ')}, not to ${new URL(baseURL).origin}; to send it there, set it as the key`;
  return { names: [], withheld };
}
