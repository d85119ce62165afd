import type { APIPromise, OpenAI as Sdk } from 'openai';
import { isSignalboxError, SignalboxError } from '../../errors.ts';
import { userAgent } from '../../internal/version.ts';
import type { AttemptContext, Provider } from '../../protocol/provider.ts';
import {
  type Fetch,
  type GuardOptions,
  guardedFetch,
  type TransportSettings,
  withCapture,
} from '../../transport/guarded-fetch.ts';
import type { Reply } from '../../transport/read-reply.ts';
import { isObject, objectOf } from '../../wires/common/read.ts';
import {
  type ApiKey,
  currentKey,
  headerTable,
  isHostOf,
  type KeyVariables,
  keyCountOf,
  keyForOf,
  keySourceOf,
  keyVariablesFor,
  optionalKey,
  withKey,
} from '../common/keys.ts';
import {
  exchangeOfClient,
  hasOwnFetch,
  lazily,
  lazySdk,
  SdkComposedRequests,
  unparsed,
  whenReady,
} from '../common/sdk.ts';
import {
  checkSettings,
  clientConflicts,
  type ProviderSettings,
  providerFieldsOf,
  providerShape,
  type SettingKind,
  transportOf,
  transportShape,
} from '../common/settings.ts';

/**
 * The part of an OpenAI client that signalbox uses. An `OpenAI` or `AzureOpenAI` of the package `openai` matches, with
 * any provider.
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

/** How to connect to an API that uses one of OpenAI's wires. */
export type OpenAIConnectionSettings = ProviderSettings &
  (
    | (TransportSettings & {
        /**
         * The key, or a function that returns the current one for each attempt, or the one for the call's tags.
         * @default the environment variable `OPENAI_API_KEY`, read at each call. It is sent only to OpenAI's hosts and
         * to this machine; through `openaiChat()` every other host gets the key `none`.
         */
        readonly apiKey?: ApiKey | undefined;
        /** Including the version. @default 'https://api.openai.com/v1' */
        readonly baseURL?: string | undefined;
        /** Sent with every request. They override signalbox's headers. */
        readonly headers?: Readonly<Record<string, string>> | undefined;
        readonly client?: undefined;
      })
    | {
        /** A client you created. Its key, URL and headers are used unchanged; its retries are turned off. */
        readonly client: OpenAIClient;
      }
  );

export const connectionShape = {
  apiKey: 'key',
  baseURL: 'url',
  headers: 'headers',
  ...transportShape,
  ...providerShape,
  client: 'object',
} as const satisfies Record<string, SettingKind>;

const defaultBaseURL = 'https://api.openai.com/v1';

/** What differs between vendors that use one of OpenAI's wires. All defaults are OpenAI's. */
export type ConnectionRules = {
  /** Whether the key is optional: never, always, or when the URL is not OpenAI's. */
  readonly key: 'required' | 'optional' | 'optional-elsewhere';
  readonly baseURL?: string;
  readonly keyVariables?: readonly string[];
  /** The hosts that a key from these variables may be sent to, subdomains included. */
  readonly keyHosts?: readonly string[] | 'any';
  /** The URL set by the caller, if `baseURL` is derived from it. */
  readonly givenURL?: string;
  /** The header of the key. `authorization` sends it as a bearer token, any other header unchanged. */
  readonly authHeader?: string;
  /** The name of the setting with the key, for error messages. @default 'apiKey' */
  readonly keySetting?: 'apiKey' | 'token';
  readonly query?: Readonly<Record<string, string>>;
  /** The path appended to the URL for a model (`/deployments/<name>`). @default none */
  readonly pathOf?: (model: string) => string;
};

const openAIKeyVariables = ['OPENAI_API_KEY'];

const openAIHosts = ['api.openai.com'];

/** The longest delay of Node's timers, in effect no timeout. The engine applies its own timeouts. */
const noTimeoutMs = 2 ** 31 - 1;

/** Far more than the deployments of one process. A bound is needed because the configuration may change at any time. */
const maxPaths = 500;

const loadOpenAI = lazySdk('openai', () => import('openai'));

