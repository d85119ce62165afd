import { SignalboxError } from '../../errors.ts';
import type { Fetch } from '../../transport/guarded-fetch.ts';
import type { ApiKey } from '../common/api-key.ts';
import { checkSettings } from '../common/settings.ts';

/**
 * What signalbox uses of an Anthropic client. An `Anthropic` of `@anthropic-ai/sdk` fits, and so do variants
 * of it whose servers answer with JSON and server-sent events. Bedrock's binary event stream is not read.
 */
export interface AnthropicClient {
  post(path: string, options?: object): PromiseLike<unknown>;
  withOptions(options: object): AnthropicClient;
}

/** How to reach an API that speaks Anthropic Messages. */
export type AnthropicSettings =
  | {
      /**
       * The key, or a function that gives the current one for each attempt.
       * @default the environment variable `ANTHROPIC_API_KEY`, read at each call
       */
      readonly apiKey?: ApiKey;
      /** Without `/v1`. @default 'https://api.anthropic.com' */
      readonly baseURL?: string;
      /** Sent with every request, over signalbox's own. */
      readonly headers?: Readonly<Record<string, string>>;
      /** Makes the requests instead of Node's `fetch`; proxies and its timeouts are then its business. */
      readonly fetch?: Fetch;
      /**
       * The `anthropic-version` header. Before `2026-10-21` the API takes `temperature`, `topP` and `topK`;
       * from then on they are left out, with a warning.
       * @default '2026-10-21'
       */
      readonly anthropicVersion?: string;
      /** How the key travels; many compatible servers want `x-api-key`. @default 'bearer' */
      readonly authStyle?: 'bearer' | 'x-api-key';
      readonly client?: undefined;
    }
  | {
      /** A client you made. Its key, address and headers are used as they are; its retries are turned off. */
      readonly client: AnthropicClient;
    };

/** Settings of a client that signalbox makes, with its defaults filled in; the key stays lazy. */
export type OwnClientSettings = {
  readonly apiKey: ApiKey | undefined;
  readonly baseURL: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly fetch: Fetch | undefined;
  readonly anthropicVersion: string;
  readonly authStyle: 'bearer' | 'x-api-key';
};

/** The version that `@anthropic-ai/sdk` 1.x speaks, and so the first one without sampling parameters. */
export const currentVersion = '2026-10-21';

const shape = {
  apiKey: 'key',
  baseURL: 'url',
  headers: 'headers',
  fetch: 'function',
  anthropicVersion: 'string',
  authStyle: ['bearer', 'x-api-key'],
  client: 'object',
} as const;

function isClient(value: object): value is AnthropicClient {
  return (
    'post' in value &&
    typeof value.post === 'function' &&
    'withOptions' in value &&
    typeof value.withOptions === 'function'
  );
}

/** @throws SignalboxError `config` for unknown, contradicting or malformed settings. */
export function readSettings(
  settings: AnthropicSettings,
):
  | { readonly client: AnthropicClient; readonly own?: undefined }
  | { readonly own: OwnClientSettings } {
  checkSettings('anthropic', settings, shape);
  if (settings.client !== undefined) {
    const others = Object.entries(settings).filter(
      ([name, value]) => name !== 'client' && value !== undefined,
    );
    if (others.length > 0) {
      const names = others.map(([name]) => `anthropic().${name}`).join(', ');
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
    return { client: settings.client };
  }
  return {
    own: {
      apiKey: settings.apiKey,
      baseURL: settings.baseURL ?? 'https://api.anthropic.com',
      headers: settings.headers ?? {},
      fetch: settings.fetch,
      anthropicVersion: settings.anthropicVersion ?? currentVersion,
      authStyle: settings.authStyle ?? 'bearer',
    },
  };
}
