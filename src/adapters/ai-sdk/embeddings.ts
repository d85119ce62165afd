import { SignalboxError } from '../../errors.ts';
import { tokenCountOf } from '../../internal/vendor-data.ts';
import type { Warning } from '../../protocol/completion.ts';
import type { EmbeddingRequest } from '../../protocol/other-tasks.ts';
import type { PreparedCall, Provider } from '../../protocol/provider.ts';
import { headersOfObject, requestIdOf } from '../../transport/answer.ts';
import { listOf, objectOf } from '../../wires/common/read.ts';
import { droppedParam } from '../../wires/common/request.ts';
import { aiSdkError } from './errors.ts';
import { type AiSdkEmbeddingModel, checkModel, optionsNameOf, specificationOf } from './model.ts';

/** The batch size that most vendors accept. Used when the model's limit is missing or a promise. */
const defaultBatch = 100;

function vectorsOf(result: unknown): readonly (readonly number[])[] {
  const vectors = listOf(objectOf(result).embeddings).map((row) =>
    listOf(row).filter((value) => typeof value === 'number'),
  );
  if (vectors.length > 0) return vectors;
  throw new SignalboxError('invalid_response', 'the model answered without embeddings');
}

function prepare(
  model: AiSdkEmbeddingModel,
  request: EmbeddingRequest,
  optionsName: string,
): PreparedCall {
  const { provider: _, model: _model, values, dimensions, userId, extraBody, ...rest } = request;
  rest satisfies Record<string, never>;
  const isShortened = dimensions !== undefined && specificationOf(model) === 'v4';
  const warnings: Warning[] = [];
  if (dimensions !== undefined && !isShortened) {
    warnings.push(droppedParam('dimensions', "the model's specification has no option for it"));
  }
  if (userId !== undefined) {
    warnings.push(droppedParam('userId', 'the AI SDK has no option for it'));
  }
  return {
    warnings,
    async *send(context) {
      context.watch.connected();
      try {
        context.signal.throwIfAborted();
        context.watch.mayUse?.();
        const options = {
          values,
          abortSignal: context.signal,
          ...(isShortened && { dimensions }),
          ...(extraBody !== undefined && { providerOptions: { [optionsName]: extraBody } }),
        };
        const result = objectOf(await model.doEmbed(options as never));
        const vectors = vectorsOf(result);
        const { headers, body } = objectOf(result.response);
        const requestId = requestIdOf(headersOfObject(headers));
        const inputTokens = tokenCountOf(objectOf(result.usage).tokens);
        yield [
          { type: 'open', requestId },
          { type: 'vectors', vectors },
          {
            type: 'finish',
            finishReason: 'stop',
            ...(inputTokens !== undefined && {
              usage: { inputTokens, outputTokens: 0, totalTokens: inputTokens, raw: result.usage },
            }),
            ...(context.keepRaw && { raw: body }),
          },
        ];
      } catch (error) {
        context.signal.throwIfAborted();
        throw aiSdkError(error, () => false);
      }
    },
  };
}

/** The embedding methods of a provider. */
export function aiSdkEmbeddings(
  modelOf: (modelId: string) => AiSdkEmbeddingModel,
  optionsName: string | undefined,
): Required<Pick<Provider, 'prepareEmbedding' | 'maxEmbeddingBatch'>> {
  return {
    maxEmbeddingBatch(modelId) {
      const limit = objectOf(modelOf(modelId)).maxEmbeddingsPerCall;
      return typeof limit === 'number' && limit >= 1 && Number.isFinite(limit)
        ? limit
        : defaultBatch;
    },
    prepareEmbedding(request) {
      const model = modelOf(request.model);
      checkModel(model, ['doEmbed']);
      return prepare(model, request, optionsNameOf(model, optionsName));
    },
  };
}