export type OpenAIConnection = {
  /** Whether requests go to OpenAI's hosts. Its rules differ from those of compatible vendors. */
  readonly isOpenAI: boolean;
  /** The number of keys in the pool. */
  readonly keyCount: number;
  /** What the settings set on the provider. */
  readonly fields: ReturnType<typeof providerFieldsOf>;
  preload(): Promise<void>;
  /** Absent for a client of the caller. */
  readonly keys: Pick<Provider, 'keySource' | 'keyFor'>;
  /**
   * The client for a model, created on first use. Later uses get it without a promise.
   * @throws SignalboxError `auth` without a key, `config` when the SDK is missing or rejects its settings.
   */
  client(model: string): OpenAIClient | Promise<OpenAIClient>;
};

/** OpenAI's hosts: api.openai.com and its regional subdomains (eu.api.openai.com). */
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

/** The client's `fetch`, if it has a custom one or fetch options such as a dispatcher. */
function fetchOf(client: object): Fetch | undefined {
  const own: unknown = Reflect.get(client, 'fetch');
  const options: unknown = Reflect.get(client, 'fetchOptions') ?? undefined;
  const isPlain = own === globalThis.fetch && options === undefined;
  return typeof own === 'function' && !isPlain ? (own as Fetch) : undefined;
}

/** Whether the client asks a function for its key, such as a token provider of Azure or its own `fetch`. */
function renewsKey(client: object): NonNullable<GuardOptions['renewsKey']> {
  const { apiKey, workloadIdentity } = objectOf(Reflect.get(client, '_options'));
  if (typeof apiKey === 'function' || isObject(workloadIdentity)) return 'in-headers';
  return hasOwnFetch(client) ? 'unseen' : 'no';
}

/** The caller's client, with its requests sent through the guard. */
function guardClient(client: OpenAIClient): OpenAIClient {
  return client.withOptions({
    maxRetries: 0,
    timeout: noTimeoutMs,
    fetch: guardedFetch({
      fetch: fetchOf(client),
      headers: 'as-is',
      renewsKey: renewsKey(client),
    }),
  });
}

/** Set explicitly, because OPENAI_CUSTOM_HEADERS could set them otherwise. */
const fixedHeaders = {
  accept: 'application/json',
  'content-type': 'application/json',
  'user-agent': userAgent,
};

/** Headers with a credential. If the caller sets one, no key is needed. */
const credentialHeaders = ['authorization', 'api-key'];

type OwnHeaders = Exclude<GuardOptions['headers'], 'as-is'>;
type OwnSettings = Extract<OpenAIConnectionSettings, { client?: undefined }>;

/** The headers of a request. They are computed for each request, because the key may change. */
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
  const hasCredential = hasCredentialHeader(settings, authHeader);
  const scheme = authHeader === 'authorization' ? 'Bearer ' : '';
  return (index, callKey) => {
    if (hasCredential) return { ...fixedHeaders, ...headers };
    const choice = { index, callKey };
    const key = keyIsOptional
      ? (optionalKey(path, settings.apiKey, names, choice) ?? 'none')
      : currentKey(path, settings.apiKey, names, choice, withheld);
    return withKey(key, (now) => ({ ...fixedHeaders, [authHeader]: scheme + now, ...headers }));
  };
}

/** Whether the caller sets a header with a credential, so that no key is sent. */
function hasCredentialHeader({ headers = {} }: OwnSettings, authHeader: string): boolean {
  const given = headerTable(headers);
  return [...credentialHeaders, authHeader].some((name) => given[name] !== undefined);
}

function sourceOf(
  factory: string,
  settings: OwnSettings,
  { authHeader = 'authorization', keySetting = 'apiKey' }: ConnectionRules,
  variables: KeyVariables,
  keyIsOptional: boolean,
  index: number,
): string {
  if (hasCredentialHeader(settings, authHeader)) return `${factory}().headers`;
  const path = `${factory}().${keySetting}`;
  try {
    return keySourceOf(path, settings.apiKey, variables, index);
  } catch (error) {
    if (keyIsOptional) return `no setting, because ${path} is not set`;
    throw error;
  }
}

