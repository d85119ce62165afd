import type { APIPromise, OpenAI as Sdk } from 'openai';
import { isSignalboxError, SignalboxError } from '../../errors.ts';
import type { AttemptContext } from '../../protocol/provider.ts';
import type { Reply } from '../../transport/body/read-reply.ts';
import {
  type Fetch,
  type GuardOptions,
  guardedFetch,
  type TransportSettings,
  withCapture,
} from '../../transport/guarded-fetch.ts';
import { userAgent } from '../../transport/user-agent.ts';
import {
  type ApiKey,
  currentKey,
  headerTable,
  keyCountOf,
  optionalKey,
  withKey,
} from '../common/api-key.ts';
import { exchangeOfClient } from '../common/exchange-of-client.ts';
import { isHostOf, type KeyVariables, keyVariablesFor } from '../common/key-hosts.ts';
import { lazily, whenReady } from '../common/lazily.ts';
import { lazySdk } from '../common/sdk.ts';
import {
  type AnswerSettings,
  answerBoundOf,
  answerShape,
  besideClient,
  checkSettings,
  type SettingKind,
  transportShape,
} from '../common/settings.ts';
import { SdkComposedRequests, unparsed } from './sdk-composed-request.ts';

/**
 * What signalbox uses of an OpenAI client. An `OpenAI` or `AzureOpenAI` of the package `openai` fits, whatever
 * its provider.
 */
export interface OpenAIClient {
  readonly responses: { create(body: object, options?: object): PromiseLike<unknown> };
  readonly chat: {
    readonly completions: { create(body: object, options?: object): PromiseLike<unknown> };
  };
  readonly embeddings: { create(body: object, options?: object): PromiseLike<unknown> };
  readonly images: { generate(body: object, options?: object): PromiseLike<unknown> };
  withOptions(options: object): OpenAIClient;
}

/** How to reach an API that speaks one of OpenAI's wires. */
export type OpenAIConnectionSettings = AnswerSettings &
  (
    | (TransportSettings & {
        /**
         * The key, or a function that gives the current one for each attempt.
         * @default the environment variable `OPENAI_API_KEY`, read at each call. It is sent to OpenAI's own
         * hosts and to this machine only; through `openaiChat()` every other host gets the key `none`.
         */
        readonly apiKey?: ApiKey;
        /** With its version. @default 'https://api.openai.com/v1' */
        readonly baseURL?: string;
        /** Sent with every request, over signalbox's own. */
        readonly headers?: Readonly<Record<string, string>>;
        readonly client?: undefined;
      })
    | {
        /** A client you made. Its key, address and headers are used as they are; its retries are turned off. */
        readonly client: OpenAIClient;
      }
  );

export const connectionShape = {
  apiKey: 'key',
  baseURL: 'url',
  headers: 'headers',
  ...transportShape,
  ...answerShape,
  client: 'object',
} as const satisfies Record<string, SettingKind>;

const defaultBaseURL = 'https://api.openai.com/v1';

/** What a brand on one of OpenAI's wires has of its own; all defaults are OpenAI's. */
export type ConnectionRules = {
  /** Whether it may go without a key: never, always, or when the address is not OpenAI's. */
  readonly key: 'required' | 'optional' | 'optional-elsewhere';
  readonly baseURL?: string;
  readonly keyVariables?: readonly string[];
  /** Hosts that a key of these variables may go to, subdomains included. */
  readonly keyHosts?: readonly string[] | 'any';
  /** The address that the caller set, where the brand makes its `baseURL` of it. */
  readonly givenURL?: string;
  /** The header of the key: `authorization` carries it as a bearer token, any other as it is. */
  readonly authHeader?: string;
  /** What the brand calls the setting of its key. @default 'apiKey' */
  readonly keySetting?: 'apiKey' | 'token';
  readonly query?: Readonly<Record<string, string>>;
  /** What the address gets for a model (`/deployments/<name>`), where it is not the same for all. */
  readonly pathOf?: (model: string) => string;
};

const openAIKeyVariables = ['OPENAI_API_KEY'];

const openAIHosts = ['api.openai.com'];

