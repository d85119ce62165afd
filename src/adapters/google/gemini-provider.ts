import type { Capability, PreparedCall, Provider } from '../../protocol/provider.ts';
import type { ProviderRequest } from '../../protocol/request.ts';
import { exchange } from '../../transport/exchange.ts';
import { type AnswerWire, readAnswer } from '../../wires/common/read-answer.ts';
import { refusalError } from '../../wires/gemini/errors.ts';
import { factsOf } from '../../wires/gemini/models.ts';
import { toWireRequest } from '../../wires/gemini/request.ts';
import { createAnswerReader, notAnAnswer } from '../../wires/gemini/response.ts';
import { whenReady } from '../common/lazily.ts';
import type { Road } from './gemini-sender.ts';
import {
  embeddingBody,
  geminiPlaces,
  imageRequest,
  maxEmbeddingBatch,
  readEmbeddings,
} from './other-tasks.ts';

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
    const { provider, model } = request;
    const issuer = { provider, model };
    const asked = { model, body, contents: body.contents };
    const answers: AnswerWire = {
      open: (facts) => createAnswerReader(issuer, facts),
      refused: refusalError,
      odd: notAnAnswer,
    };
    return {
      warnings,
      send: (context) =>
        readAnswer(context, answers, () => {
          const method =
            context.transfer === 'stream' ? 'generateContentStream' : 'generateContent';
          return whenReady(road(), ({ send }) =>
            exchangeWith(context, (capture) => send(method, asked, capture)),
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
      const { model, values } = request;
      const asked = { model, body: embeddingBody(request), contents: values };
      return {
        warnings: [],
        async *send(context) {
          const { send } = await road();
          const reply = await exchange(context, (capture) => send('embedContent', asked, capture));
          yield readEmbeddings(reply, context, geminiPlaces);
        },
      };
    },
  };
}
