import { SignalboxError } from '../../errors.ts';
import { userAgent } from '../../internal/version.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { EmbeddingRequest } from '../../protocol/other-tasks.ts';
import type { Provider } from '../../protocol/provider.ts';
import type { Usage } from '../../protocol/usage.ts';
import { exchange } from '../../transport/exchange.ts';
import { type Fetch, guardedFetch, type TransportSettings } from '../../transport/guarded-fetch.ts';
import {
  isObject,
  listOf,
  shape as names,
  objectOf,
  TokenCounts,
} from '../../wires/common/read.ts';
import { mergeBody } from '../../wires/common/request.ts';
import { toUsage } from '../../wires/gemini/response.ts';
import { geminiUsage } from '../../wires/gemini/shape.ts';
import { currentKey, headerTable, mayGetAmbientKey, withKey } from '../common/keys.ts';
import { lazily, lazySdk } from '../common/sdk.ts';
import {
  checkSettings,
  type ProviderSettings,
  providerFieldsOf,
  providerShape,
  transportOf,
  transportShape,
} from '../common/settings.ts';
import { type GeminiHost, geminiProvider, sdkSender } from './gemini-provider.ts';
import { type GoogleClient, keyHosts, loadWebSdk } from './options.ts';
import { readEmbeddings } from './other-tasks.ts';

/** How to connect to Gemini on Google Cloud. */
export type VertexSettings = TransportSettings &
  ProviderSettings & {
    /** The id of the Google Cloud project that is billed. */
    readonly project: string;
    /** A region (`europe-west4`), a multi-region (`eu`), or `global`. @default 'global' */
    readonly location?: string | undefined;
    /**
     * Returns an access token. Called for each attempt, so cache the token. With it, the SDK's Node entry is not
     * loaded.
     * @default Google's application-default credentials, found by the SDK; sent only to hosts of `googleapis.com` and
     * to this machine
     */
    readonly token?: (() => string | Promise<string>) | undefined;
    /** Without the version. @default the URL of the location */
    readonly baseURL?: string | undefined;
    /** Sent with every request. They override signalbox's headers. */
    readonly headers?: Readonly<Record<string, string>> | undefined;
    /** The API version in the path. @default 'v1beta1' */
    readonly apiVersion?: string | undefined;
  };

/** Project and location become part of the URL. Projects of old organisations are named `example.com:project`. */
const idKind = {
  accepts: (value: unknown) =>
    typeof value === 'string' && /^[a-z0-9][a-z0-9:-]*(?:\.[a-z0-9:-]+)*$/.test(value),
  wants: 'a Google Cloud id',
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
  ...providerShape,
  apiVersion: 'string',
} as const;

type VertexEndpoint = Readonly<Record<'project' | 'location' | 'baseURL' | 'apiVersion', string>>;

const loadNodeSdk = lazySdk('@google/genai', () => import('@google/genai'));

/** Multi-regions have another host name: https://cloud.google.com/vertex-ai/generative-ai/docs/learn/locations */
const multiRegions: readonly string[] = ['us', 'eu'];

function hostOf(location: string): string {
  if (location === 'global') return 'https://aiplatform.googleapis.com';
  return multiRegions.includes(location)
    ? `https://aiplatform.${location}.rep.googleapis.com`
    : `https://${location}-aiplatform.googleapis.com`;
}

function endpointOf(settings: VertexSettings): VertexEndpoint {
  const { project, location = 'global', apiVersion = 'v1beta1' } = settings;
  if (project === undefined) {
    throw new SignalboxError('config', 'vertex().project: is missing');
  }
  return { project, location, apiVersion, baseURL: settings.baseURL ?? hostOf(location) };
}

/** The web entry supports only keys, and omits the project from the path when it has one. */
async function webClient(endpoint: VertexEndpoint): Promise<GoogleClient> {
  const { project, location, baseURL, apiVersion } = endpoint;
  const { GoogleGenAI } = await loadWebSdk();
  return new GoogleGenAI({
    apiKey: 'set by the guard',
    vertexai: true,
    apiVersion: `${apiVersion}/projects/${project}/locations/${location}`,
    httpOptions: { baseUrl: baseURL },
  });
}

/** Sets every option, so that no GOOGLE_* variable applies except those of the credentials. */
async function nodeClient({ baseURL, ...options }: VertexEndpoint): Promise<GoogleClient> {
  const { GoogleGenAI } = await loadNodeSdk();
  return new GoogleGenAI({ ...options, vertexai: true, httpOptions: { baseUrl: baseURL } });
}

/** @throws SignalboxError `auth` unless the URL may get application-default credentials: Google or this machine */
function checkDefaultCredentialsHost(baseURL: string | undefined): void {
  if (baseURL === undefined || mayGetAmbientKey(baseURL, keyHosts)) return;
  throw new SignalboxError(
    'auth',
    `vertex().token: is missing, and application-default credentials are only sent over https to ${keyHosts.join(', ')}, not to ${new URL(baseURL).origin}`,
  );
}

