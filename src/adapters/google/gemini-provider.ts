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
import { type Fetch, tappedFetch } from '../../transport/guarded-fetch.ts';
import { interruptedError } from '../../transport/network-error.ts';
import type { Reply } from '../../transport/read-reply.ts';
import { readJsonEvents } from '../common/json-events.ts';
import { isObject, listOf, objectOf } from '../common/read.ts';
import { inBandError, isErrorBody, refusalError } from './errors.ts';
import { factsOf } from './models.ts';
import type { GoogleClient } from './options.ts';
import {
  embeddingBody,
  geminiPlaces,
  imageRequest,
  maxEmbeddingBatch,
  readEmbeddings,
} from './other-tasks.ts';
import { toWireRequest } from './request.ts';
import { createAnswerReader, type Issuer } from './response.ts';

/** A client, and the fetch that each of its requests must go through. */
export type Road = { readonly client: GoogleClient; readonly guard: Fetch };

/** All of the body but `contents` travels as the SDK's `extraBody`, since it is in the API's words already. */
export function sdkParameters(model: string, body: JsonObject, fetch: Fetch): object {
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

/** Who serves the models: the way there, and how the SDK is loaded. */
export type GeminiHost = {
  readonly road: () => Promise<Road>;
  readonly preload: () => Promise<void>;
  /** Makes one request; the host may have more to say of failures. @default {@link exchange} */
  readonly exchange?: typeof exchange;
};

/** A provider of Gemini's models, but for embeddings. */
export function geminiProvider(host: GeminiHost): Provider {
  const { road, preload, exchange: exchangeWith = exchange } = host;

  function prepare(request: ProviderRequest): PreparedCall {
    const { body, warnings } = toWireRequest(request);
    const issuer = { provider: request.provider, model: request.model };
    return {
      warnings,
      async *send(context) {
        const { client, guard } = await road();
        const method = context.wire === 'stream' ? 'generateContentStream' : 'generateContent';
        const reply = await exchangeWith(context, (tap) =>
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
    preload,
    prepare,
    prepareImage(request) {
      const image = imageRequest(request);
      const prepared = prepare(image.request);
      return { ...prepared, warnings: [...image.warnings, ...prepared.warnings] };
    },
  };
}

/** Embeddings of the Gemini API; Google Cloud has other words for them. */
export function geminiEmbeddings(
  road: GeminiHost['road'],
): Required<Pick<Provider, 'prepareEmbedding' | 'maxEmbeddingBatch'>> {
  return {
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
          yield* readEmbeddings(reply, context, geminiPlaces);
        },
      };
    },
  };
}
