import { SignalboxError } from '../../errors.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { ImagePart } from '../../protocol/message.ts';
import type { EmbeddingRequest, ImageRequest } from '../../protocol/other-tasks.ts';
import type { AttemptContext, PreparedCall, Provider } from '../../protocol/provider.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import type { Reply } from '../../transport/read-reply.ts';
import {
  countOf,
  isObject,
  listOf,
  objectOf,
  ShapeCheck,
  shape,
  textOf,
} from '../../wires/common/read.ts';
import { mergeBody } from '../../wires/common/request.ts';
import {
  isErrorBody,
  openAIErrorInBand,
  openAIHttpError,
  openAIUsage,
  type UsageNames,
} from '../../wires/openai-shared/response.ts';
import { type OpenAIConnection, openAIExchange } from './openai-client.ts';

/** What a provider says of the size of its embedding requests. */
export type EmbeddingLimits = Pick<Provider, 'maxEmbeddingBatch' | 'maxEmbeddingTokens'>;

/** The most values and tokens in one embedding request (OpenAI's API reference, Create embeddings). */
export const openAIEmbeddingLimits = {
  maxEmbeddingBatch: 2_048,
  maxEmbeddingTokens: 300_000,
} as const satisfies EmbeddingLimits;

const embeddingUsage: UsageNames = {
  input: 'prompt_tokens',
  inputDetails: 'prompt_tokens_details',
  output: 'completion_tokens',
  outputDetails: 'completion_tokens_details',
};

const imageUsage: UsageNames = {
  input: 'input_tokens',
  inputDetails: 'input_tokens_details',
  output: 'output_tokens',
  outputDetails: 'output_tokens_details',
};

const usageShape = shape(
  `prompt_tokens completion_tokens input_tokens output_tokens total_tokens prompt_tokens_details
  completion_tokens_details input_tokens_details output_tokens_details cost cost_details cost_in_usd_ticks is_byok
  prompt_audio_seconds num_images image_count`,
);

const embeddingShape = shape('id object created model provider request_id cost', {
  data: shape('object index embedding'),
  usage: usageShape,
});

const imageShape = shape(
  'id object created created_at model background output_format quality size provider request_id cost content_filter error',
  {
    data: shape(
      `object index b64_json url revised_prompt seed mime_type finish_reason content_filter_results
      prompt_filter_results error respect_moderation raiFilteredReason`,
    ),
    usage: usageShape,
  },
);

/** Models that return URLs unless `response_format` is set. Newer models reject the parameter. */
const modelsWithResponseFormat = /^dall-e-/;

function unusable(what: string): SignalboxError {
  return new SignalboxError('invalid_response', `the answer has ${what}: check baseURL and model`);
}

/** The JSON body of an answer that is never a stream. */
function bodyOf(reply: Reply): JsonObject {
  if (reply.kind === 'http-error') throw openAIHttpError(reply.error);
  if (reply.kind === 'events') throw unusable('events, but no stream was requested');
  if (isErrorBody(reply.body)) throw openAIErrorInBand(reply.body, reply.headers);
  if (!isObject(reply.body)) throw unusable('a body that is not a JSON object');
  return reply.body;
}

function opening(reply: Reply, body: JsonObject): ProviderPart {
  return { type: 'open', servedModel: textOf(body.model), requestId: reply.requestId };
}

function ending(body: JsonObject, names: UsageNames, { keepRaw }: AttemptContext) {
  const usage = openAIUsage(body.usage, names);
  const servedModel = textOf(body.model);
  return {
    type: 'finish',
    finishReason: 'stop',
    usage,
    servedModel,
    ...(keepRaw && { raw: body }),
  } as const;
}

/** Reads a vector of numbers, or 32-bit floats in base64, which some servers send without being asked. */
function vectorOf(embedding: unknown): readonly number[] {
  if (typeof embedding === 'string') {
    const bytes = Buffer.from(embedding, 'base64');
    const length = Math.floor(bytes.length / 4);
    return Array.from({ length }, (_, index) => bytes.readFloatLE(index * 4));
  }
  const numbers = listOf(embedding).filter((each) => typeof each === 'number');
  if (numbers.length === 0) throw unusable('no vector');
  return numbers;
}

/** The vectors in the order of the values. The vendor may send them in another order, with an index. */
export function vectorsOf(data: unknown): readonly (readonly number[])[] {
  const rows = listOf(data).filter(isObject);
  if (rows.length === 0) throw unusable('no vectors');
  return rows
    .map((row, index) => ({ index: countOf(row.index) ?? index, vector: vectorOf(row.embedding) }))
    .sort((a, b) => a.index - b.index)
    .map(({ vector }) => vector);
}

