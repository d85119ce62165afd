import { SignalboxError } from '../../errors.ts';
import { dataFlaws, everyElement, maxDataDepth } from '../../internal/caller-data.ts';
import { type Defined, withoutUndefined } from '../../internal/own.ts';
import type { Provider } from '../../protocol/provider.ts';
import { isObject } from '../../wires/common/read.ts';
import {
  type CustomKind,
  checkSettings,
  fieldProblems,
  type SettingKind,
  settingsError,
} from '../common/settings.ts';
import {
  type ChatDialect,
  type ChatQuirks,
  chatProvider,
  compatibleCapabilities,
  compatibleDialect,
} from '../openai-chat/index.ts';
import {
  connectionShape,
  type OpenAIConnectionSettings,
  openAIConnection,
} from '../openai-shared/openai-client.ts';
import type { Profile, ProfileName } from './profile.ts';
import { profiles } from './profiles.ts';

export type { ApiKey } from '../common/keys.ts';
export type { ChatQuirks, ModelQuirks } from '../openai-chat/index.ts';
export type { OpenAIClient, OpenAIConnectionSettings } from '../openai-shared/openai-client.ts';
export type { ModelCapabilities, Profile, ProfileName } from './profile.ts';

/** How to connect to a vendor of Chat Completions: with a key, or through a client you created. */
export type CompatibleSettings = OpenAIConnectionSettings & {
  /** The vendor's name in price lists. @default that of the profile */
  readonly priceList?: string | undefined;
};

/** {@link CompatibleSettings} with the profile of the vendor. */
export type OpenAICompatibleSettings = CompatibleSettings & {
  /** The quirks of the vendor: the name of a built-in profile, or your own profile. */
  readonly profile: ProfileName | Profile;
};

/** The provider function of one vendor, with its built-in profile. */
export function preset(name: ProfileName): (settings?: CompatibleSettings) => Provider {
  return (settings = {}) => {
    checkSettings(name, settings, settingsShape);
    return compatibleProvider(name, settings, readProfile(name, name));
  };
}

/**
 * Any vendor or server that is compatible with Chat Completions, with its quirks as a profile: a built-in one by name,
 * or your own. The functions of vendors (`mistral()`, `groq()`, …) call this with their profile.
 *
 * Loads the package `openai` at the first call. The only environment variables it reads are the profile's
 * `keyVariables`. A missing key fails the call with an `auth` error, so that other targets can still answer.
 *
 * @throws SignalboxError `config` when a setting is unknown or malformed.
 */
export function openaiCompatible(settings: OpenAICompatibleSettings): Provider {
  checkSettings('openaiCompatible', settings, { ...settingsShape, profile: anything });
  const { profile, ...rest } = settings;
  return compatibleProvider('openaiCompatible', rest, readProfile('openaiCompatible', profile));
}

/** The dialect of one model. Its quirks override those of the vendor. */
function dialectOf(profile: Defined<Profile>, model: string): ChatDialect {
  const {
    baseURL: _baseURL,
    keyVariables: _keyVariables,
    keyHosts: _keyHosts,
    authHeader: _authHeader,
    priceList: _priceList,
    capabilities: _capabilities,
    modelCapabilities: _modelCapabilities,
    maxEmbeddingBatch: _maxEmbeddingBatch,
    maxEmbeddingTokens: _maxEmbeddingTokens,
    models = [],
    ...quirks
  } = profile;
  quirks satisfies Partial<ChatQuirks>;
  return compatibleDialect({ ...quirks, ...matching(models, model)?.quirks }, model);
}

/** The first row whose pattern matches. Uses `search`, because `test` is stateful for patterns with the flag `g`. */
function matching<Row extends { readonly pattern: RegExp }>(
  rows: readonly Row[],
  model: string,
): Row | undefined {
  return rows.find(({ pattern }) => model.search(pattern) >= 0);
}

/** A profile without hosts may send its key to any URL that the caller sets. */
function keyHostsOf({ baseURL, keyHosts }: Profile): readonly string[] | 'any' {
  if (baseURL === undefined) return keyHosts ?? 'any';
  return [new URL(baseURL).hostname, ...(keyHosts ?? [])];
}

function compatibleProvider(
  factory: string,
  settings: CompatibleSettings,
  profile: Defined<Profile>,
): Provider {
  const { priceList = profile.priceList, ...connectionSettings } = settings;
  const { baseURL, keyVariables = [], authHeader } = profile;
  const { capabilities = compatibleCapabilities, modelCapabilities = [] } = profile;
  const { maxEmbeddingBatch, maxEmbeddingTokens } = profile;
  const hasURL = settings.client !== undefined || settings.baseURL !== undefined;
  if (!hasURL && baseURL === undefined) {
    throw new SignalboxError(
      'config',
      `${factory}().baseURL: is missing, and the profile has none`,
    );
  }
  const connection = openAIConnection(factory, connectionSettings, {
    key: keyVariables.length > 0 ? 'required' : 'optional',
    keyVariables,
    keyHosts: keyHostsOf(profile),
    ...(baseURL !== undefined && { baseURL }),
    ...(authHeader !== undefined && { authHeader: authHeader.toLowerCase() }),
  });
  return chatProvider({
    connection,
    dialectOf: (model) => dialectOf(profile, model),
    priceList,
    capabilities: (model) => matching(modelCapabilities, model)?.capabilities ?? capabilities,
    embeddingLimits: {
      ...(maxEmbeddingBatch !== undefined && { maxEmbeddingBatch }),
      ...(maxEmbeddingTokens !== undefined && { maxEmbeddingTokens }),
    },
  });
}

