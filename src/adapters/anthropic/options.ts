import { SignalboxError } from '../../errors.ts';
import type { TransportSettings } from '../../transport/guarded-fetch.ts';
import type { ApiKey } from '../common/api-key.ts';
import {
  type AnswerSettings,
  answerShape,
  besideClient,
  checkSettings,
  transportShape,
} from '../common/settings.ts';

/**
 * What signalbox uses of an Anthropic client. An `Anthropic` of `@anthropic-ai/sdk` fits, and so do its variants:
 * `AnthropicBedrock`, `AnthropicVertex`, `AnthropicFoundry`.
 */
export interface AnthropicClient {
  post(path: string, options?: object): PromiseLike<unknown>;
  withOptions(options: object): AnthropicClient;
}

/** How to reach an API that speaks Anthropic Messages. */
export type AnthropicSettings = AnswerSettings & {
  /**
   * The vendor's name in price lists.
   * @default 'anthropic', or the cloud's of a client: 'aws' of Bedrock, 'google' of Vertex, 'azure' of Foundry
   */
  readonly priceList?: string;
} & (
    | (TransportSettings & {
        /**
         * The key, or a function that gives the current one for each attempt.
         * @default the environment variable `ANTHROPIC_API_KEY`, read at each call; sent to `api.anthropic.com`
         * and to this machine only
         */
        readonly apiKey?: ApiKey;
        /** Without `/v1`. @default 'https://api.anthropic.com' */
        readonly baseURL?: string;
        /** Sent with every request, over signalbox's own. */
        readonly headers?: Readonly<Record<string, string>>;
        /**
         * The `anthropic-version` header. Before `2026-10-21` the API takes `temperature`, `topP` and `topK`;
         * from then on they are left out, with a warning.
         * @default '2026-10-21'
         */
        readonly anthropicVersion?: string;
        /** How the key travels; many compatible servers want `x-api-key`. @default 'bearer' */
        readonly authStyle?: 'bearer' | 'x-api-key';
        readonly client?: undefined;
      })
    | {
        /** A client you made. Its key, address and headers are used as they are; its retries are turned off. */
        readonly client: AnthropicClient;
      }
  );

/** Settings of a client that signalbox makes, with its defaults filled in; the key stays lazy. */
export type OwnClientSettings = {
  readonly apiKey: ApiKey | undefined;
  readonly baseURL: string;
  /** The address as the caller set it. */
  readonly givenURL: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly transport: TransportSettings;
  readonly anthropicVersion: string;
  readonly authStyle: 'bearer' | 'x-api-key';
};

/** The version that `@anthropic-ai/sdk` 1.x speaks, and so the first one without sampling parameters. */
export const currentVersion = '2026-10-21';

const shape = {
  apiKey: 'key',
  baseURL: 'url',
  headers: 'headers',
  ...transportShape,
  ...answerShape,
  anthropicVersion: 'string',
  authStyle: ['bearer', 'x-api-key'],
  client: 'object',
  priceList: 'string',
} as const;

/** What the variants of the client have of their own, and the price list of their cloud. */
const cloudLists: readonly (readonly [property: string, priceList: string])[] = [
  ['awsRegion', 'aws'],
  ['projectId', 'google'],
  ['resource', 'azure'],
];

function priceListOf(client: AnthropicClient | undefined): string {
  const cloud = client && cloudLists.find(([property]) => property in client);
  return cloud?.[1] ?? 'anthropic';
}

/** Settings with their defaults: of the caller's client, or of one to be made. */
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

/** @throws SignalboxError `config` for unknown, contradicting or malformed settings. */
export function readSettings(settings: AnthropicSettings): ReadSettings {
  checkSettings('anthropic', settings, shape);
  const priceList = settings.priceList ?? priceListOf(settings.client);
  if (settings.client !== undefined) {
    const others = besideClient(settings, ['client', 'priceList', 'maxAnswerBytes']);
    if (others.length > 0) {
      const names = others.map((name) => `anthropic().${name}`).join(', ');
      throw new SignalboxError(
        'config',
        `${names}: cannot be set beside client, which has its own`,
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
      transport: { fetch: settings.fetch, dispatcher: settings.dispatcher },
      anthropicVersion: settings.anthropicVersion ?? currentVersion,
      authStyle: settings.authStyle ?? 'bearer',
    },
  };
}
