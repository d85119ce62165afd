import { SignalboxError } from '../../errors.ts';
import type { Provider } from '../../protocol/provider.ts';
import { exchange } from '../../transport/exchange.ts';
import { type Fetch, guardedFetch, type TransportSettings } from '../../transport/guarded-fetch.ts';
import { userAgent } from '../../transport/user-agent.ts';
import { currentKey, headerTable, withKey } from '../common/api-key.ts';
import { mayGetAmbientKey } from '../common/key-hosts.ts';
import { lazily } from '../common/lazily.ts';
import { lazySdk } from '../common/sdk.ts';
import {
  type AnswerSettings,
  answerBoundOf,
  answerShape,
  checkSettings,
  transportShape,
} from '../common/settings.ts';
import { geminiProvider } from './gemini-provider.ts';
import { sdkRoad } from './gemini-sender.ts';
import { type GoogleClient, keyHosts, loadWebSdk } from './options.ts';
import { vertexEmbeddings } from './vertex-embeddings.ts';

/** How to reach Gemini on Google Cloud. */
export type VertexSettings = TransportSettings &
  AnswerSettings & {
    /** The id of the Google Cloud project that pays. */
    readonly project: string;
    /** A region (`europe-west4`), a multi-region (`eu`), or `global`. @default 'global' */
    readonly location?: string;
    /**
     * Gives an access token for each attempt, and keeps the SDK's Node entry out of the process. Caching it is
     * yours to do. @default Google's application-default credentials, found by the SDK; sent to
     * hosts of `googleapis.com` and to this machine only
     */
    readonly token?: () => string | Promise<string>;
    /** Without the version. @default the address of the location */
    readonly baseURL?: string;
    /** Sent with every request, over signalbox's own. */
    readonly headers?: Readonly<Record<string, string>>;
    /** The API version in the path. @default 'v1beta1' */
    readonly apiVersion?: string;
  };

/** Both become part of the address. Projects of old organisations are named `example.com:project`. */
const idKind = {
  accepts: (value: unknown) =>
    typeof value === 'string' && /^[a-z0-9][a-z0-9:-]*(?:\.[a-z0-9:-]+)*$/.test(value),
  wants: 'an id of Google Cloud',
};
const locationKind = {
  accepts: (value: unknown) => typeof value === 'string' && /^[a-z0-9-]+$/.test(value),
  wants: idKind.wants,
};

const shape = {
  project: idKind,
  location: locationKind,
  token: 'function',
  baseURL: 'url',
  headers: 'headers',
  ...transportShape,
  ...answerShape,
  apiVersion: 'string',
} as const;

type Place = Required<Pick<VertexSettings, 'project' | 'location' | 'baseURL' | 'apiVersion'>>;

const loadNodeSdk = lazySdk('@google/genai', () => import('@google/genai'));

/** They have hosts of a form of their own: https://cloud.google.com/vertex-ai/generative-ai/docs/learn/locations */
const multiRegions: readonly string[] = ['us', 'eu'];

function hostOf(location: string): string {
  if (location === 'global') return 'https://aiplatform.googleapis.com';
  return multiRegions.includes(location)
    ? `https://aiplatform.${location}.rep.googleapis.com`
    : `https://${location}-aiplatform.googleapis.com`;
}

function placeOf(settings: VertexSettings): Place {
  const { project, location = 'global', apiVersion = 'v1beta1' } = settings;
  if (project === undefined) {
    throw new SignalboxError('config', 'vertex().project: is missing');
  }
  return { project, location, apiVersion, baseURL: settings.baseURL ?? hostOf(location) };
}

/** The web entry knows keys only, and leaves the project out of the path when it has one. */
async function webClient({ project, location, baseURL, apiVersion }: Place): Promise<GoogleClient> {
  const { GoogleGenAI } = await loadWebSdk();
  return new GoogleGenAI({
    apiKey: 'set by the guard',
    vertexai: true,
    apiVersion: `${apiVersion}/projects/${project}/locations/${location}`,
    httpOptions: { baseUrl: baseURL },
  });
}

/** Everything is said, so that no GOOGLE_* variable but those of the credentials has a say. */
async function nodeClient({ baseURL, ...place }: Place): Promise<GoogleClient> {
  const { GoogleGenAI } = await loadNodeSdk();
  return new GoogleGenAI({ ...place, vertexai: true, httpOptions: { baseUrl: baseURL } });
}

/** Google's own credentials go to Google and to this machine. @throws SignalboxError `auth` */
function checkDefaultsMayGo(baseURL: string | undefined): void {
  if (baseURL === undefined || mayGetAmbientKey(baseURL, keyHosts)) return;
  throw new SignalboxError(
    'auth',
    `vertex().token: is missing, and application-default credentials are sent over https to ${keyHosts.join(', ')} only, and not to ${new URL(baseURL).origin}`,
  );
}

function guardOf({ fetch, dispatcher, headers, token }: VertexSettings): Fetch {
  const fixed = { 'content-type': 'application/json', 'user-agent': userAgent };
  const given = headerTable(headers ?? {});
  return guardedFetch({
    fetch,
    dispatcher,
    headers: () =>
      token === undefined
        ? { ...fixed, ...given }
        : withKey(currentKey('vertex().token', token, [], 0), (key) => ({
            ...fixed,
            authorization: `Bearer ${key}`,
            ...given,
          })),
    passes: token === undefined ? ['authorization', 'x-goog-user-project'] : [],
  });
}

const exchangeOfDefaults: typeof exchange = (context, send) =>
  exchange(
    context,
    send,
    'vertex(): Google gave no application-default credentials; set them up, or pass { token }',
  );

/**
 * Gemini on Google Cloud (Vertex AI), with application-default credentials or a token of yours.
 *
 * Loads `@google/genai` at the first call: its Node entry, which brings Google's library for credentials and
 * reads the variables and files that they are kept in, or its lighter web entry when there is a `token`. Failing
 * credentials are an `auth` error of the call, so that other targets can still answer.
 *
 * @throws SignalboxError `config` for settings that are unknown or malformed.
 */
export function vertex(settings: VertexSettings): Provider {
  checkSettings('vertex', settings, shape);
  const place = placeOf(settings);
  const { token } = settings;
  const road = lazily(async () => {
    if (token === undefined) checkDefaultsMayGo(settings.baseURL);
    const client = await (token === undefined ? nodeClient(place) : webClient(place));
    return sdkRoad(client, guardOf(settings));
  });
  const exchangeWith = token === undefined ? exchangeOfDefaults : exchange;
  return {
    ...geminiProvider({
      road,
      preload: async () => void (await (token === undefined ? loadNodeSdk() : loadWebSdk())),
      exchange: exchangeWith,
    }),
    ...vertexEmbeddings({ road, exchange: exchangeWith }),
    ...answerBoundOf(settings),
  };
}