/** Prepares an embedding request to OpenAI or a compatible vendor. */
export function prepareOpenAIEmbedding(
  connection: OpenAIConnection,
  request: EmbeddingRequest,
): PreparedCall {
  const { provider: _, model, values, dimensions, userId, extraBody, ...rest } = request;
  rest satisfies Record<string, never>;
  const body = mergeBody(
    {
      model,
      input: values,
      // Otherwise the SDK asks for base64, which not every compatible vendor supports.
      encoding_format: 'float',
      ...(dimensions !== undefined && { dimensions }),
      ...(userId !== undefined && { user: userId }),
    },
    extraBody,
  );
  return {
    warnings: [],
    async *send(context) {
      const client = await connection.client(model);
      const reply = await openAIExchange(context, (options) =>
        client.embeddings.create(body, options),
      );
      const answer = bodyOf(reply);
      new ShapeCheck(context.watch, reply.headers).check(answer, embeddingShape);
      yield [
        opening(reply, answer),
        { type: 'vectors', vectors: vectorsOf(answer.data) },
        ending(answer, embeddingUsage, context),
      ];
    },
  };
}

function imageIn(row: JsonObject, mediaType: string): ImagePart | undefined {
  const data = textOf(row.b64_json);
  if (data) return { type: 'image', source: { data, mediaType } };
  const url = textOf(row.url);
  return url ? { type: 'image', source: { url } } : undefined;
}

/** Whether a row, or the body, says that a content filter blocked an image. Each vendor says it in another field. */
function isRefused(row: JsonObject, { headers }: Reply): boolean {
  if (isErrorBody(row)) return openAIErrorInBand(row, headers).code === 'content_filter';
  const filters = Object.values(objectOf(row.content_filter_results)); // Azure
  return (
    filters.some((filter) => objectOf(filter).filtered === true) ||
    row.respect_moderation === false || // xAI
    textOf(row.raiFilteredReason) !== undefined || // Google
    textOf(row.finish_reason) === 'content_filter'
  );
}

/** The images of an answer. Those that the vendor refused do not make the others, which are paid for, an error. */
function readImages(reply: Reply, asked: number, context: AttemptContext): readonly ProviderPart[] {
  const found = reply.kind === 'json' ? objectOf(reply.body) : {};
  const mediaType = `image/${textOf(found.output_format) ?? 'png'}`;
  const rows = listOf(found.data).filter(isObject);
  const images = rows.flatMap((row) => imageIn(row, mediaType) ?? []);
  // An error next to images is about those that are missing.
  const body = images.length === 0 ? bodyOf(reply) : found;
  const total = Math.max(asked, rows.length);
  const missing = total - images.length;
  const refused = isRefused(found, reply)
    ? missing
    : rows.filter((row) => imageIn(row, mediaType) === undefined && isRefused(row, reply)).length;
  if (images.length === 0 && rows.length > 0 && refused === 0) throw unusable('no image');
  new ShapeCheck(context.watch, reply.headers).check(body, imageShape);
  const end = ending(body, imageUsage, context);
  return [
    opening(reply, body),
    ...images.map((part) => ({ type: 'part-end', part }) as const),
    ...(images.length > 0 && missing > 0 ? [missingImages(missing, total, refused)] : []),
    images.length === 0 && refused > 0 ? { ...end, finishReason: 'content_filter' } : end,
  ];
}

function missingImages(missing: number, total: number, refused: number): ProviderPart {
  const why = refused === 0 ? '' : `; the vendor's content filter blocked ${refused}`;
  const message = `${missing} of ${total} images are missing${why}`;
  return { type: 'warning', warning: { code: 'compat', param: 'count', message } };
}

/** Prepares an image request to OpenAI or a compatible vendor. */
export function prepareOpenAIImage(
  connection: OpenAIConnection,
  request: ImageRequest,
): PreparedCall {
  const { provider: _, model, prompt, count, size, userId, extraBody, ...rest } = request;
  rest satisfies Record<string, never>;
  const body = mergeBody(
    {
      model,
      prompt,
      ...(count !== undefined && { n: count }),
      ...(size !== undefined && { size }),
      ...(userId !== undefined && { user: userId }),
      ...(modelsWithResponseFormat.test(model) && { response_format: 'b64_json' }),
    },
    extraBody,
  );
  return {
    warnings: [],
    async *send(context) {
      const client = await connection.client(model);
      const reply = await openAIExchange(context, (options) =>
        client.images.generate(body, options),
      );
      yield readImages(reply, countOf(body.n) ?? 1, context);
    },
  };
}
