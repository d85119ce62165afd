import type { APIPromise, Anthropic as Sdk } from '@anthropic-ai/sdk';
import { userAgent } from '../../internal/version.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { CallKey, Capability, Provider } from '../../protocol/provider.ts';
import {
  type Fetch,
  type GuardOptions,
  guardedFetch,
  withCapture,
} from '../../transport/guarded-fetch.ts';
import { httpError } from '../../wires/anthropic/errors.ts';
import { claudeModelSpec } from '../../wires/anthropic/models.ts';
import { toWireRequest } from '../../wires/anthropic/request.ts';
import { MessageReader, notAMessage } from '../../wires/anthropic/response.ts';
import { messageEventShape, messageShape } from '../../wires/anthropic/shape.ts';
import { type AnswerWire, readAnswer } from '../../wires/common/read-answer.ts';
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
import {
  exchangeOfClient,
  hasOwnFetch,
  lazily,
  lazySdk,
  SdkComposedRequests,
  unparsed,
  whenReady,
} from '../common/sdk.ts';
import { providerFieldsOf } from '../common/settings.ts';
import {
  type AnthropicClient,
  type AnthropicSettings,
  currentVersion,
  type OwnClientSettings,
  readSettings,
} from './options.ts';

export type { ApiKey } from '../common/keys.ts';
export type { AnthropicClient, AnthropicSettings } from './options.ts';

const loadSdk = lazySdk('@anthropic-ai/sdk', () => import('@anthropic-ai/sdk'));

/**
 * The longest delay of Node's timers, in effect no timeout: the engine applies its own. An explicit timeout also turns
 * off the SDK's check that rejects non-streaming requests with a large `max_tokens`.
 */
const noTimeoutMs = 2 ** 31 - 1;

const keyPath = 'anthropic().apiKey';
const keyVariables = ['ANTHROPIC_API_KEY'];
const keyHosts = ['api.anthropic.com'];

function variablesOf({ givenURL }: OwnClientSettings): KeyVariables {
  return keyVariablesFor(givenURL, keyVariables, keyHosts);
}

/** The headers of a request. They are computed for each request, because the key may change. */
function ownHeaders(settings: OwnClientSettings) {
  const { apiKey, authStyle } = settings;
  const fixed = {
    accept: 'application/json',
    'content-type': 'application/json',
    'user-agent': userAgent,
    'anthropic-version': settings.anthropicVersion,
  };
  const given = headerTable(settings.headers);
  const { names, withheld } = variablesOf(settings);
  return (index: number, callKey?: CallKey) =>
    withKey(currentKey(keyPath, apiKey, names, { index, callKey }, withheld), (key) => ({
      ...fixed,
      ...(authStyle === 'bearer' ? { authorization: `Bearer ${key}` } : { 'x-api-key': key }),
      ...given,
    }));
}

async function makeClient(settings: OwnClientSettings): Promise<AnthropicClient> {
  const { Anthropic } = await loadSdk();
  const guard: GuardOptions = { ...settings.transport, headers: ownHeaders(settings) };
  class RouterAnthropic extends Anthropic {
    readonly #requests = new SdkComposedRequests(this, guard);

    override request<Rsp>(options: Parameters<Sdk['request']>[0]): APIPromise<Rsp> {
      // The result has the methods of the SDK's promise that the SDK uses.
      const sent: unknown = this.#requests.request(options);
      return sent as APIPromise<Rsp>;
    }
  }
  return new RouterAnthropic({
    apiKey: 'set by the guard',
    baseURL: settings.baseURL,
    maxRetries: 0,
    timeout: noTimeoutMs,
    fetch: guardedFetch(guard),
    openTelemetry: false,
    logLevel: 'off',
    webhookKey: null,
  });
}

/** The client's `fetch`, if it has a custom one or fetch options such as a dispatcher. */
function fetchOf(client: object): Fetch | undefined {
  const own: unknown = Reflect.get(client, 'fetch');
  const options: unknown = Reflect.get(client, 'fetchOptions');
  const isPlain = own === globalThis.fetch && (options === undefined || options === null);
  return typeof own === 'function' && !isPlain ? (own as Fetch) : undefined;
}

/** Whether the client asks a function, a cloud or a file for its key, or its own `fetch` may. */
function renewsKey(client: object): NonNullable<GuardOptions['renewsKey']> {
  const keys = ['apiKey', 'authToken'].map((name): unknown => Reflect.get(client, name));
  if (!keys.some((key) => typeof key === 'string')) return 'in-headers';
  return hasOwnFetch(client) ? 'unseen' : 'no';
}

function guardClient(client: AnthropicClient): AnthropicClient {
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

function outputLimitOf(model: string): number | undefined {
  const { known, maxOutputTokens } = claudeModelSpec(model);
  return known ? maxOutputTokens : undefined;
}

function capabilitiesOf(model: string): ReadonlySet<Capability> {
  const { structuredOutput, prefill } = claudeModelSpec(model);
  return new Set<Capability>([
    'vision',
    'files',
    'tools',
    ...(structuredOutput ? (['structured-output'] as const) : []),
    ...(prefill ? (['prefill'] as const) : []),
  ]);
}

/**
 * Anthropic's Messages API, and APIs compatible with it.
 *
 * Loads `@anthropic-ai/sdk` at the first call. A missing key fails that call with an `auth` error, so that other
 * targets can still answer. The only environment variable it reads is `ANTHROPIC_API_KEY`.
 *
 * @throws SignalboxError `config` when a setting is unknown or malformed.
 */
export function anthropic(settings: AnthropicSettings = {}): Provider {
  const read = readSettings(settings);
  const { own } = read;
  const keyFor = keyForOf(keyPath, own?.apiKey);
  const takesSampling = read.own !== undefined && read.own.anthropicVersion < currentVersion;
  const client = lazily(async () =>
    read.own === undefined ? guardClient(read.client) : makeClient(read.own),
  );

  return {
    wire: 'anthropic',
    priceList: read.priceList,
    keyCount: keyCountOf(read.own?.apiKey),
    ...providerFieldsOf(settings),
    capabilities: capabilitiesOf,
    outputLimit: outputLimitOf,
    ...(own !== undefined && {
      keySource: (index: number) => keySourceOf(keyPath, own.apiKey, variablesOf(own), index),
    }),
    ...(keyFor !== undefined && { keyFor }),
    async preload() {
      if (read.own !== undefined) await loadSdk();
    },
    prepare(request) {
      const { body, warnings } = toWireRequest(request, takesSampling);
      const origin = { provider: request.provider, model: request.model };
      const answers: AnswerWire = {
        open: (context) => new MessageReader(origin, context),
        httpError: (response) => httpError({ ...response, request: body }),
        unrecognized: notAMessage,
        shapes: { event: messageEventShape, body: messageShape },
      };
      return {
        warnings,
        send: (context) =>
          readAnswer(context, answers, () => {
            const stream = context.transfer === 'stream';
            const fullBody: JsonObject = { ...body, stream };
            // Not `messages.create`, which prints a warning at every call of a deprecated model.
            return whenReady(client(), (sdk) =>
              exchangeOfClient(context, (capture) =>
                unparsed(
                  sdk.post('/v1/messages', {
                    body: fullBody,
                    stream,
                    fetchOptions: withCapture(capture),
                  }),
                ),
              ),
            );
          }),
      };
    },
  };
}
