import type * as z from 'zod';
import { dataFlaws } from '../internal/data-flaws.ts';
import { quoted } from '../internal/quoted.ts';
import type { CallOptions } from '../protocol/call-options.ts';
import {
  callOptionsSchema,
  closeOptionsSchema,
  embedOptionsSchema,
  imageOptionsSchema,
} from './option-schemas.ts';
import { configError, describeIssue, flawProblems, type Problem } from './problems.ts';
import type { ResolvedConfig, ResolvedTier } from './resolve.ts';
import { knownCallKeys } from './schema.ts';

/** The options of each kind of call. */
const optionSchemas = {
  chat: callOptionsSchema,
  embed: embedOptionsSchema,
  image: imageOptionsSchema,
} as const;

/**
 * Whether each option is known and right by itself. A call has one or two of them, where the whole schema, which is
 * needed to say what is wrong, looks for thirty.
 */
function areRight(shape: Readonly<Record<string, z.ZodType>>, options: object): boolean {
  return Object.entries(options).every(
    ([key, value]) => Object.hasOwn(shape, key) && shape[key]?.safeParse(value).success === true,
  );
}

/** What is wrong with the structure of the options that hold data of the caller's own making. */
function flawsOf({ providerOptions, tags }: CallOptions): readonly Problem[] {
  if (providerOptions === undefined && tags === undefined) return [];
  return flawProblems([
    ...dataFlaws({ providerOptions }),
    ...dataFlaws({ tags }).filter(({ kind }) => kind !== 'bigint'),
  ]);
}

/** What is wrong with the names of providers that the options hold. */
function unknownProviders(
  { providerOptions, route }: CallOptions,
  providers: ReadonlyMap<string, unknown>,
): readonly Problem[] {
  let known: readonly string[] | undefined;
  const problem = (path: readonly PropertyKey[], provider: string): Problem => {
    known ??= [...providers.keys()];
    const hint = { name: provider, known, otherwise: 'list' } as const;
    return { path, message: `provider ${quoted(provider)} is not configured`, hint };
  };
  const problems = Object.keys(providerOptions ?? {})
    .filter((key) => !providers.has(key))
    .map((key) => problem(['providerOptions', key], key));
  for (const list of ['only', 'ignore', 'order'] as const) {
    const names: unknown = route?.[list];
    for (const [index, name] of (Array.isArray(names) ? names : []).entries()) {
      if (typeof name !== 'string') continue;
      const provider = name.split('/')[0] ?? name;
      if (!providers.has(provider)) problems.push(problem(['route', list, index], provider));
    }
  }
  return problems;
}

/**
 * The options of one call, or an error that lists all that is wrong with them.
 * @throws SignalboxError `config`
 */
export function checkCallOptions(
  options: CallOptions,
  providers: ReadonlyMap<string, unknown>,
  task: keyof typeof optionSchemas = 'chat',
): CallOptions {
  if (typeof options !== 'object' || options === null) {
    throw configError([{ path: [], message: 'must be an object' }], 'options');
  }
  const flaws = flawsOf(options);
  if (flaws.length > 0) throw configError(flaws, 'options');
  const schema = optionSchemas[task]();
  const isRight = areRight(schema.shape, options);
  const issues = isRight ? [] : (schema.safeParse(options).error?.issues ?? []);
  const problems = [
    ...issues.flatMap((issue) => describeIssue(issue, knownCallKeys(schema.shape, issue.path))),
    ...unknownProviders(options, providers),
  ];
  if (problems.length > 0) throw configError(problems, 'options');
  return options;
}

/**
 * How long a closing router waits, in milliseconds. @default 0
 * @throws SignalboxError `config` for anything but `{ drainMs }`.
 */
export function drainMsOf(options: unknown = {}): number {
  const { data, error } = closeOptionsSchema().safeParse(options);
  if (data !== undefined) return data.drainMs ?? 0;
  const known = Object.keys(closeOptionsSchema().shape);
  throw configError(
    error.issues.flatMap((issue) => describeIssue(issue, known)),
    'close',
  );
}

/**
 * The tier of that name.
 * @throws SignalboxError `config` that says which there are.
 */
export function findTier(config: ResolvedConfig, name: string): ResolvedTier {
  const tier = config.tiers.get(name);
  if (tier !== undefined) return tier;
  const known = [...config.tiers.keys()];
  const hint = { name: typeof name === 'string' ? name : '', known, otherwise: 'list' } as const;
  throw configError(
    [{ path: ['tier'], message: `there is no tier ${quoted(name)}`, hint }],
    'call',
  );
}

/** A bound that is no number would be none. */
function isBound(value: unknown): boolean {
  return value === undefined || (Number.isSafeInteger(value) && Number(value) > 0);
}

/** Each key of a pool is a candidate in every call. */
const maxKeyCount = 1_000;

function isKeyCount(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= maxKeyCount;
}

const providerMembers = ['capabilities', 'preload', 'prepare'] as const;

/** What is wrong with the providers; all of it, to be told along with the rest of the configuration. */
export function providerProblems(providers: unknown): readonly Problem[] {
  const entries =
    typeof providers === 'object' && providers !== null ? Object.entries(providers) : [];
  const problems: Problem[] = [];
  if (entries.length === 0) {
    problems.push({
      path: ['providers'],
      message: 'at least one provider is needed, such as openai()',
    });
  }
  for (const [name, provider] of entries) {
    const path = ['providers', name];
    if (name === '' || name.includes('/')) {
      problems.push({ path, message: 'a name must not be empty or hold a slash' });
    }
    if (name === '__proto__') {
      problems.push({ path, message: 'no provider can be called "__proto__"' });
    }
    const isProvider =
      typeof provider === 'object' &&
      provider !== null &&
      providerMembers.every((member) => typeof Reflect.get(provider, member) === 'function');
    if (!isProvider) {
      problems.push({
        path,
        message: 'must be a provider, such as openai(), called with parentheses',
      });
    } else if (!isBound(Reflect.get(provider, 'maxAnswerBytes'))) {
      const message = 'must be a whole number of bytes, 1 at least';
      problems.push({ path: [...path, 'maxAnswerBytes'], message });
    }
    const keyCount: unknown = isProvider ? Reflect.get(provider, 'keyCount') : undefined;
    if (keyCount !== undefined && !isKeyCount(keyCount)) {
      problems.push({ path, message: `keyCount must be a whole number from 1 to ${maxKeyCount}` });
    }
  }
  return problems;
}
