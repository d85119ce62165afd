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

export type { ApiKey } from '../common/api-key.ts';
export type { ChatQuirks } from '../openai-chat/index.ts';
export type { OpenAIClient, OpenAIConnectionSettings } from '../openai-shared/openai-client.ts';
export type { ModelCapabilities, ModelQuirks, Profile, ProfileName } from './profile.ts';

/** How to reach a vendor that speaks Chat Completions: with a key, or through a client you made. */
export type CompatibleSettings = OpenAIConnectionSettings & {
  /** The vendor's name in price lists. @default the profile's */
  readonly priceList?: string;
};

/** The same for a vendor that is named by its profile. */
export type OpenAICompatibleSettings = CompatibleSettings & {
  /** What sets the vendor apart: the name of a profile of signalbox's, or one of your own. */
  readonly profile: ProfileName | Profile;
};

/** The quirks of one model: the vendor's, and over them its own. */
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

/** The first row whose pattern is in the name; `search`, since a pattern with the flag `g` remembers its last use. */
function matching<Row extends { readonly pattern: RegExp }>(
  rows: readonly Row[],
  model: string,
): Row | undefined {
  return rows.find(({ pattern }) => model.search(pattern) >= 0);
}

/** A profile without hosts is made for whatever address is set. */
function keyHostsOf({ baseURL, keyHosts }: Profile): readonly string[] | 'any' {
  if (baseURL === undefined) return keyHosts ?? 'any';
  return [new URL(baseURL).hostname, ...(keyHosts ?? [])];
}

function brand(factory: string, settings: CompatibleSettings, profile: Profile): Provider {
  const { priceList = profile.priceList, ...connectionSettings } = settings;
  const { baseURL, keyVariables = [], authHeader } = profile;
  const { capabilities = compatibleCapabilities, modelCapabilities = [] } = profile;
  const isPlaced = 'client' in settings && settings.client !== undefined;
  if (!isPlaced && baseURL === undefined && !('baseURL' in settings)) {
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

/** The profile is read on its own. */
const anything = { accepts: () => true, wants: 'a profile' };

const settingsShape = { ...connectionShape, priceList: 'string' } as const;

/**
 * Any vendor or server that speaks Chat Completions, with its quirks as a profile: of signalbox's by name, or your
 * own. The vendors' own functions (`mistral()`, `groq()`, …) are this with the profile filled in.
 *
 * Loads the package `openai` at the first call. Reads no environment variables other than those of the profile's
 * key; a missing key is an `auth` error of the call, so that other targets can still answer.
 *
 * @throws SignalboxError `config` for settings that are unknown or malformed.
 */
export function openaiCompatible(settings: OpenAICompatibleSettings): Provider {
  checkSettings('openaiCompatible', settings, { ...settingsShape, profile: anything });
  const { profile, ...rest } = settings;
  return brand('openaiCompatible', rest, readProfile('openaiCompatible', profile));
}

/** The function of one vendor, whose profile is filled in. */
export function preset(name: ProfileName): (settings?: CompatibleSettings) => Provider {
  return (settings = {}) => {
    checkSettings(name, settings, settingsShape);
    return brand(name, settings, readProfile(name, name));
  };
}
