import type { Provider } from '../../protocol/provider.ts';
import { whenReady } from '../common/lazily.ts';
import { mergeBody } from '../common/merge-body.ts';
import {
  connectionShape,
  type OpenAIConnection,
  openAIConnection,
  openAIExchange,
} from '../common/openai-client.ts';
import { openAIFactsOf } from '../common/openai-models.ts';
import {
  maxEmbeddingBatch,
  prepareOpenAIEmbedding,
  prepareOpenAIImage,
} from '../common/openai-other-tasks.ts';
import { type AnswerWire, readAnswer } from '../common/read-answer.ts';
import { checkSettings } from '../common/settings.ts';
import { notAResponse, refusalError } from './errors.ts';
import { wire } from './opaque.ts';
import type { OpenAISettings } from './options.ts';
import { responsesBody } from './request.ts';
import { createAnswerReader } from './response.ts';

export type { ApiKey } from '../common/api-key.ts';
export type { OpenAIClient, OpenAIConnectionSettings } from '../common/openai-client.ts';
export type { OpenAISettings } from './options.ts';

/**
 * OpenAI through its Responses API; `openaiChat()` speaks the older Chat Completions, for everyone else.
 *
 * Loads the package `openai` at the first call. A missing key is an `auth` error of that call, so that other
 * targets can still answer. Reads no environment variable other than `OPENAI_API_KEY`. Nothing is stored at
 * OpenAI (`store: false`).
 *
 * @throws SignalboxError `config` for settings that are unknown or malformed.
 */
export function openai(settings: OpenAISettings = {}): Provider {
  checkSettings('openai', settings, { ...connectionShape, priceList: 'string' });
  const { priceList = 'openai', ...connectionSettings } = settings;
  const connection = openAIConnection('openai', connectionSettings, { key: 'required' });
  return responsesProvider(connection, priceList);
}

/** A provider that speaks Responses over a connection. */
export function responsesProvider(connection: OpenAIConnection, priceList: string): Provider {
  return {
    wire,
    priceList,
    keyCount: connection.keyCount,
    ...connection.bound,
    capabilities: (model) =>
      new Set(openAIFactsOf(model).capabilities.filter((capability) => capability !== 'audio')),
    preload: connection.preload,
    maxEmbeddingBatch,
    prepareEmbedding: (request) => prepareOpenAIEmbedding(connection, request),
    prepareImage: (request) => prepareOpenAIImage(connection, request),
    prepare(request) {
      const { body, warnings } = responsesBody(request);
      const issuer = { provider: request.provider, model: request.model };
      const answers: AnswerWire = {
        open: (facts) => createAnswerReader(issuer, facts),
        refused: refusalError,
        odd: () => notAResponse('not a response of the Responses API'),
      };
      return {
        warnings,
        send: (context) =>
          readAnswer(context, answers, () => {
            const mode = { stream: context.wire === 'stream' };
            const whole = mergeBody({ ...body, ...mode }, request.extraBody);
            return whenReady(connection.client(request.model), (client) =>
              openAIExchange(context, (options) => client.responses.create(whole, options)),
            );
          }),
      };
    },
  };
}
