import { SignalboxError } from '../../errors.ts';
import type { TransportSettings } from '../../transport/guarded-fetch.ts';
import type { ApiKey } from '../common/keys.ts';
import {
  checkSettings,
  clientConflicts,
  type ProviderSettings,
  providerShape,
  transportOf,
  transportShape,
} from '../common/settings.ts';

/**
 * The part of an Anthropic client that signalbox uses. An `Anthropic` of `@anthropic-ai/sdk` matches, and so do its
 * variants `AnthropicBedrock`, `AnthropicVertex` and `AnthropicFoundry`.
 */
export interface AnthropicClient {
  post(path: string, options?: object): PromiseLike<unknown>;
  withOptions(options: object): AnthropicClient;
}

/** How to connect to an Anthropic Messages API. */
export type AnthropicSettings = ProviderSettings & {
  /**
   * The vendor's name in price lists.
   * @default 'anthropic', or that of the client's cloud: 'aws' (Bedrock), 'google' (Vertex), 'azure' (Foundry)
   */
  readonly priceList?: string | undefined;
} & (
    | (TransportSettings & {
        /**
         * The key, or a function that returns the current one for each attempt, or the one for the call's tags.
         * @default the environment variable `ANTHROPIC_API_KEY`, read at each call; sent only to `api.anthropic.com`
         * and to this machine
         */
        readonly apiKey?: ApiKey | undefined;
        /** Without `/v1`. @default 'https://api.anthropic.com' */
        readonly baseURL?: string | undefined;
        /** Sent with every request. They override signalbox's headers. */
        readonly headers?: Readonly<Record<string, string>> | undefined;
        /**
         * The `anthropic-version` header. Versions before `2026-10-21` accept `temperature`, `topP` and `topK`. With
         * later versions they are dropped with a warning.
         * @default '2026-10-21'
         */
        readonly anthropicVersion?: string | undefined;
        /** How the key is sent. Many compatible servers require `x-api-key`. @default 'bearer' */
        readonly authStyle?: 'bearer' | 'x-api-key' | undefined;
        readonly client?: undefined;
      })
    | {
        /** A client you created. Its key, URL and headers are used unchanged; its retries are turned off. */
        readonly client: AnthropicClient;
      }
  );

/** Settings without `client`, with defaults. The key is not resolved yet. */
export type OwnClientSettings = {
  readonly apiKey: ApiKey | undefined;
  readonly baseURL: string;
  /** `baseURL` as set by the caller. */
  readonly givenURL: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly transport: TransportSettings;
  readonly anthropicVersion: string;
  readonly authStyle: 'bearer' | 'x-api-key';
};

/** The version that `@anthropic-ai/sdk` 1.x uses, and the first one without sampling parameters. */
export const currentVersion = '2026-10-21';

const shape = {
  apiKey: 'key',
  baseURL: 'url',
  headers: 'headers',
  ...transportShape,
  ...providerShape,
  anthropicVersion: 'string',
  authStyle: ['bearer', 'x-api-key'],
  client: 'object',
  priceList: 'string',
} as const;

/** A property by which each variant of the client is recognised, and the price list of its cloud. */
const cloudLists: readonly (readonly [property: string, priceList: string])[] = [
  ['awsRegion', 'aws'],
  ['projectId', 'google'],
  ['resource', 'azure'],
];

function priceListOf(client: AnthropicClient | undefined): string {
  const cloud = client && cloudLists.find(([property]) => property in client);
  return cloud?.[1] ?? 'anthropic';
}

/** The caller's client, or the settings of the client to create. */
export type ReadSettings = { readonly priceList: string } & (
  | { readonly client: AnthropicClient; readonly own?: undefined }
  | { readonly own: OwnClientSettings }
);

function isClient(value: object): value is AnthropicClient {
  return (
    'post' in value &&
    typeof value.post === 'function' &&
    'withOptions' in value &&
    typeof value.withOptions === 'function'
  );
}

/** @throws SignalboxError `config` when a setting is unknown, conflicting or malformed. */
export function readSettings(settings: AnthropicSettings): ReadSettings {
  checkSettings('anthropic', settings, shape);
  const priceList = settings.priceList ?? priceListOf(settings.client);
  if (settings.client !== undefined) {
    const others = clientConflicts(settings, ['client', 'priceList']);
    if (others.length > 0) {
      const names = others.map((name) => `anthropic().${name}`).join(', ');
      throw new SignalboxError(
        'config',
        `${names}: cannot be set together with client, which has its own`,
      );
    }
    if (!isClient(settings.client)) {
      throw new SignalboxError(
        'config',
        'anthropic().client: must be a client of @anthropic-ai/sdk',
      );
    }
    return { priceList, client: settings.client };
  }
  return {
    priceList,
    own: {
      apiKey: settings.apiKey,
      baseURL: settings.baseURL ?? 'https://api.anthropic.com',
      givenURL: settings.baseURL,
      headers: settings.headers ?? {},
      transport: transportOf(settings),
      anthropicVersion: settings.anthropicVersion ?? currentVersion,
      authStyle: settings.authStyle ?? 'bearer',
    },
  };
}
