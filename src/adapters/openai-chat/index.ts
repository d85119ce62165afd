import { isSignalboxError } from '../../errors.ts';
import type { AttemptContext, Capability, Provider } from '../../protocol/provider.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import { interruptedError } from '../../transport/network-error.ts';
import type { Reply } from '../../transport/read-reply.ts';
import { readJsonEvents } from '../shared/json-events.ts';
import { mergeBody } from '../shared/merge-body.ts';
import { connectionShape, openAIConnection, openAIExchange } from '../shared/openai-client.ts';
import { openAIFactsOf } from '../shared/openai-models.ts';
import {
  maxEmbeddingBatch,
  prepareOpenAIEmbedding,
  prepareOpenAIImage,
} from '../shared/openai-other-tasks.ts';
import { checkSettings } from '../shared/settings.ts';
import type { Issuer } from './deltas.ts';
import { notACompletion, refusalError } from './errors.ts';
import { wire } from './messages.ts';
import type { OpenAIChatSettings } from './options.ts';
import { chatBody, compatibleDialect, openAIDialect } from './request.ts';
import { createAnswerReader } from './response.ts';

export type { OpenAIChatSettings } from './options.ts';

async function* readAnswer(
  reply: Reply,
  context: AttemptContext,
  issuer: Issuer,
): AsyncGenerator<ProviderPart, void> {
  if (reply.kind === 'refusal') throw refusalError(reply.refusal);
  const reader = createAnswerReader({ issuer, ...reply });
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

/** What an unknown vendor is taken to do: a call it cannot take is its to refuse, and the next target's. */
const compatibleCapabilities: readonly Capability[] = [
  'vision',
  'audio',
  'files',
  'tools',
  'structured-output',
];

/**
 * Any API that speaks OpenAI's Chat Completions, by its `baseURL`; OpenAI's own by default, where `openai()`
 * is the better choice.
 *
 * Loads the package `openai` at the first call. Reads no environment variable other than `OPENAI_API_KEY`,
 * and that one only for OpenAI itself: other vendors are sent the key that they are given, or `none`.
 *
 * @throws SignalboxError `config` for settings that are unknown or malformed.
 */
export function openaiChat(settings: OpenAIChatSettings = {}): Provider {
  checkSettings('openaiChat', settings, { ...connectionShape, priceList: 'string' });
  const { priceList = 'openai', ...connectionSettings } = settings;
  const connection = openAIConnection('openaiChat', connectionSettings, 'optional-elsewhere');
  const dialect = connection.isOpenAI ? openAIDialect : compatibleDialect;
  return {
    wire,
    priceList,
    capabilities: (model) =>
      new Set(connection.isOpenAI ? openAIFactsOf(model).capabilities : compatibleCapabilities),
    preload: connection.preload,
    maxEmbeddingBatch,
    prepareEmbedding: (request) => prepareOpenAIEmbedding(connection, request),
    prepareImage: (request) => prepareOpenAIImage(connection, request),
    prepare(request) {
      const { body, warnings } = chatBody(request, dialect);
      const issuer = { provider: request.provider, model: request.model };
      return {
        warnings,
        async *send(context) {
          const client = await connection.client();
          const mode =
            context.wire === 'stream'
              ? { stream: true, stream_options: { include_usage: true } }
              : { stream: false };
          const whole = mergeBody({ ...body, ...mode }, request.extraBody);
          const reply = await openAIExchange(context, (options) =>
            client.chat.completions.create(whole, options),
          );
          yield* readAnswer(reply, context, issuer);
        },
      };
    },
  };
}