function guardOf(settings: VertexSettings): Fetch {
  const { headers, token } = settings;
  const fixed = { 'content-type': 'application/json', 'user-agent': userAgent };
  const given = headerTable(headers ?? {});
  return guardedFetch({
    ...transportOf(settings),
    headers: () =>
      token === undefined
        ? { ...fixed, ...given }
        : withKey(
            currentKey('vertex().token', () => token(), [], { index: 0 }),
            (key) => ({
              ...fixed,
              authorization: `Bearer ${key}`,
              ...given,
            }),
          ),
    passes: token === undefined ? ['authorization', 'x-goog-user-project'] : [],
  });
}

const exchangeWithDefaults: typeof exchange = (context, send) =>
  exchange(
    context,
    send,
    'vertex(): no application-default credentials were found; set them up, or pass { token }',
  );

/**
 * Gemini on Google Cloud (Vertex AI), with application-default credentials or your own token.
 *
 * Loads `@google/genai` at the first call: its Node entry, which includes Google's library for credentials and reads
 * their variables and files, or its lighter web entry when `token` is set. Missing or invalid credentials fail the call
 * with an `auth` error, so that other targets can still answer.
 *
 * @throws SignalboxError `config` when a setting is unknown or malformed.
 */
export function vertex(settings: VertexSettings): Provider {
  checkSettings('vertex', settings, shape);
  const endpoint = endpointOf(settings);
  const { token } = settings;
  const sender = lazily(async () => {
    if (token === undefined) checkDefaultCredentialsHost(settings.baseURL);
    const client = await (token === undefined ? nodeClient(endpoint) : webClient(endpoint));
    return sdkSender(client, guardOf(settings));
  });
  const exchangeWith = token === undefined ? exchangeWithDefaults : exchange;
  return {
    ...geminiProvider({
      sender,
      preload: async () => void (await (token === undefined ? loadNodeSdk() : loadWebSdk())),
      exchange: exchangeWith,
    }),
    platform: 'vertex',
    ...vertexEmbeddings({ sender, exchange: exchangeWith }),
    ...providerFieldsOf(settings),
  };
}

/**
 * Vertex has two methods: `:predict` for older models and `:embedContent` for Gemini models. The SDK chooses one by the
 * model's name, and the body must match, so this is the SDK's rule.
 */
function isEmbedContentModel(model: string): boolean {
  return model.includes('maas') || (model.includes('gemini') && model !== 'gemini-embedding-001');
}

/**
 * The most values in one request. Gemini models accept only one, so the limit of tokens concerns the others.
 * https://cloud.google.com/vertex-ai/generative-ai/docs/embeddings/get-text-embeddings
 */
const maxEmbeddingTokens = 20_000;

function maxEmbeddingBatch(model: string): number {
  return model.includes('gemini') || model.includes('maas') ? 1 : 250;
}

function bodyOf(request: EmbeddingRequest): JsonObject {
  const { provider: _, model, values, dimensions, userId: _userId, extraBody, ...rest } = request;
  rest satisfies Record<string, never>;
  const shortened = dimensions === undefined ? {} : { outputDimensionality: dimensions };
  if (!isEmbedContentModel(model)) {
    const instances = values.map((content) => ({ content }));
    return mergeBody({ instances, parameters: shortened }, extraBody);
  }
  const parts = values.map((text) => ({ text }));
  return mergeBody({ content: { parts }, embedContentConfig: shortened }, extraBody);
}

/** The rows of both methods, in the format of the Gemini API. */
function rowsOf({ predictions, embedding }: JsonObject): readonly unknown[] {
  if (isObject(embedding)) return [embedding];
  return listOf(predictions).map((prediction) => objectOf(prediction).embeddings);
}

/** `:embedContent` reports usage like chat answers, `:predict` with each vector. */
function usageOf(body: JsonObject): Usage | undefined {
  if (isObject(body.usageMetadata)) return toUsage(body.usageMetadata);
  const read = new TokenCounts();
  const counts = rowsOf(body)
    .map((row) => read.of(objectOf(objectOf(row).statistics).token_count))
    .filter((count) => count !== undefined);
  if (counts.length === 0 || read.isDoubtful) return undefined;
  const inputTokens = counts.reduce((sum, count) => sum + count, 0);
  return { inputTokens, outputTokens: 0, totalTokens: inputTokens, raw: body.metadata };
}

const vector = names('values statistics');

/** What both methods answer. */
const known = names('metadata model modelDisplayName modelVersionId deployedModelId truncated', {
  predictions: names('', { embeddings: vector }),
  embedding: vector,
  usageMetadata: geminiUsage,
});

/** Embeddings of Vertex. */
function vertexEmbeddings({
  sender,
  exchange,
}: Required<Pick<GeminiHost, 'sender' | 'exchange'>>): Required<
  Pick<Provider, 'prepareEmbedding' | 'maxEmbeddingBatch' | 'maxEmbeddingTokens'>
> {
  return {
    maxEmbeddingBatch,
    maxEmbeddingTokens,
    prepareEmbedding(request) {
      const { model, values } = request;
      const geminiRequest = { model, body: bodyOf(request), contents: values };
      return {
        warnings: [],
        async *send(context) {
          const { send } = await sender();
          const reply = await exchange(context, (capture) =>
            send('embedContent', geminiRequest, capture),
          );
          yield readEmbeddings(reply, context, { rowsOf, usageOf, known });
        },
      };
    },
  };
}
