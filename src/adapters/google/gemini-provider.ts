import type { JsonObject } from '../../protocol/json.ts';
import type { Capability, PreparedCall, Provider } from '../../protocol/provider.ts';
import type { ProviderRequest } from '../../protocol/request.ts';
import { exchange, type ResponseCapture } from '../../transport/exchange.ts';
import { capturingFetch, type Fetch } from '../../transport/guarded-fetch.ts';
import { type AnswerWire, readAnswer } from '../../wires/common/read-answer.ts';
import { httpError } from '../../wires/gemini/errors.ts';
import { geminiModelSpec } from '../../wires/gemini/models.ts';
import { toWireRequest } from '../../wires/gemini/request.ts';
import { GeminiReader, notAnAnswer } from '../../wires/gemini/response.ts';
import { geminiShape } from '../../wires/gemini/shape.ts';
import { whenReady } from '../common/sdk.ts';
import type { GoogleClient } from './options.ts';
import {
  embeddingBody,
  geminiEmbeddingFields,
  imageRequest,
  maxEmbeddingBatch,
  readEmbeddings,
} from './other-tasks.ts';

/** The SDK's methods. Each has its URL. */
export type Method = keyof GoogleClient['models'];

type GeminiRequest = {
  readonly model: string;
  /** The complete body in the format of the API. */
  readonly body: JsonObject;
  /** The turns or texts in the format of the SDK, which converts them. */
  readonly contents: unknown;
};

export type GeminiSender = {
  /** Sends a request. The response is passed to `capture`. */
  send(method: Method, request: GeminiRequest, capture: ResponseCapture): PromiseLike<unknown>;
};

/** What differs between the Gemini API and Vertex. */
export type GeminiHost = {
  readonly sender: () => GeminiSender | Promise<GeminiSender>;
  readonly preload: () => Promise<void>;
  /** Makes one request. A host may replace it to add advice to failures. @default {@link exchange} */
  readonly exchange?: typeof exchange;
};

/** A provider of Gemini models, without embeddings. */
export function geminiProvider(host: GeminiHost): Provider {
  const { sender, preload, exchange: exchangeWith = exchange } = host;

  function prepare(request: ProviderRequest): PreparedCall {
    const { body, warnings } = toWireRequest(request);
    const { provider, model } = request;
    const origin = { provider, model };
    const geminiRequest = { model, body, contents: body.contents };
    const answers: AnswerWire = {
      open: (context) => new GeminiReader(origin, context),
      httpError: (response) => httpError({ ...response, request: body }),
      unrecognized: notAnAnswer,
      shapes: { event: geminiShape, body: geminiShape },
    };
    return {
      warnings,
      send: (context) =>
        readAnswer(context, answers, () => {
          const method =
            context.transfer === 'stream' ? 'generateContentStream' : 'generateContent';
          return whenReady(sender(), ({ send }) =>
            exchangeWith(context, (capture) => send(method, geminiRequest, capture)),
          );
        }),
    };
  }

  return {
    wire: 'gemini',
    priceList: 'google',
    capabilities: capabilitiesOf,
    outputLimit: (model) => geminiModelSpec(model).outputLimit,
    preload,
    prepare,
    prepareImage(request) {
      const image = imageRequest(request);
      const prepared = prepare(image.request);
      return { ...prepared, warnings: [...image.warnings, ...prepared.warnings] };
    },
  };
}

function capabilitiesOf(model: string): ReadonlySet<Capability> {
  const spec = geminiModelSpec(model);
  return new Set<Capability>([
    'vision',
    ...(spec.systemInstruction ? (['audio', 'files'] as const) : []),
    ...(spec.tools ? (['tools'] as const) : []),
    ...(spec.structuredOutput ? (['structured-output'] as const) : []),
  ]);
}

/** Embeddings of the Gemini API. Vertex has another format. */
export function geminiEmbeddings(
  sender: GeminiHost['sender'],
): Required<Pick<Provider, 'prepareEmbedding' | 'maxEmbeddingBatch'>> {
  return {
    maxEmbeddingBatch,
    prepareEmbedding(request) {
      const { model, values } = request;
      const geminiRequest = { model, body: embeddingBody(request), contents: values };
      return {
        warnings: [],
        async *send(context) {
          const { send } = await sender();
          const reply = await exchange(context, (capture) =>
            send('embedContent', geminiRequest, capture),
          );
          yield readEmbeddings(reply, context, geminiEmbeddingFields);
        },
      };
    },
  };
}

/** Sends through a client of the SDK. All its requests go through the guard. */
export function sdkSender(client: GoogleClient, guard: Fetch): GeminiSender {
  return {
    send(method, { model, body, contents }, capture) {
      // The body already has the format of the API, so all of it except `contents` is passed as `extraBody`.
      const { contents: _, ...extraBody } = body;
      const fetch = capturingFetch(guard, capture);
      return client.models[method]({
        model,
        contents,
        config: {
          httpOptions: { fetch, extraBody, retryOptions: { attempts: 1 } },
          // Otherwise one call could become several billed calls.
          automaticContinuation: false,
        },
      });
    },
  };
}