/** Where the keys come from. */
function keysOf(
  factory: string,
  settings: OwnSettings,
  rules: ConnectionRules,
  variables: KeyVariables,
  keyIsOptional: boolean,
): OpenAIConnection['keys'] {
  const { authHeader = 'authorization', keySetting = 'apiKey' } = rules;
  const keyFor = hasCredentialHeader(settings, authHeader)
    ? undefined
    : keyForOf(`${factory}().${keySetting}`, settings.apiKey);
  return {
    keySource: (index) => sourceOf(factory, settings, rules, variables, keyIsOptional, index),
    ...(keyFor !== undefined && { keyFor }),
  };
}

async function makeClient(
  baseURL: string,
  settings: OwnSettings,
  rules: ConnectionRules,
  headers: OwnHeaders,
): Promise<OpenAIClient> {
  const { OpenAI } = await loadOpenAI();
  const guard: GuardOptions = { ...transportOf(settings), headers };
  class RouterOpenAI extends OpenAI {
    readonly #requests = new SdkComposedRequests(this, guard);

    override request<Rsp>(options: Parameters<Sdk['request']>[0]): APIPromise<Rsp> {
      // The result has the methods of the SDK's promise that the SDK uses.
      const sent: unknown = this.#requests.request(options);
      return sent as APIPromise<Rsp>;
    }
  }
  // Every option is set, so that no OPENAI_* variable applies. The guard sets the headers, including the key.
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
 * Creates the connection of one provider. Loads nothing and reads no variable before the first call.
 *
 * @throws SignalboxError `config` when a setting is unknown, conflicting or malformed.
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
  const conflicts = clientConflicts(settings, ['client']);
  if (given !== undefined && conflicts.length > 0) {
    const names = conflicts.map((name) => `${factory}().${name}`).join(', ');
    throw new SignalboxError(
      'config',
      `${names}: cannot be set together with client, which has its own`,
    );
  }
  const own = settings.client === undefined ? settings : {};
  const baseURL = own.baseURL ?? rules.baseURL ?? defaultBaseURL;
  const isOpenAI = isOpenAIHost(given === undefined ? baseURL : Reflect.get(given, 'baseURL'));
  const keyIsOptional =
    rules.key === 'optional' || (rules.key === 'optional-elsewhere' && !isOpenAI);
  const { keyVariables = openAIKeyVariables, keyHosts = openAIHosts } = rules;
  // Other vendors' servers do not get OpenAI's key, even on this machine.
  const variables =
    rules.key === 'optional-elsewhere' && !isOpenAI
      ? { names: [] }
      : keyVariablesFor(own.baseURL ?? rules.givenURL, keyVariables, keyHosts);
  const client = lazily(async () => {
    try {
      if (settings.client !== undefined) return guardClient(settings.client);
      const headers = ownHeaders(factory, settings, rules, variables, keyIsOptional);
      return await makeClient(baseURL, settings, rules, headers);
    } catch (cause) {
      if (isSignalboxError(cause)) throw cause;
      throw new SignalboxError('config', `${factory}(): the SDK rejected its settings`, { cause });
    }
  });
  const clientByPath = new Map<string, OpenAIClient>();
  function clientAt(path: string, made: OpenAIClient): OpenAIClient {
    const known = clientByPath.get(path);
    if (known !== undefined) return known;
    if (clientByPath.size >= maxPaths) clientByPath.clear();
    const client = made.withOptions({ baseURL: `${baseURL}${path}` });
    clientByPath.set(path, client);
    return client;
  }
  return {
    isOpenAI,
    fields: providerFieldsOf(settings),
    keyCount: settings.client === undefined ? keyCountOf(settings.apiKey) : 1,
    keys: given === undefined ? keysOf(factory, own, rules, variables, keyIsOptional) : {},
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
 * Makes one request through the SDK. `call` must pass the options on to the SDK's method.
 * @throws SignalboxError of the exchange; `auth` when the SDK fails before it sends the request, for example because
 * the client's token provider fails.
 */
export function openAIExchange(
  context: AttemptContext,
  call: (options: object) => PromiseLike<unknown>,
): Promise<Reply> {
  return exchangeOfClient(context, (capture) =>
    unparsed(call({ maxRetries: 0, fetchOptions: withCapture(capture) })),
  );
}
