import type { JsonObject } from '../../protocol/json.ts';
import { geminiWire } from '../../wires/gemini/write.ts';
import { openaiChatWire } from '../../wires/openai-chat/write.ts';
import { asList, asObject, asString } from './json-access.ts';
import { onePixelPng, simulatedVector } from './vectors-and-pictures.ts';
import type { Asked, SimulatedWire } from './wire.ts';

const nothingAsked: Asked = { schema: undefined, tools: [], forcedTool: undefined };
const charactersPerToken = 4;

function asNumber(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

function countTokens(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + Math.ceil(text.length / charactersPerToken), 0);
}

/** What OpenAI's APIs without a stream share with its chat: keys, headers and errors. */
const plainOpenAI = {
  ...openaiChatWire,
  read: (_: string, body: JsonObject) => ({ model: asString(body.model) ?? '', stream: false }),
  asked: () => nothingAsked,
  frames: () => [],
} satisfies SimulatedWire;

/** `/embeddings` of OpenAI and those who imitate it. */
export const openaiEmbeddingsWire: SimulatedWire = {
  ...plainOpenAI,
  name: 'openai-embeddings',
  accepts: (path) => path.endsWith('/embeddings'),
  complaint: ({ body }) =>
    asList(body.input).length === 0 ? "'input' must be a list with something in it" : undefined,
  unary({ request: { body }, answer }) {
    const input = asList(body.input).map(String);
    const dimensions = asNumber(body.dimensions);
    const tokens = countTokens(input);
    return {
      object: 'list',
      // Backwards, so that a client that trusts the order is found out.
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
export const openaiImagesWire: SimulatedWire = {
  ...plainOpenAI,
  name: 'openai-images',
  accepts: (path) => path.endsWith('/images/generations'),
  complaint: ({ body }) => (asString(body.prompt) ? undefined : "'prompt' must not be empty"),
  unary({ request: { body }, at }) {
    const prompt = asString(body.prompt) ?? '';
    const count = asNumber(body.n) ?? 1;
    const tokens = countTokens([prompt]);
    return {
      created: Math.floor(at / 1000),
      output_format: 'png',
      size: asString(body.size) ?? '1024x1024',
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

const embedPath = /\/models\/([^/:]+):batchEmbedContents$/;

/** Gemini's `batchEmbedContents`. */
export const geminiEmbeddingsWire: SimulatedWire = {
  ...geminiWire,
  name: 'gemini-embeddings',
  accepts: (path) => embedPath.test(path),
  read: (path) => ({
    model: decodeURIComponent(embedPath.exec(path)?.[1] ?? ''),
    stream: false,
  }),
  asked: () => nothingAsked,
  complaint: ({ body }) =>
    asList(body.requests).length === 0 ? '* requests: must not be empty' : undefined,
  frames: () => [],
  unary: ({ request: { body } }) => ({
    embeddings: asList(body.requests)
      .map(asObject)
      .map((request) => {
        const [part] = asList(asObject(request.content).parts);
        const dimensions = asNumber(request.outputDimensionality);
        return { values: simulatedVector(asString(asObject(part).text) ?? '', dimensions) };
      }),
  }),
};
