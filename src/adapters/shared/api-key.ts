import { SignalboxError } from '../../errors.ts';
import { settingOrEnvironment } from './sdk.ts';

/**
 * A key, or a function that gives the current one: it is called for each attempt, so that keys can be renewed
 * and short-lived tokens used. When it fails, the attempt fails with `auth`.
 */
export type ApiKey = string | (() => string | Promise<string>);

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

/**
 * The key to send now, from the setting or else from the first of the environment variables that holds one.
 * @throws SignalboxError `auth` when the function fails or gives none.
 */
export async function optionalKey(
  path: string,
  setting: ApiKey | undefined,
  variables: readonly string[],
): Promise<string | undefined> {
  if (typeof setting === 'function') return ask(path, setting);
  return settingOrEnvironment(setting, variables);
}

/**
 * The same for a provider that needs one.
 * @throws SignalboxError `auth` that names the setting and the variable.
 */
export async function currentKey(
  path: string,
  setting: ApiKey | undefined,
  variables: readonly string[],
): Promise<string> {
  const key = await optionalKey(path, setting, variables);
  if (key !== undefined) return key;
  const instead = variables.length === 0 ? '' : `, or the variable ${variables.join(' or ')}`;
  throw new SignalboxError('auth', `${path}: there is no key; set it${instead}`);
}
