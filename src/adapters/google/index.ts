import type { Provider } from '../../protocol/provider.ts';
import { type Fetch, guardedFetch, sendGuarded } from '../../transport/guarded-fetch.ts';
import { userAgent } from '../../transport/user-agent.ts';
import { objectOf } from '../../wires/common/read.ts';
import { currentKey, headerTable, keyCountOf, withKey } from '../common/api-key.ts';
import { keyVariablesFor } from '../common/key-hosts.ts';
import { lazily } from '../common/lazily.ts';
import { answerBoundOf } from '../common/settings.ts';
import { geminiEmbeddings, geminiProvider } from './gemini-provider.ts';
import { type Method, type Road, sdkRoad } from './gemini-sender.ts';
import {
  type GoogleSettings,
  keyHosts,
  loadWebSdk,
  type OwnClientSettings,
  readSettings,
} from './options.ts';

export type { ApiKey } from '../common/api-key.ts';
export type { GoogleClient, GoogleSettings } from './options.ts';
export { type VertexSettings, vertex } from './vertex.ts';

/** The SDK's own order of preference. */
const keyVariables = ['GOOGLE_API_KEY', 'GEMINI_API_KEY'];

/** Where the SDK's `request` would send to: the path may have a query already. */
function addressOf(base: string, path: string, query: Record<string, string> = {}): string {
  const more = String(new URLSearchParams(query));
  if (more === '') return `${base}/${path}`;
  return `${base}/${path}${path.includes('?') ? '&' : '?'}${more}`;
}

/** Where a method's requests for a model go. */
type Addresses = (method: Method, model: string) => Promise<string>;

async function addressesOf({ apiVersion, baseURL }: OwnClientSettings): Promise<Addresses> {
  const { GoogleGenAI } = await loadWebSdk();
  /** Tells the `fetch` that it is handed where a request goes, and sends none. */
  class Compass extends GoogleGenAI {
    constructor(options: ConstructorParameters<typeof GoogleGenAI>[0]) {
      super(options);
      const { apiClient } = this;
      const tell = ({
        path,
        queryParams,
        httpOptions,
      }: Parameters<typeof apiClient.request>[0]) => {
        const { fetch } = httpOptions ?? {};
        if (fetch === undefined) throw new Error('the SDK has not handed on its options');
        void fetch(addressOf(apiClient.getRequestUrl(), path, queryParams));
        // Nobody waits for what the SDK would make of an answer.
        return new Promise<never>(() => undefined);
      };
      apiClient.request = tell;
      apiClient.requestStream = tell;
    }
  }
  const { models } = new Compass({
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
      const asked = { model, contents: 'anything', config: { httpOptions: { fetch } } };
      models[method](asked).catch(reject);
    });
}

/**
 * The body is in the API's words already, so that all there is for the SDK to say is where to send it, which is the
 * same each time. It is asked once for each model: what it does besides takes a good part of a call's time.
 */
async function ownRoad(settings: OwnClientSettings): Promise<Road> {
  const ask = await addressesOf(settings);
  const known = new Map<string, string>();
  const given = headerTable(settings.headers);
  const { names, withheld } = keyVariablesFor(settings.givenURL, keyVariables, keyHosts);
  const headers = (index: number) =>
    withKey(currentKey('google().apiKey', settings.apiKey, names, index, withheld), (key) => ({
      'content-type': 'application/json',
      'user-agent': userAgent,
      'x-goog-api-key': key,
      ...given,
    }));
  const guard = { ...settings.transport, headers };
  return {
    async send(method, { model, body }, capture) {
      const place = `${method} ${model}`;
      let url = known.get(place);
      if (url === undefined) {
        url = await ask(method, model);
        if (known.size >= mostAddresses) known.clear();
        known.set(place, url);
      }
      sendGuarded(guard, url, { method: 'POST', body: JSON.stringify(body) }, capture);
    },
  };
}

/** Far more than one process has models at a time; a configuration may change for ever. */
const mostAddresses = 500;

/** The client's own `fetch`, which is kept in its HTTP options. */
function fetchOf(client: object): Fetch | undefined {
  const own = objectOf(Reflect.get(client, 'httpOptions')).fetch;
  return typeof own === 'function' ? (own as Fetch) : undefined;
}

/**
 * Google's Gemini API, and whatever speaks its `generateContent`.
 *
 * Loads `@google/genai` at the first call. A missing key is an `auth` error of that call, so that other
 * targets can still answer. Reads no environment variables other than `GOOGLE_API_KEY` and `GEMINI_API_KEY`.
 *
 * @throws SignalboxError `config` for settings that are unknown or malformed.
 */
export function google(settings: GoogleSettings = {}): Provider {
  const read = readSettings(settings);
  const road = lazily(async () =>
    read.own === undefined
      ? sdkRoad(read.client, guardedFetch({ fetch: fetchOf(read.client), headers: 'as-is' }))
      : ownRoad(read.own),
  );
  const preload = async (): Promise<void> => {
    if (read.own !== undefined) await loadWebSdk();
  };
  const keyCount = keyCountOf(read.own?.apiKey);
  return {
    ...geminiProvider({ road, preload }),
    ...geminiEmbeddings(road),
    ...answerBoundOf(settings),
    keyCount,
  };
}
