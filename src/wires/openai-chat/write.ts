import type { JsonObject } from '../../protocol/json.ts';
import { listOf, objectOf, textOf } from '../common/read.ts';
import type { PartToWrite } from '../common/serve.ts';
import {
  type AnswerTurn,
  type Frame,
  noRequestedOutput,
  onePixelPng,
  type RequestedOutput,
  simulatedVector,
  splitText,
  type WireWriter,
} from '../common/write.ts';
import {
  openaiCredential,
  openaiError,
  openaiErrorObject,
  openaiHeaders,
} from '../openai-shared/write.ts';
import { ChatWriter, type WrittenDialect } from './write-answer.ts';

/** What differs between OpenAI and vendors compatible with its wire. */
type Dialect = WrittenDialect & {
  readonly serviceTier: string | undefined;
  readonly headers: WireWriter['headers'];
};

/** OpenAI's Chat Completions. */
export const openaiChatWire: WireWriter = createChatWire({
  ownFields: { refusal: null, annotations: [] },
  reasoningField: undefined,
  serviceTier: 'default',
  headers: openaiHeaders,
});

/** The Chat Completions of most other vendors: fewer fields, and reasoning in `reasoning_content`. */
export const compatibleChatWire: WireWriter = createChatWire({
  ownFields: {},
  reasoningField: 'reasoning_content',
  serviceTier: undefined,
  headers: (turn) => ({ 'x-request-id': `req_${turn.serial}` }),
});

function createChatWire(dialect: Dialect): WireWriter {
  return {
    name: 'openai-chat',
    accepts: (path) => path.endsWith('/chat/completions'),
    read: (_path, body) => ({
      model: textOf(body.model) ?? '',
      stream: body.stream === true,
    }),
    credential: openaiCredential,
    missingKey: 'auth',
    requestedOutput,
    complaint: ({ body, model }) => {
      if (model === '') return 'you must provide a model parameter';
      return listOf(body.messages).length === 0 ? "'messages' must not be empty" : undefined;
    },
    headers: dialect.headers,
    unary: (turn) => unary(turn, dialect),
    frames: (turn) => frames(turn, dialect),
    error: openaiError,
    errorFrames: (error) => [{ data: { error: openaiErrorObject(error) }, role: 'finish' }],
    keepAlive: ': keep-alive\n\n',
  };
}

function requestedOutput(body: JsonObject): RequestedOutput {
  const format = objectOf(body.response_format);
  const choice = body.tool_choice;
  const jsonSchema = objectOf(format.json_schema).schema;
  return {
    schema: jsonSchema ?? (format.type === 'json_object' ? { type: 'object' } : undefined),
    tools: listOf(body.tools).map((tool) => {
      const definition = objectOf(objectOf(tool).function);
      return { name: textOf(definition.name) ?? '', schema: definition.parameters };
    }),
    forcedTool:
      choice === 'required'
        ? { name: undefined }
        : objectOf(choice).type === 'function'
          ? { name: textOf(objectOf(objectOf(choice).function).name) }
          : undefined,
  };
}

function writerFor(turn: AnswerTurn, dialect: Dialect, form: 'frames' | 'body'): ChatWriter {
  const { answer } = turn;
  return new ChatWriter(turn, dialect, {
    form,
    model: answer.model,
    streamUsage: answer.streamUsage,
    serviceTier: answer.serviceTier ?? dialect.serviceTier,
    isWithoutText: hasOtherContent(turn),
  });
}

/** The parts of a made-up answer, in the order in which the vendor streams them. */
function* partsOf({ answer }: AnswerTurn, texts: readonly string[]): Generator<PartToWrite, void> {
  for (const delta of splitText(answer.reasoning ?? '')) yield { type: 'reasoning', delta };
  for (const delta of texts) yield { type: 'text', delta };
  for (const delta of splitText(answer.refusal ?? '')) yield { type: 'refusal', delta };
  for (const [index, { id, name, input, inputText }] of answer.toolCalls.entries()) {
    const key = String(index);
    yield { type: 'tool-call', key, id, name };
    for (const delta of splitText(inputText)) yield { type: 'tool-input', key, delta };
    yield { type: 'tool-call-end', key, input };
  }
}

function unary(turn: AnswerTurn, dialect: Dialect): JsonObject {
  const writer = writerFor(turn, dialect, 'body');
  for (const part of partsOf(turn, [turn.answer.text])) writer.write(part);
  writer.finish(turn.answer);
  return writer.body();
}

function frames(turn: AnswerTurn, dialect: Dialect): readonly Frame[] {
  const writer = writerFor(turn, dialect, 'frames');
  const content = [...partsOf(turn, turn.answer.chunks)].flatMap((part) => writer.write(part));
  return [...writer.start(), ...content, ...writer.finish(turn.answer)];
}

/** Whether the message has something other than text, so that `content` is null. */
function hasOtherContent({ answer }: AnswerTurn): boolean {
  return answer.refusal !== undefined || (answer.toolCalls.length > 0 && answer.text === '');
}

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
