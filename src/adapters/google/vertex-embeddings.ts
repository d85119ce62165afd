import type { JsonObject } from '../../protocol/json.ts';
import type { EmbeddingRequest } from '../../protocol/other-tasks.ts';
import type { Provider } from '../../protocol/provider.ts';
import type { Usage } from '../../protocol/usage.ts';
import { isObject, listOf, objectOf, TokenCounts } from '../../wires/common/read.ts';
import { mergeBody } from '../../wires/common/request.ts';
import { toUsage } from '../../wires/gemini/response.ts';
import type { GeminiHost } from './gemini-provider.ts';
import { readEmbeddings } from './other-tasks.ts';

/**
 * Vertex has two methods: `:predict` for older models and `:embedContent` for Gemini models. The SDK chooses one by the
 * model's name, and the body must match, so this is the SDK's rule.
 */
function isEmbedContentModel(model: string): boolean {
  return model.includes('maas') || (model.includes('gemini') && model !== 'gemini-embedding-001');
}

/**
 * The most values in one request. Gemini models accept only one.
 * https://cloud.google.com/vertex-ai/generative-ai/docs/embeddings/get-text-embeddings
 */
function maxEmbeddingBatch(model: string): number {
  return model.includes('gemini') || model.includes('maas') ? 1 : 250;
}

function bodyOf(request: EmbeddingRequest): JsonObject {
  const { provider: _, model, values, dimensions, userId: _userId, extraBody, ...rest } = request;
  rest satisfies Record<string, never>;
  const shortened = dimensions === undefined ? {} : { outputDimensionality: dimensions };
  if (!isEmbedContentModel(model)) {
    const instances = values.map((content) => ({ content }));
    return mergeBody({ instances, parameters: shortened }, extraBody);
  }
  const parts = values.map((text) => ({ text }));
  return mergeBody({ content: { parts }, embedContentConfig: shortened }, extraBody);
}

/** The rows of both methods, in the format of the Gemini API. */
function rowsOf({ predictions, embedding }: JsonObject): readonly unknown[] {
  if (isObject(embedding)) return [embedding];
  return listOf(predictions).map((prediction) => objectOf(prediction).embeddings);
}

/** `:embedContent` reports usage like chat answers, `:predict` with each vector. */
function usageOf(body: JsonObject): Usage | undefined {
  if (isObject(body.usageMetadata)) return toUsage(body.usageMetadata);
  const read = new TokenCounts();
  const counts = rowsOf(body)
    .map((row) => read.of(objectOf(objectOf(row).statistics).token_count))
    .filter((count) => count !== undefined);
  if (counts.length === 0 || read.isDoubtful) return undefined;
  const inputTokens = counts.reduce((sum, count) => sum + count, 0);
  return { inputTokens, outputTokens: 0, totalTokens: inputTokens, raw: body.metadata };
}

/** Embeddings of Vertex. */
export function vertexEmbeddings({
  sender,
  exchange,
}: Required<Pick<GeminiHost, 'sender' | 'exchange'>>): Required<
  Pick<Provider, 'prepareEmbedding' | 'maxEmbeddingBatch'>
> {
  return {
    maxEmbeddingBatch,
    prepareEmbedding(request) {
      const { model, values } = request;
      const geminiRequest = { model, body: bodyOf(request), contents: values };
      return {
        warnings: [],
        async *send(context) {
          const { send } = await sender();
          const reply = await exchange(context, (capture) =>
            send('embedContent', geminiRequest, capture),
          );
          yield readEmbeddings(reply, context, { rowsOf, usageOf });
        },
      };
    },
  };
}
