import type { FinishReason } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { listOf, objectOf, textOf } from '../common/read.ts';
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

/** `other` and `error` are sent only by compatible vendors. */
const finishWords = {
  stop: 'stop',
  length: 'length',
  tool_calls: 'tool_calls',
  content_filter: 'content_filter',
  refusal: 'stop',
  context_length: 'length',
  pause: 'stop',
  error: 'error',
  other: 'other',
} as const satisfies Record<FinishReason, string>;

/** What differs between OpenAI and vendors compatible with its wire. */
type Dialect = {
  /** Fields that only OpenAI's messages have. */
  readonly ownFields: JsonObject;
  /** The field with reasoning. OpenAI has none. */
  readonly reasoningField: 'reasoning_content' | undefined;
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

function unary(turn: AnswerTurn, dialect: Dialect): JsonObject {
  const { answer } = turn;
  return {
    id: `chatcmpl-${turn.serial}`,
    object: 'chat.completion',
    created: Math.floor(turn.at / 1000),
    model: answer.model,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: answer.text === '' && hasOtherContent(turn) ? null : answer.text,
          ...dialect.ownFields,
          ...(answer.refusal !== undefined && { refusal: answer.refusal }),
          ...reasoningDelta(answer.reasoning, dialect),
          ...(answer.toolCalls.length > 0 && {
            tool_calls: answer.toolCalls.map((call, index) => ({
              id: call.id ?? toolCallId(turn, index),
              type: 'function',
              function: { name: call.name, arguments: call.inputText },
            })),
          }),
        },
        logprobs: null,
        finish_reason: finishWords[answer.finishReason],
      },
    ],
    usage: usage(turn),
    ...serviceTier(turn, dialect),
    system_fingerprint: null,
  };
}

function frames(turn: AnswerTurn, dialect: Dialect): readonly Frame[] {
  const { answer, request } = turn;
  const isRequested = objectOf(request.body.stream_options).include_usage === true;
  const withUsage = isRequested || answer.streamUsage === 'always';
  const chunk = (choices: readonly JsonObject[], total: JsonObject | null): JsonObject => ({
    id: `chatcmpl-${turn.serial}`,
    object: 'chat.completion.chunk',
    created: Math.floor(turn.at / 1000),
    model: answer.model,
    ...serviceTier(turn, dialect),
    system_fingerprint: null,
    choices,
    ...(withUsage && { usage: total }),
  });
  const delta = (
    role: Frame['role'],
    content: JsonObject,
    finish: string | null = null,
  ): Frame => ({
    data: chunk([{ index: 0, delta: content, logprobs: null, finish_reason: finish }], null),
    role,
  });
  const { annotations: _notStreamed, ...ownFields } = dialect.ownFields;
  const reasoning = dialect.reasoningField === undefined ? '' : (answer.reasoning ?? '');
  return [
    delta('preamble', {
      role: 'assistant',
      content: hasOtherContent(turn) ? null : '',
      ...ownFields,
    }),
    ...splitText(reasoning).map((text) => delta('content', reasoningDelta(text, dialect))),
    ...answer.chunks.map((text) => delta('content', { content: text })),
    ...splitText(answer.refusal ?? '').map((text) => delta('content', { refusal: text })),
    ...toolCallDeltas(turn).map((call) => delta('content', { tool_calls: [call] })),
    delta('finish', {}, finishWords[answer.finishReason]),
    ...(withUsage ? [{ data: chunk([], usage(turn)), role: 'finish' as const }] : []),
    { data: '[DONE]', role: 'end' },
  ];
}

function toolCallDeltas(turn: AnswerTurn): readonly JsonObject[] {
  return turn.answer.toolCalls.flatMap((call, index) => [
    {
      index,
      id: call.id ?? toolCallId(turn, index),
      type: 'function',
      function: { name: call.name, arguments: '' },
    },
    ...splitText(call.inputText).map((text) => ({ index, function: { arguments: text } })),
  ]);
}

/** Whether the message has something other than text, so that `content` is null. */
function hasOtherContent({ answer }: AnswerTurn): boolean {
  return answer.refusal !== undefined || (answer.toolCalls.length > 0 && answer.text === '');
}

function reasoningDelta(reasoning: string | undefined, { reasoningField }: Dialect): JsonObject {
  if (reasoning === undefined || reasoningField === undefined) return {};
  return { [reasoningField]: reasoning };
}

function serviceTier({ answer }: AnswerTurn, dialect: Dialect): JsonObject {
  const tier = answer.serviceTier ?? dialect.serviceTier;
  return tier === undefined ? {} : { service_tier: tier };
}

function toolCallId(turn: AnswerTurn, index: number): string {
  return `call_${turn.serial}${index}`;
}

function usage({ answer }: AnswerTurn): JsonObject {
  const { usage: counted } = answer;
  return {
    prompt_tokens: counted.inputTokens,
    completion_tokens: counted.outputTokens,
    total_tokens: counted.inputTokens + counted.outputTokens,
    prompt_tokens_details: {
      cached_tokens: counted.cachedInputTokens,
      cache_write_tokens: counted.cacheWriteTokens,
      audio_tokens: 0,
    },
    completion_tokens_details: {
      reasoning_tokens: counted.reasoningTokens,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
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
