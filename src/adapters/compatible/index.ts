import { SignalboxError } from '../../errors.ts';
import type { Provider } from '../../protocol/provider.ts';
import { checkSettings } from '../common/settings.ts';
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
import { readProfile } from './check-profile.ts';
import type { Profile, ProfileName } from './profile.ts';

export type { ApiKey } from '../common/keys.ts';
export type { ChatQuirks } from '../openai-chat/index.ts';
export type { OpenAIClient, OpenAIConnectionSettings } from '../openai-shared/openai-client.ts';
export type { ModelCapabilities, ModelQuirks, Profile, ProfileName } from './profile.ts';

/** How to connect to a vendor of Chat Completions: with a key, or through a client you created. */
export type CompatibleSettings = OpenAIConnectionSettings & {
  /** The vendor's name in price lists. @default that of the profile */
  readonly priceList?: string;
};

/** {@link CompatibleSettings} with the profile of the vendor. */
export type OpenAICompatibleSettings = CompatibleSettings & {
  /** The quirks of the vendor: the name of a built-in profile, or your own profile. */
  readonly profile: ProfileName | Profile;
};

/** The dialect of one model. Its quirks override those of the vendor. */
function dialectOf(profile: Profile, model: string): ChatDialect {
  const {
    baseURL: _baseURL,
    keyVariables: _keyVariables,
    keyHosts: _keyHosts,
    authHeader: _authHeader,
    priceList: _priceList,
    capabilities: _capabilities,
    modelCapabilities: _modelCapabilities,
    models = [],
    ...quirks
  } = profile;
  quirks satisfies Partial<ChatQuirks>;
  return compatibleDialect({ ...quirks, ...matching(models, model)?.quirks });
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
  profile: Profile,
): Provider {
  const { priceList = profile.priceList, ...connectionSettings } = settings;
  const { baseURL, keyVariables = [], authHeader } = profile;
  const { capabilities = compatibleCapabilities, modelCapabilities = [] } = profile;
  const hasClient = 'client' in settings && settings.client !== undefined;
  if (!hasClient && baseURL === undefined && !('baseURL' in settings)) {
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
  });
}

/** `readProfile` checks the profile. */
const anything = { accepts: () => true, wants: 'a profile' };

const settingsShape = { ...connectionShape, priceList: 'string' } as const;

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

/** The provider function of one vendor, with its built-in profile. */
export function preset(name: ProfileName): (settings?: CompatibleSettings) => Provider {
  return (settings = {}) => {
    checkSettings(name, settings, settingsShape);
    return compatibleProvider(name, settings, readProfile(name, name));
  };
}
