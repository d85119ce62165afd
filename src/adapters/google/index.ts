import type { Provider } from '../../protocol/provider.ts';
import { type Fetch, guardedFetch } from '../../transport/guarded-fetch.ts';
import { currentKey, headerTable, keyCountOf, withKey } from '../common/api-key.ts';
import { lazily } from '../common/lazily.ts';
import { objectOf } from '../common/read.ts';
import { geminiEmbeddings, geminiProvider, type Road } from './gemini-provider.ts';
import {
  type GoogleClient,
  type GoogleSettings,
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

async function makeRoad(settings: OwnClientSettings): Promise<Road> {
  const { GoogleGenAI } = await loadWebSdk();
  /**
   * The SDK's methods say what to ask and where, and the guard sends it. What the SDK's own `request` does besides
   * is headers that the guard drops, retries, clocks and copies of its options.
   */
  class PlainGoogle extends GoogleGenAI {
    constructor(options: ConstructorParameters<typeof GoogleGenAI>[0]) {
      super(options);
      const { apiClient } = this;
      const send = async (asked: Parameters<typeof apiClient.request>[0]): Promise<never> => {
        const { path, queryParams, body, httpMethod: method, httpOptions = {} } = asked;
        const { fetch, extraBody } = httpOptions;
        if (fetch === undefined || typeof body !== 'string') {
          throw new Error('a client of signalbox was used for something else');
        }
        const whole = JSON.stringify({ ...JSON.parse(body), ...extraBody });
        const url = addressOf(apiClient.getRequestUrl(), path, queryParams);
        await fetch(url, { method, body: whole });
        // Nobody waits for what the SDK would make of the answer: the guard has it.
        return new Promise(() => undefined);
      };
      apiClient.request = send;
      apiClient.requestStream = send;
    }
  }
  const client = new PlainGoogle({
    apiKey: 'set by the guard',
    vertexai: false,
    apiVersion: settings.apiVersion,
    httpOptions: { baseUrl: settings.baseURL },
  });
  const given = headerTable(settings.headers);
  const headers = (index: number) =>
    withKey(currentKey('google().apiKey', settings.apiKey, keyVariables, index), (key) => ({
      'content-type': 'application/json',
      'user-agent': 'signalbox',
      'x-goog-api-key': key,
      ...given,
    }));
  return { client, guard: guardedFetch({ ...settings.transport, headers }) };
}

/** The client's own `fetch`, which is kept in its HTTP options. */
function fetchOf(client: object): Fetch | undefined {
  const own = objectOf(Reflect.get(client, 'httpOptions')).fetch;
  return typeof own === 'function' ? (own as Fetch) : undefined;
}

function guardRoad(client: GoogleClient): Road {
  return { client, guard: guardedFetch({ fetch: fetchOf(client), headers: 'as-is' }) };
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
    read.own === undefined ? guardRoad(read.client) : makeRoad(read.own),
  );
  const preload = async (): Promise<void> => {
    if (read.own !== undefined) await loadWebSdk();
  };
  const keyCount = keyCountOf(read.own?.apiKey);
  return { ...geminiProvider({ road, preload }), ...geminiEmbeddings(road), keyCount };
}
