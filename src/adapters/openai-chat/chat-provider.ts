import { isSignalboxError } from '../../errors.ts';
import type { AttemptContext, Capability, Provider } from '../../protocol/provider.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import { interruptedError } from '../../transport/network-error.ts';
import type { Reply } from '../../transport/read-reply.ts';
import { readJsonEvents } from '../common/json-events.ts';
import { mergeBody } from '../common/merge-body.ts';
import { type OpenAIConnection, openAIExchange } from '../common/openai-client.ts';
import {
  maxEmbeddingBatch,
  prepareOpenAIEmbedding,
  prepareOpenAIImage,
} from '../common/openai-other-tasks.ts';
import type { Issuer } from './deltas.ts';
import type { ChatDialect } from './dialect.ts';
import { notACompletion, refusalError } from './errors.ts';
import { wire } from './messages.ts';
import { chatBody } from './request.ts';
import { createAnswerReader } from './response.ts';

async function* readAnswer(
  reply: Reply,
  context: AttemptContext,
  issuer: Issuer,
  dialect: ChatDialect,
): AsyncGenerator<ProviderPart, void> {
  if (reply.kind === 'refusal') throw refusalError(reply.refusal, dialect);
  const reader = createAnswerReader({ issuer, reasoningOut: dialect.reasoningOut, ...reply });
  if (reply.kind === 'json') {
    yield* reader.readBody(reply.body);
    yield* reader.finish(context.keepRaw ? { raw: reply.body } : {});
    return;
  }
  const raw: unknown[] = [];
  let isDone = false;
  let isOdd = false;
  try {
    yield* readJsonEvents(
      reply,
      function* (event) {
        if (event.type === 'done') {
          isDone = true;
          return;
        }
        if (context.keepRaw) raw.push(event.data);
        yield* reader.readChunk(event.data);
        isOdd = !reader.isBegun();
      },
      () => isDone || reader.isSettled(),
    );
  } catch (error) {
    context.signal.throwIfAborted();
    // After the finish reason only usage and `[DONE]` are missing.
    if (!reader.isEnded() || !isSignalboxError(error, 'stream_interrupted')) throw error;
  }
  context.signal.throwIfAborted();
  if (isOdd) throw notACompletion();
  if (!reader.isEnded()) throw interruptedError('it ended without its terminal marker');
  yield* reader.finish(context.keepRaw ? { raw } : {});
}

/** One brand on the wire. */
export type ChatBrand = {
  readonly connection: OpenAIConnection;
  readonly dialectOf: (model: string) => ChatDialect;
  readonly priceList: string | undefined;
  readonly capabilities: (model: string) => readonly Capability[];
};

/** What is sent besides the body, by the way the answer is to come. */
function modeOf(context: AttemptContext, { streamUsage }: ChatDialect): object {
  if (context.wire !== 'stream') return { stream: false };
  if (streamUsage === 'always') return { stream: true };
  return { stream: true, stream_options: { include_usage: true } };
}

/** A provider that speaks Chat Completions over a connection, in a brand's dialect. */
export function chatProvider(brand: ChatBrand): Provider {
  const { connection, priceList } = brand;
  return {
    wire,
    keyCount: connection.keyCount,
    ...(priceList !== undefined && { priceList }),
    capabilities: (model) => new Set(brand.capabilities(model)),
    preload: connection.preload,
    maxEmbeddingBatch,
    prepareEmbedding: (request) => prepareOpenAIEmbedding(connection, request),
    prepareImage: (request) => prepareOpenAIImage(connection, request),
    prepare(request) {
      const dialect = brand.dialectOf(request.model);
      const { body, warnings } = chatBody(request, dialect);
      const issuer = { provider: request.provider, model: request.model };
      return {
        warnings,
        async *send(context) {
          const client = await connection.client(request.model);
          const whole = mergeBody({ ...body, ...modeOf(context, dialect) }, request.extraBody);
          const reply = await openAIExchange(context, (options) =>
            client.chat.completions.create(whole, options),
          );
          yield* readAnswer(reply, context, issuer, dialect);
        },
      };
    },
  };
}
