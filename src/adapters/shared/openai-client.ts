import { isSignalboxError, SignalboxError } from '../../errors.ts';
import type { AttemptContext } from '../../protocol/provider.ts';
import { exchange } from '../../transport/exchange.ts';
import { type Fetch, guardedFetch, withTap } from '../../transport/guarded-fetch.ts';
import type { Reply } from '../../transport/read-reply.ts';
import { lazySdk, requireKey, settingOrEnvironment } from './sdk.ts';
import { checkSettings, type SettingKind } from './settings.ts';

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
export type OpenAIConnectionSettings =
  | {
      /**
       * @default the environment variable `OPENAI_API_KEY`, read at the first call. It is never sent to a
       * `baseURL` of another vendor through `openaiChat()`; such a vendor then gets the key `none`.
       */
      readonly apiKey?: string;
      /** With its version. @default 'https://api.openai.com/v1' */
      readonly baseURL?: string;
      /** Sent with every request, over signalbox's own. */
      readonly headers?: Readonly<Record<string, string>>;
      /** Makes the requests instead of Node's `fetch`; proxies and its timeouts are then its business. */
      readonly fetch?: Fetch;
      readonly client?: undefined;
    }
  | {
      /** A client you made. Its key, address and headers are used as they are; its retries are turned off. */
      readonly client: OpenAIClient;
    };

export const connectionShape = {
  apiKey: 'string',
  baseURL: 'url',
  headers: 'headers',
  fetch: 'function',
  client: 'object',
} as const satisfies Record<string, SettingKind>;

const defaultBaseURL = 'https://api.openai.com/v1';
const keyVariables = ['OPENAI_API_KEY'];

/** The longest delay of Node's timers: in effect no timeout, since the engine has its own. */
const noTimeoutMs = 2 ** 31 - 1;

const loadOpenAI = lazySdk('openai', () => import('openai'));

export type OpenAIConnection = {
  /** Whether the requests go to OpenAI itself, whose rules differ from those of its imitators. */
  readonly isOpenAI: boolean;
  preload(): Promise<void>;
  /**
   * The client, made on first use.
   * @throws SignalboxError `auth` without a key, `config` when the SDK is missing or refuses its settings.
   */
  client(): Promise<OpenAIClient>;
};

/** OpenAI's own hosts: api.openai.com and its regional ones (eu.api.openai.com). */
function isOpenAIHost(baseURL: unknown): boolean {
  if (typeof baseURL !== 'string' || !URL.canParse(baseURL)) return false;
  return /^(?:[a-z0-9-]+\.)?api\.openai\.com$/.test(new URL(baseURL).hostname);
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
  'user-agent': 'signalbox',
};

/** Headers that carry a credential; with one of them no key is needed. */
const credentialHeaders = ['authorization', 'api-key'];

function lowerCased(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
}

function own(
  factory: string,
  settings: Extract<OpenAIConnectionSettings, { client?: undefined }>,
  keyIsOptional: boolean,
): () => Promise<OpenAIClient> {
  const headers = lowerCased(settings.headers ?? {});
  const hasCredential = credentialHeaders.some((name) => headers[name] !== undefined);
  return async () => {
    const apiKey =
      keyIsOptional || hasCredential
        ? (settingOrEnvironment(settings.apiKey, []) ?? 'none')
        : requireKey(factory, settings.apiKey, keyVariables);
    const { OpenAI } = await loadOpenAI();
    // Everything is said, so that no OPENAI_* variable has a say; the guard fixes the headers.
    return new OpenAI({
      apiKey,
      baseURL: settings.baseURL ?? defaultBaseURL,
      organization: null,
      project: null,
      adminAPIKey: null,
      webhookSecret: null,
      maxRetries: 0,
      timeout: noTimeoutMs,
      logLevel: 'off',
      fetch: guardedFetch({
        fetch: settings.fetch,
        headers: {
          ...fixedHeaders,
          ...(hasCredential ? {} : { authorization: `Bearer ${apiKey}` }),
          ...headers,
        },
      }),
    });
  };
}

/**
 * Prepares the connection of one provider. Nothing is loaded and no variable read before the first call.
 * `keyRule` says whether a vendor other than OpenAI may go without a key.
 *
 * @throws SignalboxError `config` for unknown, contradicting or malformed settings.
 */
export function openAIConnection(
  factory: string,
  settings: OpenAIConnectionSettings,
  keyRule: 'required' | 'optional-elsewhere',
): OpenAIConnection {
  checkSettings(factory, settings, connectionShape);
  const given = settings.client;
  if (given !== undefined && !isClient(given)) {
    throw new SignalboxError(
      'config',
      `${factory}().client: must be a client of the package openai`,
    );
  }
  const beside = Object.entries(settings).filter(
    ([name, value]) => name !== 'client' && value !== undefined,
  );
  if (given !== undefined && beside.length > 0) {
    const names = beside.map(([name]) => `${factory}().${name}`).join(', ');
    throw new SignalboxError('config', `${names}: cannot be set beside client, which has its own`);
  }
  const isOpenAI = isOpenAIHost(
    given === undefined ? (settings.baseURL ?? defaultBaseURL) : Reflect.get(given, 'baseURL'),
  );
  const make =
    settings.client === undefined
      ? own(factory, settings, keyRule === 'optional-elsewhere' && !isOpenAI)
      : async () => adopt(settings.client);
  let made: OpenAIClient | undefined;
  return {
    isOpenAI,
    preload: async () => {
      if (given === undefined) await loadOpenAI();
    },
    client: async () => {
      try {
        made ??= await make();
      } catch (cause) {
        if (isSignalboxError(cause)) throw cause;
        throw new SignalboxError('config', `${factory}(): the SDK refused its settings`, { cause });
      }
      return made;
    },
  };
}

/**
 * Has the SDK make one request; `call` gets the request options to pass on.
 * @throws SignalboxError of {@link exchange}, and `auth` when the SDK gives up before it sends anything, as it
 * does when a client's own source of tokens fails.
 */
export async function openAIExchange(
  context: AttemptContext,
  call: (options: object) => PromiseLike<unknown>,
): Promise<Reply> {
  try {
    return await exchange(context, (tap) => call({ maxRetries: 0, fetchOptions: withTap(tap) }));
  } catch (cause) {
    context.signal.throwIfAborted();
    if (isSignalboxError(cause)) throw cause;
    throw new SignalboxError(
      'auth',
      "the SDK gave up before it sent the request: check the client's credentials",
      { cause },
    );
  }
}
