import { SignalboxError } from '../../errors.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type {
  AttemptContext,
  Capability,
  PreparedCall,
  Provider,
} from '../../protocol/provider.ts';
import type { ProviderRequest } from '../../protocol/request.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import { exchange } from '../../transport/exchange.ts';
import { type Fetch, guardedFetch, tappedFetch } from '../../transport/guarded-fetch.ts';
import { interruptedError } from '../../transport/network-error.ts';
import type { Reply } from '../../transport/read-reply.ts';
import { readJsonEvents } from '../shared/json-events.ts';
import { lazily } from '../shared/lazily.ts';
import { isObject, listOf, objectOf } from '../shared/read.ts';
import { lazySdk, requireKey } from '../shared/sdk.ts';
import { inBandError, isErrorBody, refusalError } from './errors.ts';
import { factsOf } from './models.ts';
import {
  type GoogleClient,
  type GoogleSettings,
  type OwnClientSettings,
  readSettings,
} from './options.ts';
import { embeddingBody, imageRequest, maxEmbeddingBatch, readEmbeddings } from './other-tasks.ts';
import { toWireRequest } from './request.ts';
import { createAnswerReader, type Issuer } from './response.ts';

export type { GoogleClient, GoogleSettings } from './options.ts';

/** The web entry: the same API, a quarter of the weight, and deaf to the environment. */
const loadSdk = lazySdk('@google/genai', () => import('@google/genai/web'));

/** The SDK's own order of preference. */
const keyVariables = ['GOOGLE_API_KEY', 'GEMINI_API_KEY'];

/** A client, and the fetch that each of its requests must go through. */
type Road = { readonly client: GoogleClient; readonly guard: Fetch };

async function makeRoad(settings: OwnClientSettings): Promise<Road> {
  const apiKey = requireKey('google', settings.apiKey, keyVariables);
  const { GoogleGenAI } = await loadSdk();
  const client = new GoogleGenAI({
    apiKey,
    vertexai: false,
    apiVersion: settings.apiVersion,
    httpOptions: { baseUrl: settings.baseURL },
  });
  const headers = {
    'content-type': 'application/json',
    'x-goog-api-key': apiKey,
    ...settings.headers,
  };
  return { client, guard: guardedFetch({ fetch: settings.fetch, headers }) };
}

/** The client's own `fetch`, which is kept in its HTTP options. */
function fetchOf(client: object): Fetch | undefined {
  const own = objectOf(Reflect.get(client, 'httpOptions')).fetch;
  return typeof own === 'function' ? (own as Fetch) : undefined;
}

function guardRoad(client: GoogleClient): Road {
  return { client, guard: guardedFetch({ fetch: fetchOf(client), headers: 'as-is' }) };
}

/** All of the body but `contents` travels as the SDK's `extraBody`, since it is in the API's words already. */
function sdkParameters(model: string, body: JsonObject, fetch: Fetch): object {
  const { contents, ...extraBody } = body;
  return {
    model,
    contents,
    config: {
      httpOptions: { fetch, extraBody, retryOptions: { attempts: 1 } },
      // One call would otherwise become several billed ones.
      automaticContinuation: false,
    },
  };
}

async function* readAnswer(
  reply: Reply,
  context: AttemptContext,
  issuer: Issuer,
): AsyncGenerator<ProviderPart, void> {
  if (reply.kind === 'refusal') throw refusalError(reply.refusal);
  const { headers, requestId } = reply;
  const reader = createAnswerReader({ issuer, headers, requestId });

  if (reply.kind === 'json') {
    const { body } = reply;
    if (isErrorBody(body)) throw inBandError(body, headers);
    // A stream that was not asked for events is a list of chunks.
    const chunks = Array.isArray(body) ? listOf(body) : [body];
    if (!chunks.some(isAnswer)) throw notAnAnswer();
    for (const chunk of chunks) yield* reader.read(chunk);
    yield* reader.finish(context.keepRaw ? { raw: body } : {});
    return;
  }

  const raw: unknown[] = [];
  try {
    yield* readJsonEvents(
      reply,
      function* (event) {
        if (event.type !== 'event') return;
        if (context.keepRaw) raw.push(event.data);
        yield* reader.read(event.data);
      },
      // The wire has no last event: some models give a finish reason with every chunk.
      () => false,
    );
  } catch (error) {
    context.signal.throwIfAborted();
    if (!reader.isEnded()) throw error;
  }
  context.signal.throwIfAborted();
  if (!reader.isBegun()) throw notAnAnswer();
  if (!reader.isEnded()) throw interruptedError('it ended without its terminal marker');
  yield* reader.finish(context.keepRaw ? { raw } : {});
}

function isAnswer(chunk: unknown): boolean {
  const { candidates, promptFeedback } = objectOf(chunk);
  return listOf(candidates).some(isObject) || objectOf(promptFeedback).blockReason !== undefined;
}

function notAnAnswer(): SignalboxError {
  return new SignalboxError(
    'invalid_response',
    'the answer holds no candidates: check baseURL and any proxy in between',
  );
}

function capabilitiesOf(model: string): ReadonlySet<Capability> {
  const facts = factsOf(model);
  return new Set<Capability>([
    'vision',
    ...(facts.systemInstruction ? (['audio', 'files'] as const) : []),
    ...(facts.tools ? (['tools'] as const) : []),
    ...(facts.structuredOutput ? (['structured-output'] as const) : []),
  ]);
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

  function prepare(request: ProviderRequest): PreparedCall {
    const { body, warnings } = toWireRequest(request);
    const issuer = { provider: request.provider, model: request.model };
    return {
      warnings,
      async *send(context) {
        const { client, guard } = await road();
        const method = context.wire === 'stream' ? 'generateContentStream' : 'generateContent';
        const reply = await exchange(context, (tap) =>
          client.models[method](sdkParameters(request.model, body, tappedFetch(guard, tap))),
        );
        yield* readAnswer(reply, context, issuer);
      },
    };
  }

  return {
    wire: 'gemini',
    priceList: 'google',
    capabilities: capabilitiesOf,
    async preload() {
      if (read.own !== undefined) await loadSdk();
    },
    prepare,
    maxEmbeddingBatch,
    prepareEmbedding(request) {
      // The SDK wants contents of its own making and then sends the body that we made.
      const body = { ...embeddingBody(request), contents: request.values };
      return {
        warnings: [],
        async *send(context) {
          const { client, guard } = await road();
          const reply = await exchange(context, (tap) =>
            client.models.embedContent(sdkParameters(request.model, body, tappedFetch(guard, tap))),
          );
          yield* readEmbeddings(reply, context);
        },
      };
    },
    prepareImage(request) {
      const image = imageRequest(request);
      const prepared = prepare(image.request);
      return { ...prepared, warnings: [...image.warnings, ...prepared.warnings] };
    },
  };
}
