import { SignalboxError } from '../../errors.ts';
import type { TransportSettings } from '../../transport/guarded-fetch.ts';
import type { ApiKey } from '../common/keys.ts';
import { lazySdk } from '../common/sdk.ts';
import {
  checkSettings,
  clientConflicts,
  type ProviderSettings,
  providerShape,
  transportOf,
  transportShape,
} from '../common/settings.ts';

/** The web entry has the same API, a quarter of the size, and does not read the environment. */
export const loadWebSdk = lazySdk('@google/genai', () => import('@google/genai/web'));

/** The hosts that credentials from the environment may be sent to, subdomains included. */
export const keyHosts = ['googleapis.com'];

/** The part of a `@google/genai` client that signalbox uses. A `GoogleGenAI` of any entry point matches. */
export interface GoogleClient {
  readonly models: {
    generateContent(parameters: object): PromiseLike<unknown>;
    generateContentStream(parameters: object): PromiseLike<unknown>;
    embedContent(parameters: object): PromiseLike<unknown>;
  };
}

/** How to connect to the Gemini API. */
export type GoogleSettings = ProviderSettings &
  (
    | (TransportSettings & {
        /**
         * The key, or a function that returns the current one for each attempt, or the one for the call's tags.
         * @default the environment variable `GOOGLE_API_KEY`, else `GEMINI_API_KEY`, read at each call; sent only to
         * hosts of `googleapis.com` and to this machine
         */
        readonly apiKey?: ApiKey | undefined;
        /** Without the version. @default 'https://generativelanguage.googleapis.com' */
        readonly baseURL?: string | undefined;
        /** Sent with every request. They override signalbox's headers. */
        readonly headers?: Readonly<Record<string, string>> | undefined;
        /** The API version in the path. Preview models and features need `v1beta`. @default 'v1beta' */
        readonly apiVersion?: string | undefined;
        readonly client?: undefined;
      })
    | {
        /** A client you created. Its key, URL and headers are used unchanged; its retries are turned off. */
        readonly client: GoogleClient;
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
  readonly apiVersion: string;
};

const shape = {
  apiKey: 'key',
  baseURL: 'url',
  headers: 'headers',
  ...transportShape,
  ...providerShape,
  apiVersion: 'string',
  client: 'object',
} as const;

function isClient(value: object): value is GoogleClient {
  if (!('models' in value)) return false;
  const { models } = value;
  return (
    typeof models === 'object' &&
    models !== null &&
    'generateContent' in models &&
    'generateContentStream' in models
  );
}

/** @throws SignalboxError `config` when a setting is unknown, conflicting or malformed. */
export function readSettings(
  settings: GoogleSettings,
):
  | { readonly client: GoogleClient; readonly own?: undefined }
  | { readonly own: OwnClientSettings } {
  checkSettings('google', settings, shape);
  if (settings.client !== undefined) {
    const others = clientConflicts(settings, ['client']);
    if (others.length > 0) {
      const names = others.map((name) => `google().${name}`).join(', ');
      throw new SignalboxError(
        'config',
        `${names}: cannot be set together with client, which has its own`,
      );
    }
    if (!isClient(settings.client)) {
      throw new SignalboxError('config', 'google().client: must be a client of @google/genai');
    }
    return { client: settings.client };
  }
  return {
    own: {
      apiKey: settings.apiKey,
      baseURL: settings.baseURL ?? 'https://generativelanguage.googleapis.com',
      givenURL: settings.baseURL,
      headers: settings.headers ?? {},
      transport: transportOf(settings),
      apiVersion: settings.apiVersion ?? 'v1beta',
    },
  };
}
