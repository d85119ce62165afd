import { SignalboxError } from '../../errors.ts';
import { everyElement } from '../../internal/caller-data.ts';
import { closest } from '../../internal/closest.ts';
import { complianceForm, isCompliance } from '../../internal/compliance.ts';
import { own } from '../../internal/own.ts';
import { quoted, shortened } from '../../internal/quoted.ts';
import type { Provider } from '../../protocol/provider.ts';
import type { Compliance } from '../../protocol/requires.ts';
import { isDispatcher } from '../../transport/dispatch.ts';
import type { TransportSettings } from '../../transport/guarded-fetch.ts';

/** URLs with a user name or password are not accepted, because `fetch` rejects them. */
function isHttpUrl(value: unknown): boolean {
  if (typeof value !== 'string' || !URL.canParse(value)) return false;
  const { protocol, username, password } = new URL(value);
  return /^https?:$/.test(protocol) && username === '' && password === '';
}

/** Valid header names and values: RFC 9110, sections 5.1 and 5.5. */
const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const headerValue = /^[\t\x20-\x7e\x80-\xff]*$/;

function isHeaders(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.entries(value).every(
      ([name, each]) => headerName.test(name) && typeof each === 'string' && headerValue.test(each),
    )
  );
}

function isKey(value: unknown): value is string | (() => unknown) {
  return typeof value === 'string' || typeof value === 'function';
}

/** A function of tags chooses the key itself, so it cannot be one key of a pool. */
function isPoolKey(value: unknown): value is string | (() => unknown) {
  return isKey(value) && (typeof value === 'string' || value.length === 0);
}

const kinds = {
  string: { accepts: (value: unknown) => typeof value === 'string', wants: 'a string' },
  url: {
    accepts: isHttpUrl,
    wants: 'an absolute URL that starts with http:// or https://, without user name and password',
  },
  headers: {
    accepts: isHeaders,
    wants: 'an object with valid HTTP header names and string values',
  },
  key: {
    accepts: (value: unknown) =>
      Array.isArray(value) ? value.length > 0 && everyElement(value, isPoolKey) : isKey(value),
    wants:
      'a string, a function that returns one, or a non-empty list of strings and functions without parameters',
  },
  function: { accepts: (value: unknown) => typeof value === 'function', wants: 'a function' },
  dispatcher: { accepts: isDispatcher, wants: 'an undici dispatcher, such as an Agent' },
  bytes: {
    accepts: (value: unknown) => Number.isSafeInteger(value) && Number(value) > 0,
    wants: 'a whole number of bytes, at least 1',
  },
  compliance: { accepts: isCompliance, wants: complianceForm },
  object: {
    accepts: (value: unknown) => typeof value === 'object' && value !== null,
    wants: 'an object',
  },
} as const;

/** The settings of every provider factory, also together with `client`. */
export type ProviderSettings = {
  /**
   * The most bytes of one answer, after decompression. If a vendor sends more, the connection is closed and the attempt
   * fails with `invalid_response`. It also fails if the parsed answer would take several times that amount of memory.
   * @default 67 108 864 (64 MB)
   */
  readonly maxAnswerBytes?: number | undefined;
  /** What you declare of the vendor, for `requires` of tiers and calls. The router does not check it. @default nothing */
  readonly compliance?: Compliance | undefined;
};

export const providerShape = { maxAnswerBytes: 'bytes', compliance: 'compliance' } as const;

/** The settings as fields of the provider. Empty when they are not set. */
export function providerFieldsOf({
  maxAnswerBytes,
  compliance,
}: ProviderSettings): Pick<Provider, keyof ProviderSettings> {
  return {
    ...(maxAnswerBytes !== undefined && { maxAnswerBytes }),
    ...(compliance !== undefined && { compliance: { ...compliance } }),
  };
}

/** The names of settings that conflict with `client`, because the client has its own. */
export function clientConflicts(settings: object, allowed: readonly string[]): readonly string[] {
  return Object.entries(settings)
    .filter(([name]) => !allowed.includes(name) && !Object.hasOwn(providerShape, name))
    .filter(([, value]) => value !== undefined)
    .map(([name]) => name);
}

export const transportShape = {
  fetch: 'function',
  dispatcher: 'dispatcher',
  onSend: 'function',
} as const;

/** How requests are sent, of all settings of a factory. */
export function transportOf({ fetch, dispatcher, onSend }: TransportSettings): TransportSettings {
  return { fetch, dispatcher, onSend };
}

/** A kind of setting defined by a factory. */
export type CustomKind = { readonly accepts: (value: unknown) => boolean; readonly wants: string };

/** What a setting must be: a kind, or one of the listed words. */
export type SettingKind = keyof typeof kinds | CustomKind | readonly string[];

function isWords(kind: SettingKind): kind is readonly string[] {
  return Array.isArray(kind);
}

