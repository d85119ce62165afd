import type { JsonObject } from '../../protocol/json.ts';
import { listOf, textOf } from '../common/read.ts';
import { noRequestedOutput, type WireWriter } from '../common/write.ts';
import { onePixelPng, simulatedVector } from '../common/write-samples.ts';
import { openaiChatWire } from './write.ts';

const charactersPerToken = 4;

function asNumber(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

function countTokens(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + Math.ceil(text.length / charactersPerToken), 0);
}

/** OpenAI's APIs without streams. Keys, headers and errors are the same as in Chat Completions. */
const plainOpenAI = {
  ...openaiChatWire,
  read: (_: string, body: JsonObject) => ({ model: textOf(body.model) ?? '', stream: false }),
  requestedOutput: () => noRequestedOutput,
  frames: () => [],
} satisfies WireWriter;

/** `/embeddings` of OpenAI and compatible vendors. */
export const openaiEmbeddingsWire: WireWriter = {
  ...plainOpenAI,
  name: 'openai-embeddings',
  accepts: (path) => path.endsWith('/embeddings'),
  complaint: ({ body }) =>
    listOf(body.input).length === 0 ? "'input' must be a non-empty list" : undefined,
  unary({ request: { body }, answer }) {
    const input = listOf(body.input).map(String);
    const dimensions = asNumber(body.dimensions);
    const tokens = countTokens(input);
    return {
      object: 'list',
      // In reverse order, so that tests fail for a client that ignores `index`.
      data: input
        .map((text, index) => ({
          object: 'embedding',
          index,
          embedding: simulatedVector(text, dimensions),
        }))
        .reverse(),
      model: answer.model,
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    };
  },
};

/** `/images/generations` of OpenAI. */
export const openaiImagesWire: WireWriter = {
  ...plainOpenAI,
  name: 'openai-images',
  accepts: (path) => path.endsWith('/images/generations'),
  complaint: ({ body }) => (textOf(body.prompt) ? undefined : "'prompt' must not be empty"),
  unary({ request: { body }, at }) {
    const prompt = textOf(body.prompt) ?? '';
    const count = asNumber(body.n) ?? 1;
    const tokens = countTokens([prompt]);
    return {
      created: Math.floor(at / 1000),
      output_format: 'png',
      size: textOf(body.size) ?? '1024x1024',
      data: Array.from({ length: count }, () => ({ b64_json: onePixelPng })),
      usage: {
        input_tokens: tokens,
        input_tokens_details: { text_tokens: tokens, image_tokens: 0 },
        output_tokens: 272 * count,
        total_tokens: tokens + 272 * count,
      },
    };
  },
};
