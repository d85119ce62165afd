import type { Provider } from '../../protocol/provider.ts';
import { type AnswerWire, readAnswer } from '../../wires/common/read-answer.ts';
import { mergeBody } from '../../wires/common/request.ts';
import { responsesBody, wire } from '../../wires/openai-responses/request.ts';
import { notAResponse, ResponseReader } from '../../wires/openai-responses/response.ts';
import { responseEventShape, responseShape } from '../../wires/openai-responses/shape.ts';
import { openAIModelSpec } from '../../wires/openai-shared/models.ts';
import { openAIHttpError } from '../../wires/openai-shared/response.ts';
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
  openAIEmbeddingLimits,
  prepareOpenAIEmbedding,
  prepareOpenAIImage,
} from '../openai-shared/other-tasks.ts';

export type { ApiKey } from '../common/keys.ts';
export type { OpenAIClient, OpenAIConnectionSettings } from '../openai-shared/openai-client.ts';

/** How to connect to OpenAI's Responses API: with a key, or through a client you created. */
export type OpenAISettings = OpenAIConnectionSettings & {
  /** The vendor's name in price lists. For the client of a cloud: 'aws', 'google', 'azure'. @default 'openai' */
  readonly priceList?: string | undefined;
};

/**
 * OpenAI through its Responses API. For the older Chat Completions API, also of other vendors, use `openaiChat()`.
 *
 * Loads the package `openai` at the first call. A missing key fails that call with an `auth` error, so that other
 * targets can still answer. The only environment variable it reads is `OPENAI_API_KEY`. Nothing is stored at OpenAI
 * (`store: false`).
 *
 * @throws SignalboxError `config` when a setting is unknown or malformed.
 */
export function openai(settings: OpenAISettings = {}): Provider {
  checkSettings('openai', settings, { ...connectionShape, priceList: 'string' });
  const { priceList = 'openai', ...connectionSettings } = settings;
  const connection = openAIConnection('openai', connectionSettings, { key: 'required' });
  return responsesProvider(connection, priceList);
}

/** A provider that uses the Responses API over a connection. */
export function responsesProvider(connection: OpenAIConnection, priceList: string): Provider {
  return {
    wire,
    priceList,
    keyCount: connection.keyCount,
    ...connection.fields,
    capabilities: (model) =>
      new Set(openAIModelSpec(model).capabilities.filter((capability) => capability !== 'audio')),
    outputLimit: (model) => openAIModelSpec(model).outputLimit,
    preload: connection.preload,
    ...connection.keys,
    ...openAIEmbeddingLimits,
    prepareEmbedding: (request) => prepareOpenAIEmbedding(connection, request),
    prepareImage: (request) => prepareOpenAIImage(connection, request),
    prepare(request) {
      const { body, warnings } = responsesBody(request);
      const origin = { provider: request.provider, model: request.model };
      const answers: AnswerWire = {
        open: (context) => new ResponseReader(origin, context),
        httpError: (response) =>
          openAIHttpError({ ...response, request: [body, request.extraBody] }),
        unrecognized: () => notAResponse('not a response of the Responses API'),
        shapes: { event: responseEventShape, body: responseShape },
      };
      return {
        warnings,
        send: (context) =>
          readAnswer(context, answers, () => {
            const mode = { stream: context.transfer === 'stream' };
            const fullBody = mergeBody({ ...body, ...mode }, request.extraBody);
            return whenReady(connection.client(request.model), (client) =>
              openAIExchange(context, (options) => client.responses.create(fullBody, options)),
            );
          }),
      };
    },
  };
}
