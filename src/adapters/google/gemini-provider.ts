import type { JsonObject } from '../../protocol/json.ts';
import type { Capability, PreparedCall, Provider } from '../../protocol/provider.ts';
import type { ProviderRequest } from '../../protocol/request.ts';
import { exchange } from '../../transport/exchange.ts';
import { type Fetch, tappedFetch } from '../../transport/guarded-fetch.ts';
import { whenReady } from '../common/lazily.ts';
import { type AnswerWire, readAnswer } from '../common/read-answer.ts';
import { refusalError } from './errors.ts';
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
import { createAnswerReader, notAnAnswer } from './response.ts';

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
  readonly road: () => Road | Promise<Road>;
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
    const answers: AnswerWire = {
      open: (facts) => createAnswerReader(issuer, facts),
      refused: refusalError,
      odd: notAnAnswer,
    };
    return {
      warnings,
      send: (context) =>
        readAnswer(context, answers, () => {
          const method = context.wire === 'stream' ? 'generateContentStream' : 'generateContent';
          return whenReady(road(), ({ client, guard }) =>
            exchangeWith(context, (tap) =>
              client.models[method](sdkParameters(request.model, body, tappedFetch(guard, tap))),
            ),
          );
        }),
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
