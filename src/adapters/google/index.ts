import { userAgent } from '../../internal/version.ts';
import type { CallKey, Provider } from '../../protocol/provider.ts';
import {
  type Fetch,
  type GuardOptions,
  guardedFetch,
  sendGuarded,
} from '../../transport/guarded-fetch.ts';
import { objectOf } from '../../wires/common/read.ts';
import {
  currentKey,
  headerTable,
  type KeyVariables,
  keyCountOf,
  keyForOf,
  keySourceOf,
  keyVariablesFor,
  withKey,
} from '../common/keys.ts';
import { lazily } from '../common/sdk.ts';
import { providerFieldsOf } from '../common/settings.ts';
import {
  type GeminiSender,
  geminiEmbeddings,
  geminiProvider,
  type Method,
  sdkSender,
} from './gemini-provider.ts';
import {
  type GoogleSettings,
  keyHosts,
  loadWebSdk,
  type OwnClientSettings,
  readSettings,
} from './options.ts';

export type { ApiKey } from '../common/keys.ts';
export type { GoogleClient, GoogleSettings } from './options.ts';
export { type VertexSettings, vertex } from './vertex.ts';

const keyPath = 'google().apiKey';

/** In the order of the SDK. */
const keyVariables = ['GOOGLE_API_KEY', 'GEMINI_API_KEY'];

/** The URL that the SDK's `request` would use. The path may already have a query. */
function urlOf(base: string, path: string, query: Record<string, string> = {}): string {
  const more = String(new URLSearchParams(query));
  if (more === '') return `${base}/${path}`;
  return `${base}/${path}${path.includes('?') ? '&' : '?'}${more}`;
}

/** Finds the URL of a method for a model. */
type FindUrl = (method: Method, model: string) => Promise<string>;

async function createFindUrl({ apiVersion, baseURL }: OwnClientSettings): Promise<FindUrl> {
  const { GoogleGenAI } = await loadWebSdk();
  /** Calls the `fetch` in the options with the URL of a request, and sends nothing. */
  class UrlProbe extends GoogleGenAI {
    constructor(options: ConstructorParameters<typeof GoogleGenAI>[0]) {
      super(options);
      const { apiClient } = this;
      const reportUrl = ({
        path,
        queryParams,
        httpOptions,
      }: Parameters<typeof apiClient.request>[0]) => {
        const { fetch } = httpOptions ?? {};
        if (fetch === undefined) throw new Error('the SDK did not pass on its HTTP options');
        void fetch(urlOf(apiClient.getRequestUrl(), path, queryParams));
        // Never resolves: there is no answer for the SDK to parse.
        return new Promise<never>(() => undefined);
      };
      apiClient.request = reportUrl;
      apiClient.requestStream = reportUrl;
    }
  }
  const { models } = new UrlProbe({
    apiKey: 'set by the guard',
    vertexai: false,
    apiVersion,
    httpOptions: { baseUrl: baseURL },
  });
  return (method, model) =>
    new Promise((resolve, reject) => {
      const fetch: Fetch = async (url) => {
        resolve(String(url));
        return new Response();
      };
      const parameters = { model, contents: 'anything', config: { httpOptions: { fetch } } };
      models[method](parameters).catch(reject);
    });
}

function variablesOf({ givenURL }: OwnClientSettings): KeyVariables {
  return keyVariablesFor(givenURL, keyVariables, keyHosts);
}

/**
 * Sends requests directly. The body already has the format of the API, so the SDK is needed only for the URL, which is
 * the same for every call of a model and cached. The rest of the SDK's work takes a large part of a call's time.
 */
async function directSender(settings: OwnClientSettings): Promise<GeminiSender> {
  const findUrl = await createFindUrl(settings);
  const urls = new Map<string, string>();
  const given = headerTable(settings.headers);
  const { names, withheld } = variablesOf(settings);
  const headers = (index: number, callKey?: CallKey) =>
    withKey(currentKey(keyPath, settings.apiKey, names, { index, callKey }, withheld), (key) => ({
      'content-type': 'application/json',
      'user-agent': userAgent,
      'x-goog-api-key': key,
      ...given,
    }));
  const guard = { ...settings.transport, headers };
  return {
    async send(method, { model, body }, capture) {
      const key = `${method} ${model}`;
      let url = urls.get(key);
      if (url === undefined) {
        url = await findUrl(method, model);
        if (urls.size >= maxUrls) urls.clear();
        urls.set(key, url);
      }
      sendGuarded(guard, url, { method: 'POST', body: JSON.stringify(body) }, capture);
    },
  };
}

/** Far more than the models of one process. A bound is needed because the configuration may change at any time. */
const maxUrls = 500;

/** Whether the client asks Google for its token, or its own `fetch` may set the key. */
function renewsKey(client: object): NonNullable<GuardOptions['renewsKey']> {
  if (Reflect.get(client, 'vertexai') === true) return 'in-headers';
  return fetchOf(client) === undefined ? 'no' : 'unseen';
}

/** The `fetch` in the client's HTTP options. */
function fetchOf(client: object): Fetch | undefined {
  const own = objectOf(Reflect.get(client, 'httpOptions')).fetch;
  return typeof own === 'function' ? (own as Fetch) : undefined;
}

/**
 * Google's Gemini API, and APIs compatible with its `generateContent`.
 *
 * Loads `@google/genai` at the first call. A missing key fails that call with an `auth` error, so that other targets
 * can still answer. The only environment variables it reads are `GOOGLE_API_KEY` and `GEMINI_API_KEY`.
 *
 * @throws SignalboxError `config` when a setting is unknown or malformed.
 */
export function google(settings: GoogleSettings = {}): Provider {
  const read = readSettings(settings);
  const sender = lazily(async () =>
    read.own === undefined
      ? sdkSender(
          read.client,
          guardedFetch({
            fetch: fetchOf(read.client),
            headers: 'as-is',
            renewsKey: renewsKey(read.client),
          }),
        )
      : directSender(read.own),
  );
  const preload = async (): Promise<void> => {
    if (read.own !== undefined) await loadWebSdk();
  };
  const { own } = read;
  const keyCount = keyCountOf(own?.apiKey);
  const keyFor = keyForOf(keyPath, own?.apiKey);
  return {
    ...geminiProvider({ sender, preload }),
    ...geminiEmbeddings(sender),
    ...providerFieldsOf(settings),
    keyCount,
    ...(own !== undefined && {
      keySource: (index: number) => keySourceOf(keyPath, own.apiKey, variablesOf(own), index),
    }),
    ...(keyFor !== undefined && { keyFor }),
  };
}
