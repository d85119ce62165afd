import type * as z from 'zod';
import { dataFlaws } from '../internal/caller-data.ts';
import { complianceForm, isCompliance } from '../internal/compliance.ts';
import { quoted } from '../internal/quoted.ts';
import type { CallOptions } from '../protocol/call-options.ts';
import type { FollowOptions } from '../protocol/config-source.ts';
import { issueMessage } from '../validation/wording.ts';
import { defaults } from './defaults.ts';
import {
  callOptionsSchema,
  closeOptionsSchema,
  demoteOptionsSchema,
  embedOptionsSchema,
  feedbackSchema,
  followOptionsSchema,
  imageOptionsSchema,
} from './option-schemas.ts';
import { configError, describeIssue, flawProblems, type Problem } from './problems.ts';
import type { ResolvedConfig, ResolvedTier } from './resolve.ts';
import { homes, knownCallKeys } from './schema.ts';

/** The schema of each kind of call. */
const optionSchemas = {
  chat: callOptionsSchema,
  embed: embedOptionsSchema,
  image: imageOptionsSchema,
} as const;

/**
 * Whether each option is known and valid. Faster than the whole schema, which checks thirty options where a call has
 * one or two. The whole schema runs only to describe the problems.
 */
function areValid(shape: Readonly<Record<string, z.ZodType>>, options: object): boolean {
  return Object.entries(options).every(
    ([key, value]) => Object.hasOwn(shape, key) && shape[key]?.safeParse(value).success === true,
  );
}

/** Structural problems (cycles, depth) of the options that contain arbitrary data. */
function findStructuralProblems({ providerOptions, tags }: CallOptions): readonly Problem[] {
  if (providerOptions === undefined && tags === undefined) return [];
  return flawProblems([
    ...dataFlaws({ providerOptions }),
    ...dataFlaws({ tags }).filter(({ kind }) => kind !== 'bigint'),
  ]);
}

/** Provider names in the options that are not configured. */
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
 * Validates the options of one call and returns them.
 * @throws SignalboxError `config` that lists every problem.
 */
export function checkCallOptions(
  options: CallOptions,
  providers: ReadonlyMap<string, unknown>,
  task: keyof typeof optionSchemas = 'chat',
): CallOptions {
  if (typeof options !== 'object' || options === null) {
    throw configError([{ path: [], message: 'must be an object' }], 'options');
  }
  const flaws = findStructuralProblems(options);
  if (flaws.length > 0) throw configError(flaws, 'options');
  const schema = optionSchemas[task]();
  const isValid = areValid(schema.shape, options);
  const issues = isValid
    ? []
    : (schema.safeParse(options, { error: issueMessage }).error?.issues ?? []);
  const problems = [
    ...issues.flatMap((issue) =>
      describeIssue(issue, (path) => knownCallKeys(schema.shape, path), homes),
    ),
    ...unknownProviders(options, providers),
  ];
  if (problems.length > 0) throw configError(problems, 'options');
  return options;
}

/** @throws SignalboxError `config` that lists every problem. */
function parseOptions<Schema extends z.ZodObject>(
  schema: Schema,
  options: unknown,
  what: string,
): z.output<Schema> {
  const parsed = schema.safeParse(options, { error: issueMessage });
  if (parsed.success) return parsed.data;
  const known = Object.keys(schema.shape);
  throw configError(
    parsed.error.issues.flatMap((issue) => describeIssue(issue, () => known)),
    what,
  );
}

/**
 * How long `close` waits for running calls, in milliseconds. @default 0
 * @throws SignalboxError `config` for anything but `{ drainMs }`.
 */
export function drainMsOf(options: unknown = {}): number {
  return parseOptions(closeOptionsSchema(), options, 'close').drainMs ?? 0;
}

/**
 * The weight of a demoted target. @default 0
 * @throws SignalboxError `config` for anything but `{ weight }`.
 */
export function demotedWeightOf(options: unknown = {}): number {
  return parseOptions(demoteOptionsSchema(), options, 'demote').weight ?? defaults.demotedWeight;
}

/**
 * Validates the arguments of `feedback` and returns them.
 * @throws SignalboxError `config`
 */
export function checkFeedback(callId: unknown, feedback: unknown) {
  if (typeof callId !== 'string') {
    const message = 'must be the callId of a completion';
    throw configError([{ path: ['callId'], message }], 'feedback');
  }
  return { callId, ...parseOptions(feedbackSchema(), feedback, 'feedback') };
}

/**
 * Validates the arguments of `follow` and returns its options.
 * @throws SignalboxError `config`
 */
export function checkFollow(source: unknown, options: unknown = {}): FollowOptions {
  const isSource =
    typeof source === 'object' &&
    source !== null &&
    typeof Reflect.get(source, 'name') === 'string' &&
    typeof Reflect.get(source, 'run') === 'function';
  if (!isSource) {
    const message = 'must be a source, such as fileSource() of signalbox/config';
    throw configError([{ path: ['source'], message }], 'follow');
  }
  // The schema has only options of the type, with `undefined` for those that are not set.
  return parseOptions(followOptionsSchema(), options, 'follow') as FollowOptions;
}

/**
 * Returns the tier with the given name.
 * @throws SignalboxError `config` that lists the configured tiers.
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

/** Rejects NaN and the like, which would disable the bound. */
function isBound(value: unknown): boolean {
  return value === undefined || (Number.isSafeInteger(value) && Number(value) > 0);
}

/** Bounds the work per call: each key of a pool is a candidate in every call. */
const maxKeyCount = 1_000;

function isKeyCount(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= maxKeyCount;
}

const providerMembers = ['capabilities', 'preload', 'prepare'] as const;

/** All problems of the providers, to be reported together with those of the routing data. */
export function providerProblems(providers: unknown): readonly Problem[] {
  const entries =
    typeof providers === 'object' && providers !== null ? Object.entries(providers) : [];
  const problems: Problem[] = [];
  if (entries.length === 0) {
    problems.push({
      path: ['providers'],
      message: 'must contain at least one provider, such as openai()',
    });
  }
  for (const [name, provider] of entries) {
    const path = ['providers', name];
    if (name === '' || name.includes('/')) {
      problems.push({ path, message: 'a provider name must not be empty or contain a slash' });
    }
    if (name === '__proto__') {
      problems.push({ path, message: 'a provider must not be named "__proto__"' });
    }
    const isProvider =
      typeof provider === 'object' &&
      provider !== null &&
      providerMembers.every((member) => typeof Reflect.get(provider, member) === 'function');
    if (!isProvider) {
      problems.push({
        path,
        message: 'must be a provider: call its function, such as openai()',
      });
    } else if (!isBound(Reflect.get(provider, 'maxAnswerBytes'))) {
      const message = 'must be a positive integer (bytes)';
      problems.push({ path: [...path, 'maxAnswerBytes'], message });
    }
    const compliance: unknown = isProvider ? Reflect.get(provider, 'compliance') : undefined;
    if (compliance !== undefined && !isCompliance(compliance)) {
      problems.push({ path: [...path, 'compliance'], message: `must be ${complianceForm}` });
    }
    const keyCount: unknown = isProvider ? Reflect.get(provider, 'keyCount') : undefined;
    if (keyCount !== undefined && !isKeyCount(keyCount)) {
      problems.push({ path, message: `keyCount must be an integer from 1 to ${maxKeyCount}` });
    }
  }
  return problems;
}
