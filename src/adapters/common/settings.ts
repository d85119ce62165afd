import { SignalboxError } from '../../errors.ts';
import { everyElement } from '../../internal/every-element.ts';
import { shortened } from '../../internal/quoted.ts';
import type { TransportSettings } from '../../transport/guarded-fetch.ts';
import { isDispatcher } from '../../transport/undici/dispatcher.ts';

/** With a name and password inside, `fetch` refuses it. */
function isHttpUrl(value: unknown): boolean {
  if (typeof value !== 'string' || !URL.canParse(value)) return false;
  const { protocol, username, password } = new URL(value);
  return /^https?:$/.test(protocol) && username === '' && password === '';
}

/** What HTTP takes for a header: RFC 9110, sections 5.1 and 5.5. */
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

const kinds = {
  string: { accepts: (value: unknown) => typeof value === 'string', wants: 'a string' },
  url: {
    accepts: isHttpUrl,
    wants: 'a whole URL that starts with http:// or https://, without a name and password',
  },
  headers: {
    accepts: isHeaders,
    wants: 'an object of header names and string values that HTTP can carry',
  },
  key: {
    accepts: (value: unknown) =>
      Array.isArray(value) ? value.length > 0 && everyElement(value, isKey) : isKey(value),
    wants: 'a string, a function that gives one, or a list of these with something in it',
  },
  function: { accepts: (value: unknown) => typeof value === 'function', wants: 'a function' },
  dispatcher: { accepts: isDispatcher, wants: 'a dispatcher of undici, such as an Agent' },
  bytes: {
    accepts: (value: unknown) => Number.isSafeInteger(value) && Number(value) > 0,
    wants: 'a whole number of bytes, 1 at least',
  },
  object: {
    accepts: (value: unknown) => typeof value === 'object' && value !== null,
    wants: 'an object',
  },
} as const;

/** The bound of an answer, which every factory takes; beside a client of the caller's, too. */
export type AnswerSettings = {
  /**
   * Most bytes of one answer, after decompression. A vendor that sends more is cut off, and the attempt fails as
   * `invalid_response`; so does one whose answer would take several times that in memory.
   * @default 67 108 864 (64 MB)
   */
  readonly maxAnswerBytes?: number | undefined;
};

export const answerShape = { maxAnswerBytes: 'bytes' } as const;

/** What a provider says of the bound that its factory was given. */
export function answerBoundOf({ maxAnswerBytes }: AnswerSettings): { maxAnswerBytes?: number } {
  return maxAnswerBytes === undefined ? {} : { maxAnswerBytes };
}

/** Which settings stand beside a client that the caller made, which has them itself. */
export function besideClient(settings: object, allowed: readonly string[]): readonly string[] {
  return Object.entries(settings)
    .filter(([name, value]) => value !== undefined && !allowed.includes(name))
    .map(([name]) => name);
}

/** The settings of who sends the requests. */
export const transportShape = { fetch: 'function', dispatcher: 'dispatcher' } as const;

/** A kind of a factory's own. */
export type OwnKind = { readonly accepts: (value: unknown) => boolean; readonly wants: string };

/** What a setting must be: a kind, or one of the words listed. */
export type SettingKind = keyof typeof kinds | OwnKind | readonly string[];

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

/**
 * What is wrong with the fields of an object, each problem with its path below `path`. `undefined` counts as left
 * out; values are never told.
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
          ? `unknown setting; known are ${Object.keys(shape).join(', ')}`
          : problemOf(value, kind);
      return problem === undefined ? [] : [`${path}.${shortened(name)}: ${problem}`];
    });
}

/**
 * Checks what a factory was given. `undefined` counts as left out.
 * @throws SignalboxError `config` that names every setting in error by its path, and never its value.
 */
export function checkSettings(
  factory: string,
  settings: unknown,
  shape: Readonly<Record<string, SettingKind>>,
): void {
  if (typeof settings !== 'object' || settings === null || Array.isArray(settings)) {
    throw new SignalboxError('config', `${factory}(): settings must be an object`);
  }
  const problems = [...fieldProblems(`${factory}()`, settings, shape)];
  const { fetch, dispatcher }: TransportSettings = settings;
  if (fetch !== undefined && dispatcher !== undefined) {
    problems.push(`${factory}().dispatcher: cannot be set beside fetch, which has its own`);
  }
  if (problems.length > 0) throw settingsError(problems);
}

/** An error lists no more problems than these; the others are counted. */
const maxListedProblems = 100;

/** One error that lists the problems. */
export function settingsError(problems: readonly string[]): SignalboxError {
  const lines = problems.slice(0, maxListedProblems);
  const more = problems.length - lines.length;
  if (more > 0) lines.push(`and ${more} more`);
  return new SignalboxError('config', lines.join('\n'));
}