/** The longest delay of Node's timers: in effect no timeout, since the engine has its own. */
const noTimeoutMs = 2 ** 31 - 1;

/** Far more than one process has deployments at a time; a configuration may change for ever. */
const mostPaths = 500;

const loadOpenAI = lazySdk('openai', () => import('openai'));

export type OpenAIConnection = {
  /** Whether the requests go to OpenAI itself, whose rules differ from those of its imitators. */
  readonly isOpenAI: boolean;
  /** How many keys there are, for a pool. */
  readonly keyCount: number;
  /** The bound of an answer, where one is set. */
  readonly bound: { readonly maxAnswerBytes?: number };
  preload(): Promise<void>;
  /**
   * The client for a model, made on first use; from then on it is there at once.
   * @throws SignalboxError `auth` without a key, `config` when the SDK is missing or refuses its settings.
   */
  client(model: string): OpenAIClient | Promise<OpenAIClient>;
};

/** OpenAI's own hosts: api.openai.com and its regional ones (eu.api.openai.com). */
function isOpenAIHost(baseURL: unknown): boolean {
  if (typeof baseURL !== 'string' || !URL.canParse(baseURL)) return false;
  return isHostOf(new URL(baseURL).hostname, openAIHosts);
}

function isClient(value: object): value is OpenAIClient {
  return (
    'responses' in value &&
    'chat' in value &&
    'withOptions' in value &&
    typeof value.withOptions === 'function'
  );
}

/** The client's own way to fetch, if it has one: a `fetch`, or a dispatcher among its fetch options. */
function fetchOf(client: object): Fetch | undefined {
  const own: unknown = Reflect.get(client, 'fetch');
  const options: unknown = Reflect.get(client, 'fetchOptions') ?? undefined;
  const isPlain = own === globalThis.fetch && options === undefined;
  return typeof own === 'function' && !isPlain ? (own as Fetch) : undefined;
}

/** The user's own client, with its requests going through the guard. */
function adopt(client: OpenAIClient): OpenAIClient {
  return client.withOptions({
    maxRetries: 0,
    timeout: noTimeoutMs,
    fetch: guardedFetch({ fetch: fetchOf(client), headers: 'as-is' }),
  });
}

/** What the guard would let OPENAI_CUSTOM_HEADERS set. */
const fixedHeaders = {
  accept: 'application/json',
  'content-type': 'application/json',
  'user-agent': userAgent,
};

/** Headers that carry a credential; with one of them no key is needed. */
const credentialHeaders = ['authorization', 'api-key'];

type OwnHeaders = Exclude<GuardOptions['headers'], 'as-is'>;
type OwnSettings = Extract<OpenAIConnectionSettings, { client?: undefined }>;

/** The headers of each request: the key may be another one every time. */
function ownHeaders(
  factory: string,
  settings: OwnSettings,
  rules: ConnectionRules,
  { names, withheld }: KeyVariables,
  keyIsOptional: boolean,
): OwnHeaders {
  const { authHeader = 'authorization' } = rules;
  const path = `${factory}().${rules.keySetting ?? 'apiKey'}`;
  const headers = headerTable(settings.headers ?? {});
  const hasCredential = [...credentialHeaders, authHeader].some(
    (name) => headers[name] !== undefined,
  );
  const scheme = authHeader === 'authorization' ? 'Bearer ' : '';
  return (index) => {
    if (hasCredential) return { ...fixedHeaders, ...headers };
    const key = keyIsOptional
      ? (optionalKey(path, settings.apiKey, names, index) ?? 'none')
      : currentKey(path, settings.apiKey, names, index, withheld);
    return withKey(key, (now) => ({ ...fixedHeaders, [authHeader]: scheme + now, ...headers }));
  };
}

