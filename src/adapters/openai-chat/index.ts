import type { AttemptContext, Capability, Provider } from '../../protocol/provider.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import { type AnswerWire, readAnswer } from '../../wires/common/read-answer.ts';
import { adjustedParam, mergeBody } from '../../wires/common/request.ts';
import {
  type ChatDialect,
  openAIDialect,
  unknownDialect,
} from '../../wires/openai-chat/dialect.ts';
import { wire } from '../../wires/openai-chat/messages.ts';
import { chatBody } from '../../wires/openai-chat/request.ts';
import { ChatReader, httpError, notACompletion } from '../../wires/openai-chat/response.ts';
import { chatShape } from '../../wires/openai-chat/shape.ts';
import { openAIModelSpec } from '../../wires/openai-shared/models.ts';
import { whenReady } from '../common/sdk.ts';
import { checkSettings } from '../common/settings.ts';
import {
  connectionShape,
  type OpenAIConnection,
  type OpenAIConnectionSettings,
  openAIConnection,
  openAIExchange,
} from '../openai-shared/openai-client.ts';
import {
  type EmbeddingLimits,
  openAIEmbeddingLimits,
  prepareOpenAIEmbedding,
  prepareOpenAIImage,
} from '../openai-shared/other-tasks.ts';

export {
  type ChatDialect,
  type ChatQuirks,
  compatibleDialect,
  type ModelQuirks,
  modelsWithOpenedTags,
  openAIDialect,
} from '../../wires/openai-chat/dialect.ts';

/** How to connect to a Chat Completions API, of OpenAI or another vendor. */
export type OpenAIChatSettings = OpenAIConnectionSettings & {
  /**
   * The vendor's name in price lists. OpenAI's list contains only OpenAI's models. The cost of other models is `null`
   * unless you set their vendor's list here or their prices in the configuration's `prices`.
   * @default 'openai'
   */
  readonly priceList?: string | undefined;
};

/** The capabilities assumed for an unknown vendor. If it rejects a call, the next target is tried. */
export const compatibleCapabilities: readonly Capability[] = [
  'vision',
  'audio',
  'files',
  'tools',
  'structured-output',
];

/**
 * Any API that is compatible with OpenAI's Chat Completions, set by its `baseURL`. The default is OpenAI, for which
 * `openai()` is the better choice.
 *
 * Loads the package `openai` at the first call. The only environment variable it reads is `OPENAI_API_KEY`, and only
 * for OpenAI's own hosts. Other hosts get `apiKey`, or `none`.
 *
 * @throws SignalboxError `config` when a setting is unknown or malformed.
 */
export function openaiChat(settings: OpenAIChatSettings = {}): Provider {
  checkSettings('openaiChat', settings, { ...connectionShape, priceList: 'string' });
  const { priceList = 'openai', ...connectionSettings } = settings;
  const connection = openAIConnection('openaiChat', connectionSettings, {
    key: 'optional-elsewhere',
  });
  return chatProvider({
    connection,
    dialectOf: (model) => (connection.isOpenAI ? openAIDialect(model) : unknownDialect(model)),
    priceList,
    capabilities: (model) =>
      connection.isOpenAI ? openAIModelSpec(model).capabilities : compatibleCapabilities,
    outputLimit: (model) => (connection.isOpenAI ? openAIModelSpec(model).outputLimit : undefined),
  });
}

/** What differs between vendors of Chat Completions. */
export type ChatVendor = {
  readonly connection: OpenAIConnection;
  readonly dialectOf: (model: string) => ChatDialect;
  readonly priceList: string | undefined;
  readonly capabilities: (model: string) => readonly Capability[];
  readonly outputLimit?: (model: string) => number | undefined;
  /** @default those of OpenAI */
  readonly embeddingLimits?: EmbeddingLimits;
};

/** The fields that request a stream or a whole answer. */
function transferFields(
  transfer: AttemptContext['transfer'],
  { streamUsage }: ChatDialect,
): object {
  if (transfer !== 'stream') return { stream: false };
  if (streamUsage === 'always') return { stream: true };
  return { stream: true, stream_options: { include_usage: true } };
}

const streamedInstead = adjustedParam(
  'transfer',
  'the vendor only streams while the model thinks; the answer was requested as a stream',
);

/** A provider that uses Chat Completions over a connection, in the vendor's dialect. */
export function chatProvider(vendor: ChatVendor): Provider {
  const { connection, priceList, outputLimit } = vendor;
  return {
    wire,
    keyCount: connection.keyCount,
    ...connection.fields,
    ...(priceList !== undefined && { priceList }),
    capabilities: (model) => new Set(vendor.capabilities(model)),
    ...(outputLimit !== undefined && { outputLimit }),
    preload: connection.preload,
    ...connection.keys,
    ...(vendor.embeddingLimits ?? openAIEmbeddingLimits),
    prepareEmbedding: (request) => prepareOpenAIEmbedding(connection, request),
    prepareImage: (request) => prepareOpenAIImage(connection, request),
    prepare(request) {
      const dialect = vendor.dialectOf(request.model);
      const { body, warnings, needsStream } = chatBody(request, dialect);
      const origin = { provider: request.provider, model: request.model };
      const { reasoningOut } = dialect;
      const choices = Number(request.extraBody?.n ?? 1) > 1 ? 'alternatives' : 'one';
      const answers: AnswerWire = {
        open: (context) => new ChatReader({ ...context, origin, reasoningOut, choices }),
        httpError: (response) =>
          httpError({ ...response, request: [body, request.extraBody] }, dialect),
        unrecognized: notACompletion,
        shapes: { event: chatShape, body: chatShape },
      };
      const sendAs = (context: AttemptContext, transfer: AttemptContext['transfer']) =>
        readAnswer(context, answers, () => {
          const fields = { ...body, ...transferFields(transfer, dialect) };
          const fullBody = mergeBody(fields, request.extraBody);
          return whenReady(connection.client(request.model), (client) =>
            openAIExchange(context, (options) => client.chat.completions.create(fullBody, options)),
          );
        });
      async function* streamed(context: AttemptContext): AsyncGenerator<readonly ProviderPart[]> {
        yield [{ type: 'warning', warning: streamedInstead }];
        yield* sendAs(context, 'stream');
      }
      return {
        warnings,
        send: (context) =>
          needsStream === true && context.transfer === 'unary'
            ? streamed(context)
            : sendAs(context, context.transfer),
      };
    },
  };
}
