import type { AttemptContext, Capability, Provider } from '../../protocol/provider.ts';
import { mergeBody } from '../../wires/common/merge-body.ts';
import { type AnswerWire, readAnswer } from '../../wires/common/read-answer.ts';
import type { ChatDialect } from '../../wires/openai-chat/dialect.ts';
import { httpError, notACompletion } from '../../wires/openai-chat/errors.ts';
import { wire } from '../../wires/openai-chat/messages.ts';
import { chatBody } from '../../wires/openai-chat/request.ts';
import { createAnswerReader } from '../../wires/openai-chat/response.ts';
import { whenReady } from '../common/lazily.ts';
import { type OpenAIConnection, openAIExchange } from '../openai-shared/openai-client.ts';
import {
  maxEmbeddingBatch,
  prepareOpenAIEmbedding,
  prepareOpenAIImage,
} from '../openai-shared/other-tasks.ts';

/** What differs between vendors of Chat Completions. */
export type ChatVendor = {
  readonly connection: OpenAIConnection;
  readonly dialectOf: (model: string) => ChatDialect;
  readonly priceList: string | undefined;
  readonly capabilities: (model: string) => readonly Capability[];
};

/** The fields that request a stream or a whole answer. */
function transferFields(context: AttemptContext, { streamUsage }: ChatDialect): object {
  if (context.transfer !== 'stream') return { stream: false };
  if (streamUsage === 'always') return { stream: true };
  return { stream: true, stream_options: { include_usage: true } };
}

/** A provider that uses Chat Completions over a connection, in the vendor's dialect. */
export function chatProvider(vendor: ChatVendor): Provider {
  const { connection, priceList } = vendor;
  return {
    wire,
    keyCount: connection.keyCount,
    ...connection.bound,
    ...(priceList !== undefined && { priceList }),
    capabilities: (model) => new Set(vendor.capabilities(model)),
    preload: connection.preload,
    maxEmbeddingBatch,
    prepareEmbedding: (request) => prepareOpenAIEmbedding(connection, request),
    prepareImage: (request) => prepareOpenAIImage(connection, request),
    prepare(request) {
      const dialect = vendor.dialectOf(request.model);
      const { body, warnings } = chatBody(request, dialect);
      const origin = { provider: request.provider, model: request.model };
      const { reasoningOut } = dialect;
      const answers: AnswerWire = {
        open: (context) => createAnswerReader({ ...context, origin, reasoningOut }),
        httpError: (response) => httpError(response, dialect),
        unrecognized: notACompletion,
      };
      return {
        warnings,
        send: (context) =>
          readAnswer(context, answers, () => {
            const fields = { ...body, ...transferFields(context, dialect) };
            const fullBody = mergeBody(fields, request.extraBody);
            return whenReady(connection.client(request.model), (client) =>
              openAIExchange(context, (options) =>
                client.chat.completions.create(fullBody, options),
              ),
            );
          }),
      };
    },
  };
}