async function makeClient(
  baseURL: string,
  settings: OwnSettings,
  rules: ConnectionRules,
  headers: OwnHeaders,
): Promise<OpenAIClient> {
  const { OpenAI } = await loadOpenAI();
  const guard: GuardOptions = { fetch: settings.fetch, dispatcher: settings.dispatcher, headers };
  class RouterOpenAI extends OpenAI {
    readonly #requests = new SdkComposedRequests(this, guard);

    override request<Rsp>(asked: Parameters<Sdk['request']>[0]): APIPromise<Rsp> {
      // It has what the SDK's methods use of the SDK's own promise.
      const sent: unknown = this.#requests.request(asked);
      return sent as APIPromise<Rsp>;
    }
  }
  // Everything is said, so that no OPENAI_* variable has a say; the guard fixes the headers, the key included.
  return new RouterOpenAI({
    apiKey: 'set by the guard',
    baseURL,
    organization: null,
    project: null,
    adminAPIKey: null,
    webhookSecret: null,
    maxRetries: 0,
    timeout: noTimeoutMs,
    logLevel: 'off',
    ...(rules.query !== undefined && { defaultQuery: rules.query }),
    fetch: guardedFetch(guard),
  });
}

/**
 * Prepares the connection of one provider. Nothing is loaded and no variable read before the first call.
 *
 * @throws SignalboxError `config` for unknown, contradicting or malformed settings.
 */
export function openAIConnection(
  factory: string,
  settings: OpenAIConnectionSettings,
  rules: ConnectionRules,
): OpenAIConnection {
  checkSettings(factory, settings, connectionShape);
  const given = settings.client;
  if (given !== undefined && !isClient(given)) {
    throw new SignalboxError(
      'config',
      `${factory}().client: must be a client of the package openai`,
    );
  }
  const beside = besideClient(settings, ['client', 'maxAnswerBytes']);
  if (given !== undefined && beside.length > 0) {
    const names = beside.map((name) => `${factory}().${name}`).join(', ');
    throw new SignalboxError('config', `${names}: cannot be set beside client, which has its own`);
  }
  const own = settings.client === undefined ? settings : {};
  const baseURL = own.baseURL ?? rules.baseURL ?? defaultBaseURL;
  const isOpenAI = isOpenAIHost(given === undefined ? baseURL : Reflect.get(given, 'baseURL'));
  const keyIsOptional =
    rules.key === 'optional' || (rules.key === 'optional-elsewhere' && !isOpenAI);
  const { keyVariables = openAIKeyVariables, keyHosts = openAIHosts } = rules;
  // Another vendor's server on this machine has no use for OpenAI's key either.
  const variables =
    rules.key === 'optional-elsewhere' && !isOpenAI
      ? { names: [] }
      : keyVariablesFor(own.baseURL ?? rules.givenURL, keyVariables, keyHosts);
  const client = lazily(async () => {
    try {
      if (settings.client !== undefined) return adopt(settings.client);
      const headers = ownHeaders(factory, settings, rules, variables, keyIsOptional);
      return await makeClient(baseURL, settings, rules, headers);
    } catch (cause) {
      if (isSignalboxError(cause)) throw cause;
      throw new SignalboxError('config', `${factory}(): the SDK refused its settings`, { cause });
    }
  });
  const atPaths = new Map<string, OpenAIClient>();
  function clientAt(path: string, made: OpenAIClient): OpenAIClient {
    const known = atPaths.get(path);
    if (known !== undefined) return known;
    if (atPaths.size >= mostPaths) atPaths.clear();
    const client = made.withOptions({ baseURL: `${baseURL}${path}` });
    atPaths.set(path, client);
    return client;
  }
  return {
    isOpenAI,
    bound: answerBoundOf(settings),
    keyCount: settings.client === undefined ? keyCountOf(settings.apiKey) : 1,
    preload: async () => {
      if (given === undefined) await loadOpenAI();
    },
    client(model) {
      const path = given === undefined ? rules.pathOf?.(model) : undefined;
      return whenReady(client(), (made) => (path === undefined ? made : clientAt(path, made)));
    },
  };
}

/**
 * Has the SDK make one request; `call` gets the request options to pass on.
 * @throws SignalboxError of the exchange, and `auth` when the SDK gives up before it sends anything, as it
 * does when a client's own source of tokens fails.
 */
export function openAIExchange(
  context: AttemptContext,
  call: (options: object) => PromiseLike<unknown>,
): Promise<Reply> {
  return exchangeOfClient(context, (capture) =>
    unparsed(call({ maxRetries: 0, fetchOptions: withCapture(capture) })),
  );
}
