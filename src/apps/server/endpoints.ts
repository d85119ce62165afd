import type { JsonObject } from '../../protocol/json.ts';
import {
  listAt,
  optionalNumber,
  optionalText,
  textAt,
  unsupportedAt,
  wordAt,
} from '../../wires/common/client-fields.ts';
import { type Ask, checkTier, exposed, jsonReply } from './ask.ts';
import type { Reply } from './exchange.ts';
import { unknownModel } from './problems.ts';

/** As OpenAI's limit. */
const maxValues = 2_048;

function valuesAt(input: unknown): readonly string[] {
  if (typeof input === 'string') return [input];
  const list = listAt(input, 'input');
  if (list.length === 0 || list.length > maxValues) {
    throw unsupportedAt('input', `must have 1 to ${maxValues} entries`);
  }
  if (typeof list[0] !== 'string') {
    throw unsupportedAt('input', 'must be a string or a list of strings; tokens are not supported');
  }
  return list.map((each, index) => textAt(each, `input[${index}]`));
}

/** 32-bit floats, little-endian. */
function toBase64(vector: readonly number[]): string {
  const bytes = Buffer.alloc(vector.length * Float32Array.BYTES_PER_ELEMENT);
  for (const [index, value] of vector.entries()) {
    bytes.writeFloatLE(value, index * Float32Array.BYTES_PER_ELEMENT);
  }
  return bytes.toString('base64');
}

function optionalUser(body: JsonObject): { readonly userId?: string } {
  const userId = optionalText(body, 'user');
  return userId === undefined || userId === '' ? {} : { userId };
}

/** `POST /embeddings` */
export async function createEmbeddings(ask: Ask): Promise<Reply> {
  const { body } = ask;
  const model = textAt(body.model, 'model');
  checkTier(ask, model);
  const values = valuesAt(body.input);
  const format = wordAt(body.encoding_format ?? 'float', 'encoding_format', ['float', 'base64']);
  const dimensions = optionalNumber(body, 'dimensions');
  const result = await ask.router.embed(model, values, {
    ...(dimensions !== undefined && { dimensions }),
    ...optionalUser(body),
    tags: ask.tags,
    signal: ask.exchange.signal,
  });
  const { usage, vectors } = result;
  const reply = {
    object: 'list',
    data: vectors.map((vector, index) => ({
      object: 'embedding',
      index,
      embedding: format === 'base64' ? toBase64(vector) : vector,
    })),
    model,
    usage: { prompt_tokens: usage.inputTokens, total_tokens: usage.totalTokens },
  };
  return jsonReply(reply, exposed(ask, result));
}

/** `POST /images/generations` */
export async function createImages(ask: Ask): Promise<Reply> {
  const { body } = ask;
  const model = textAt(body.model, 'model');
  checkTier(ask, model);
  const prompt = textAt(body.prompt, 'prompt');
  if (body.stream === true) throw unsupportedAt('stream', 'images are not streamed');
  if (body.response_format === 'url') {
    throw unsupportedAt('response_format', 'only "b64_json" is supported');
  }
  const count = optionalNumber(body, 'n');
  const size = optionalText(body, 'size');
  const result = await ask.router.image(model, prompt, {
    ...(count !== undefined && { count }),
    ...(size !== undefined && size !== 'auto' && { size }),
    ...optionalUser(body),
    tags: ask.tags,
    signal: ask.exchange.signal,
  });
  const data = result.images.flatMap(({ source }) => {
    if (!('data' in source)) return [];
    const { data: bytes } = source;
    return [
      { b64_json: typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('base64') },
    ];
  });
  const { inputTokens, outputTokens, totalTokens } = result.usage;
  const reply = {
    created: Math.floor(ask.at / 1000),
    data,
    usage: {
      input_tokens: inputTokens,
      output_tokens: outputTokens,
      total_tokens: totalTokens,
      input_tokens_details: { text_tokens: inputTokens, image_tokens: 0 },
    },
  };
  return jsonReply(reply, exposed(ask, result));
}

/** The names of the tiers that the key may call. */
export async function modelsOf({ router, access }: Ask): Promise<readonly string[]> {
  const { tiers } = await router.describe();
  return tiers
    .map(({ name }) => name)
    .filter((name) => access.tiers === undefined || access.tiers.includes(name));
}

/**
 * The tier in the path of `GET /models/{id}`.
 * @throws HttpProblem if the key may not call it
 */
export async function requestedModel(ask: Ask): Promise<string> {
  const id = decoded(ask.path.slice('/models/'.length));
  const model = (await modelsOf(ask)).find((each) => each === id);
  if (model === undefined) throw unknownModel();
  return model;
}

function modelObject(id: string): JsonObject {
  return { id, object: 'model', created: 0, owned_by: 'signalbox' };
}

/** `GET /models` */
export async function listModels(ask: Ask): Promise<Reply> {
  return jsonReply({ object: 'list', data: (await modelsOf(ask)).map(modelObject) });
}

/** `GET /models/{id}` */
export async function retrieveModel(ask: Ask): Promise<Reply> {
  return jsonReply(modelObject(await requestedModel(ask)));
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
