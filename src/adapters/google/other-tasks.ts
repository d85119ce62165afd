import { SignalboxError } from '../../errors.ts';
import type { Warning } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { EmbeddingRequest, ImageRequest } from '../../protocol/other-tasks.ts';
import type { AttemptContext } from '../../protocol/provider.ts';
import type { ProviderRequest } from '../../protocol/request.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import type { Usage } from '../../protocol/usage.ts';
import type { Reply } from '../../transport/read-reply.ts';
import {
  isObject,
  listOf,
  objectOf,
  type Shape,
  ShapeCheck,
  shape,
} from '../../wires/common/read.ts';
import { mergeBody } from '../../wires/common/request.ts';
import { httpError, inBandError, isErrorBody } from '../../wires/gemini/errors.ts';
import { toUsage } from '../../wires/gemini/response.ts';
import { geminiUsage } from '../../wires/gemini/shape.ts';

/** The most values in one `batchEmbedContents` (Gemini API reference, Embeddings). */
export const maxEmbeddingBatch = 100;

/** The supported aspect ratios (Gemini API reference, ImageConfig). */
const aspectRatios = [
  '1:1',
  '2:3',
  '3:2',
  '3:4',
  '4:3',
  '4:5',
  '5:4',
  '9:16',
  '16:9',
  '21:9',
] as const;

/** The body of an embedding request. */
export function embeddingBody(request: EmbeddingRequest): JsonObject {
  const { provider: _, model, values, dimensions, userId: _userId, extraBody, ...rest } = request;
  rest satisfies Record<string, never>;
  const requests = values.map((text) => ({
    model: `models/${model}`,
    content: { parts: [{ text }] },
    ...(dimensions !== undefined && { outputDimensionality: dimensions }),
  }));
  return mergeBody({ requests }, extraBody);
}

function unusable(what: string): SignalboxError {
  return new SignalboxError('invalid_response', `the answer has ${what}: check baseURL and model`);
}

/** Where the body of a host has the vectors and the usage. */
export type EmbeddingFields = {
  /** Objects with `values`, in the order of the texts. */
  readonly rowsOf: (body: JsonObject) => readonly unknown[];
  readonly usageOf: (body: JsonObject) => Usage | undefined;
  readonly known: Shape;
};

export const geminiEmbeddingFields: EmbeddingFields = {
  rowsOf: ({ embeddings }) => listOf(embeddings),
  usageOf: ({ usageMetadata }) => (isObject(usageMetadata) ? toUsage(usageMetadata) : undefined),
  known: shape('', {
    embeddings: shape('values statistics shape'),
    embedding: shape('values statistics shape'),
    metadata: shape('billableCharacterCount'),
    usageMetadata: geminiUsage,
  }),
};

/** Reads the answer to an embedding request. The vectors have the order of the values. */
export function readEmbeddings(
  reply: Reply,
  { keepRaw, watch }: AttemptContext,
  { rowsOf, usageOf, known }: EmbeddingFields,
): readonly ProviderPart[] {
  if (reply.kind === 'http-error') throw httpError(reply.error);
  if (reply.kind === 'events') throw unusable('events, but no stream was requested');
  const { body } = reply;
  if (isErrorBody(body)) throw inBandError(body, reply.headers);
  const rows = rowsOf(objectOf(body));
  if (rows.length === 0) throw unusable('no embeddings');
  const vectors = rows.map((row) =>
    listOf(objectOf(row).values).filter((each) => typeof each === 'number'),
  );
  const usage = usageOf(objectOf(body));
  new ShapeCheck(watch, reply.headers).check(body, known);
  return [
    { type: 'open', requestId: reply.requestId },
    { type: 'vectors', vectors },
    { type: 'finish', finishReason: 'stop', usage, ...(keepRaw && { raw: body }) },
  ];
}

function aspectRatioOf(size: string): string | undefined {
  const [width = 0, height = 0] = size.split('x').map(Number);
  return aspectRatios.find((ratio) => {
    const [across = 1, down = 1] = ratio.split(':').map(Number);
    return width * down === height * across;
  });
}

/** Gemini returns images as parts of a chat answer, so an image request becomes a chat request. */
export function imageRequest(request: ImageRequest): {
  readonly request: ProviderRequest;
  readonly warnings: readonly Warning[];
} {
  const { provider, model, prompt, count, size, userId, extraBody, ...rest } = request;
  rest satisfies Record<string, never>;
  const warnings: Warning[] = [];
  const drop = (param: string, message: string): void => {
    warnings.push({ code: 'dropped-param', param, message });
  };
  const aspectRatio = size === undefined ? undefined : aspectRatioOf(size);
  if (size !== undefined && aspectRatio === undefined) {
    drop('size', `size was dropped: Gemini supports the aspect ratios ${aspectRatios.join(', ')}`);
  }
  if (count !== undefined && count > 1)
    drop('count', 'count was dropped: Gemini returns one image per request');
  const generationConfig = {
    responseModalities: ['TEXT', 'IMAGE'],
    ...(aspectRatio !== undefined && { imageConfig: { aspectRatio } }),
  };
  return {
    request: {
      provider,
      model,
      messages: [{ role: 'user', content: [{ type: 'text', text: prompt }] }],
      ...(userId !== undefined && { userId }),
      extraBody: mergeBody({ generationConfig }, extraBody) as NonNullable<typeof extraBody>,
    },
    warnings,
  };
}