/** `readProfile` checks the profile. */
const anything = { accepts: () => true, wants: 'a profile' };

const settingsShape = { ...connectionShape, priceList: 'string' } as const;

const yesOrNo: CustomKind = {
  accepts: (value) => typeof value === 'boolean',
  wants: 'true or false',
};

const list: CustomKind = {
  accepts: (value) =>
    Array.isArray(value) && everyElement(value, (each): each is object => isObject(each)),
  wants: 'a list of objects',
};

const strings: CustomKind = {
  accepts: (value) =>
    Array.isArray(value) && everyElement(value, (each): each is string => typeof each === 'string'),
  wants: 'a list of strings',
};

const effortList: CustomKind = {
  accepts: (value) => value === 'any' || strings.accepts(value),
  wants: "a list of efforts or 'any'",
};

const jsonObject: CustomKind = {
  accepts: (value) => isObject(value) && dataFlaws(value).length === 0,
  wants: `a JSON object, without cycles and nested at most ${maxDataDepth} levels deep`,
};

const count: CustomKind = {
  accepts: (value) => Number.isSafeInteger(value) && Number(value) > 0,
  wants: 'a whole number, at least 1',
};

const idRule: CustomKind = {
  accepts: (value) =>
    isObject(value) && value.pattern instanceof RegExp && Number.isInteger(value.maxLength),
  wants: 'an object with pattern (a regular expression) and maxLength (a whole number)',
};

const quirksShape = {
  maxTokensField: ['max_completion_tokens', 'max_tokens'],
  systemRole: ['system', 'developer'],
  systemTurns: ['anywhere', 'first'],
  turns: ['free', 'alternate'],
  userField: ['safety_identifier', 'user'],
  seedField: ['seed', 'random_seed'],
  streamUsage: ['include_usage', 'always'],
  toolChoiceRequired: ['required', 'any', 'auto'],
  toolChoiceNamed: yesOrNo,
  strictTools: yesOrNo,
  toolCallId: idRule,
  toolResultName: yesOrNo,
  toolsWithResponseFormat: yesOrNo,
  structuredOutput: ['json_schema', 'json_object', 'prompt'],
  reasoningIn: ['effort', 'enable_thinking', 'thinking', 'reasoning', 'none'],
  thinkingDefault: ['off', 'on', 'always'],
  thinkingExcludes: strings,
  efforts: effortList,
  reasoningOut: ['fields', 'tags', 'opened-tags'],
  echoReasoning: ['always', 'tool-turns', 'tool-loop', 'never'],
  callsWithoutReasoning: ['accepted', 'stand-in'],
  unsignedCalls: ['accepted', 'stand-in'],
  afterToolResults: ['any', 'assistant'],
  refusals: ['field', 'text'],
  bareRefusal: ['status', 'context_length'],
  unsupportedParams: strings,
  extraBody: jsonObject,
} as const satisfies Record<string, SettingKind>;

const profileShape = {
  ...quirksShape,
  baseURL: 'url',
  keyVariables: strings,
  keyHosts: strings,
  authHeader: 'string',
  priceList: 'string',
  capabilities: strings,
  modelCapabilities: list,
  maxEmbeddingBatch: count,
  maxEmbeddingTokens: count,
  models: list,
} as const satisfies Record<keyof Profile, SettingKind>;

function modelProblems(path: string, models: unknown): readonly string[] {
  if (!Array.isArray(models)) return [];
  return models.flatMap((row: unknown, index) => {
    const here = `${path}.models[${index}]`;
    if (!isObject(row) || !(row.pattern instanceof RegExp) || !isObject(row.quirks)) {
      return [`${here}: must have pattern (a regular expression) and quirks (an object)`];
    }
    return fieldProblems(`${here}.quirks`, row.quirks, quirksShape);
  });
}

function capabilityProblems(path: string, rows: unknown): readonly string[] {
  if (!Array.isArray(rows)) return [];
  return rows.flatMap((row: unknown, index) =>
    isObject(row) && row.pattern instanceof RegExp && strings.accepts(row.capabilities)
      ? []
      : [
          `${path}.modelCapabilities[${index}]: must have pattern (a regular expression) and capabilities (a list)`,
        ],
  );
}

/**
 * The profile of the setting: a built-in one by name, or the caller's.
 * @throws SignalboxError `config` that lists every invalid field by its path.
 */
function readProfile(
  factory: string,
  setting: ProfileName | Profile | undefined,
): Defined<Profile> {
  const path = `${factory}().profile`;
  if (typeof setting === 'string' && Object.hasOwn(profiles, setting)) return profiles[setting];
  if (!isObject(setting)) {
    const names = Object.keys(profiles).join(', ');
    throw new SignalboxError('config', `${path}: must be a profile object or one of ${names}`);
  }
  const problems = [
    ...fieldProblems(path, setting, profileShape),
    ...modelProblems(path, setting.models),
    ...capabilityProblems(path, setting.modelCapabilities),
  ];
  if (problems.length > 0) throw settingsError(problems);
  return withoutUndefined(setting as Profile);
}
