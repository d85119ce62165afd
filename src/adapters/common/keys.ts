import { SignalboxError } from '../../errors.ts';

/**
 * A key, or a function that returns the current key. The function is called for each attempt, so keys can be rotated
 * and short-lived tokens can be used. If it throws, the attempt fails with `auth`.
 */
type OneKey = string | (() => string | Promise<string>);

/** One key, or a pool of keys. The router tracks the health of each key in a pool and chooses one for each attempt. */
export type ApiKey = OneKey | readonly OneKey[];

function isPool(setting: ApiKey | undefined): setting is readonly OneKey[] {
  return Array.isArray(setting);
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