function problemOf(value: unknown, kind: SettingKind): string | undefined {
  if (isWords(kind)) {
    if (typeof value === 'string' && kind.includes(value)) return undefined;
    return `must be ${kind.map((word) => `'${word}'`).join(' or ')}`;
  }
  const { accepts, wants } = typeof kind === 'string' ? kinds[kind] : kind;
  return accepts(value) ? undefined : `must be ${wants}`;
}

/** Names that settings have elsewhere, in lower case and without underscores, and their names here. */
const habits: Readonly<Record<string, string>> = {
  key: 'apiKey',
  apitoken: 'apiKey',
  authtoken: 'apiKey',
  bearertoken: 'token',
  endpoint: 'baseURL',
  url: 'baseURL',
  host: 'baseURL',
  apibase: 'baseURL',
  basepath: 'baseURL',
  defaultheaders: 'headers',
  extraheaders: 'headers',
  customheaders: 'headers',
  httpagent: 'dispatcher',
  agent: 'dispatcher',
  proxy: 'dispatcher',
  resourcename: 'resource',
  projectid: 'project',
  region: 'location',
  version: 'apiVersion',
  openai: 'client',
  anthropic: 'client',
  sdk: 'client',
};

/** Settings of vendors' SDKs that are options of the router here. */
const elsewhere: Readonly<Record<string, string>> = {
  timeout: 'timeouts are set by a tier or a call: timeouts.totalMs, timeouts.firstTokenMs',
  timeoutms: 'timeouts are set by a tier or a call: timeouts.totalMs, timeouts.firstTokenMs',
  maxretries: 'retries are set by a tier or a call: retry.attempts',
  retries: 'retries are set by a tier or a call: retry.attempts',
  model: 'a model is part of a target: "<provider>/<model>" in a tier',
  models: 'a model is part of a target: "<provider>/<model>" in a tier',
  temperature: 'it is an option of a tier, a target or a call',
  maxtokens: 'maxOutputTokens is an option of a tier, a target or a call',
  limits: 'limits of a provider are in providerLimits of the router',
};

/** What to do about an unknown setting. */
function adviceFor(name: string, known: readonly string[]): string {
  const habit = name.toLowerCase().replaceAll(/[_-]/g, '');
  const advice = own(elsewhere, habit);
  if (advice !== undefined) return advice;
  const usual = own(habits, habit);
  const meant = usual !== undefined && known.includes(usual) ? usual : closest(name, known);
  return meant === undefined
    ? `the known settings are ${known.join(', ')}`
    : `did you mean ${quoted(meant)}?`;
}

/**
 * Checks the fields of an object. Each problem starts with the field's path below `path`. `undefined` counts as unset.
 * Problems never contain values, which may be secrets.
 */
export function fieldProblems(
  path: string,
  fields: object,
  shape: Readonly<Record<string, SettingKind>>,
): readonly string[] {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .flatMap(([name, value]) => {
      const kind = Object.hasOwn(shape, name) ? shape[name] : undefined;
      const problem =
        kind === undefined
          ? `unknown setting; ${adviceFor(name, Object.keys(shape))}`
          : problemOf(value, kind);
      return problem === undefined ? [] : [`${path}.${shortened(name)}: ${problem}`];
    });
}

/** Whether the object was made by a class, as the clients of SDKs are. */
function isInstance(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype !== null && Object.getPrototypeOf(prototype) !== null;
}

/**
 * Checks the settings of a factory. `undefined` counts as unset.
 * @throws SignalboxError `config` that lists every invalid setting by its path, without its value.
 */
export function checkSettings(
  factory: string,
  settings: unknown,
  shape: Readonly<Record<string, SettingKind>>,
): void {
  if (typeof settings !== 'object' || settings === null || Array.isArray(settings)) {
    throw new SignalboxError('config', `${factory}(): settings must be an object`);
  }
  const isUnknown = (name: string): boolean => !Object.hasOwn(shape, name);
  if (isInstance(settings) && Object.keys(settings).some(isUnknown)) {
    const advice = Object.hasOwn(shape, 'client') ? '; pass a client as { client }' : '';
    const message = `${factory}(): settings must be a plain object, not an instance of a class${advice}`;
    throw new SignalboxError('config', message);
  }
  const problems = [...fieldProblems(`${factory}()`, settings, shape)];
  const { fetch, dispatcher }: TransportSettings = settings;
  if (fetch !== undefined && dispatcher !== undefined) {
    problems.push(`${factory}().dispatcher: cannot be set together with fetch, which has its own`);
  }
  if (problems.length > 0) throw settingsError(problems);
}

/** The most problems listed in one error. The others are only counted. */
const maxListedProblems = 100;

export function settingsError(problems: readonly string[]): SignalboxError {
  const lines = problems.slice(0, maxListedProblems);
  const more = problems.length - lines.length;
  if (more > 0) lines.push(`and ${more} more`);
  return new SignalboxError('config', lines.join('\n'));
}
