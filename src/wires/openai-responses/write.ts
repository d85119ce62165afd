import type { FinishReason } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { listOf, objectOf, textOf } from '../common/read.ts';
import {
  type AnswerTurn,
  type CallToWrite,
  type Frame,
  type RequestedOutput,
  splitText,
  type VendorError,
  type WireWriter,
} from '../common/write.ts';
import {
  openaiCredential,
  openaiError,
  openaiErrorObject,
  openaiHeaders,
} from '../openai-shared/write.ts';

type Outcome = {
  readonly status: 'completed' | 'incomplete' | 'failed';
  readonly reason?: string;
};

const outcomes = {
  stop: { status: 'completed' },
  length: { status: 'incomplete', reason: 'max_output_tokens' },
  tool_calls: { status: 'completed' },
  content_filter: { status: 'incomplete', reason: 'content_filter' },
  refusal: { status: 'completed' },
  context_length: { status: 'incomplete', reason: 'max_output_tokens' },
  pause: { status: 'completed' },
  error: { status: 'failed' },
  other: { status: 'incomplete', reason: 'steered' },
} as const satisfies Record<FinishReason, Outcome>;

/** The stateless part of OpenAI's Responses API. A failed response has HTTP status 200, as with the vendor. */
export const openaiResponsesWire: WireWriter = {
  name: 'openai-responses',
  accepts: (path) => path.endsWith('/responses'),
  read: (_path, body) => ({
    model: textOf(body.model) ?? '',
    stream: body.stream === true,
  }),
  credential: openaiCredential,
  missingKey: 'auth',
  requestedOutput,
  complaint: ({ body, model }) => {
    if (model === '') return "Missing required parameter: 'model'.";
    const input = body.input;
    if (typeof input === 'string' || listOf(input).length > 0) return undefined;
    return "Missing required parameter: 'input'.";
  },
  headers: openaiHeaders,
  unary: (turn) => finished(turn),
  frames: (turn) =>
    numbered([
      ...opening(turn),
      ...responseItems(turn).flatMap((item) => item.frames),
      closing(turn),
    ]),
  error: (error, turn) => {
    const reply = openaiError(error, turn);
    // Unlike Chat Completions, this wire answers 400 instead of 404, with `param` set.
    return error.kind === 'model_not_found'
      ? {
          ...reply,
          status: error.status ?? 400,
          body: { error: { ...openaiErrorObject(error), param: 'model' } },
        }
      : reply;
  },
  errorFrames: (error, turn, sent) => numbered(failure(error, turn), sent),
  keepAlive: ': keep-alive\n\n',
};

function requestedOutput(body: JsonObject): RequestedOutput {
  const format = objectOf(objectOf(body.text).format);
  const choice = body.tool_choice;
  return {
    schema: format.schema ?? (format.type === 'json_object' ? { type: 'object' } : undefined),
    tools: listOf(body.tools)
      .map(objectOf)
      .filter((tool) => tool.type === 'function')
      .map((tool) => ({ name: textOf(tool.name) ?? '', schema: tool.parameters })),
    forcedTool:
      choice === 'required'
        ? { name: undefined }
        : objectOf(choice).type === 'function'
          ? { name: textOf(objectOf(choice).name) }
          : undefined,
  };
}

function opening(turn: AnswerTurn): readonly Frame[] {
  const response = { ...skeleton(turn), status: 'in_progress' };
  return ['response.created', 'response.in_progress'].map((type) => ({
    event: type,
    data: { type, response },
    role: 'preamble',
  }));
}

function closing(turn: AnswerTurn): Frame {
  const type = `response.${outcomes[turn.answer.finishReason].status}`;
  return { event: type, data: { type, response: finished(turn) }, role: 'finish' };
}

function failure(error: VendorError, turn: AnswerTurn): readonly Frame[] {
  const { type, code, message, param } = openaiErrorObject(error);
  const response = {
    ...skeleton(turn),
    status: 'failed',
    error: { code: code ?? type, message },
  };
  return [
    {
      event: 'error',
      data: { type: 'error', error: { type, code, message, param } },
      role: 'finish',
    },
    {
      event: 'response.failed',
      data: { type: 'response.failed', response },
      role: 'finish',
    },
  ];
}

function numbered(frames: readonly Frame[], from = 0): readonly Frame[] {
  return frames.map((frame, index) => ({
    ...frame,
    data: { ...objectOf(frame.data), sequence_number: from + index },
  }));
}

function finished(turn: AnswerTurn): JsonObject {
  const { answer } = turn;
  const outcome: Outcome = outcomes[answer.finishReason];
  return {
    ...skeleton(turn),
    status: outcome.status,
    completed_at: outcome.status === 'completed' ? Math.floor(turn.at / 1000) : null,
    error:
      outcome.status === 'failed'
        ? { code: 'server_error', message: 'The model failed to answer (simulated).' }
        : null,
    incomplete_details: outcome.reason === undefined ? null : { reason: outcome.reason },
    output: responseItems(turn).map((item) => item.done),
    service_tier: answer.serviceTier ?? 'default',
    usage: outcome.status === 'failed' ? null : usage(turn),
  };
}

/** A new response, which echoes the request. */
function skeleton({ request, answer, serial, at }: AnswerTurn): JsonObject {
  const { body } = request;
  const reasoning = objectOf(body.reasoning);
  return {
    id: `resp_${serial}`,
    object: 'response',
    created_at: Math.floor(at / 1000),
    status: 'in_progress',
    background: false,
    completed_at: null,
    error: null,
    frequency_penalty: 0,
    incomplete_details: null,
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    max_tool_calls: null,
    model: answer.model,
    moderation: null,
    output: [],
    parallel_tool_calls: body.parallel_tool_calls ?? true,
    presence_penalty: 0,
    previous_response_id: null,
    prompt_cache_key: body.prompt_cache_key ?? null,
    prompt_cache_retention: null,
    reasoning: { effort: reasoning.effort ?? null, summary: reasoning.summary ?? null },
    safety_identifier: body.safety_identifier ?? null,
    service_tier: 'auto',
    store: body.store ?? true,
    temperature: body.temperature ?? 1,
    text: { format: { type: 'text' }, verbosity: 'medium', ...objectOf(body.text) },
    tool_choice: body.tool_choice ?? 'auto',
    tools: body.tools ?? [],
    top_logprobs: 0,
    top_p: body.top_p ?? 1,
    truncation: 'disabled',
    usage: null,
    user: null,
    metadata: body.metadata ?? {},
  };
}

function usage({ answer }: AnswerTurn): JsonObject {
  const { usage: counted } = answer;
  return {
    input_tokens: counted.inputTokens,
    input_tokens_details: {
      cached_tokens: counted.cachedInputTokens,
      cache_write_tokens: counted.cacheWriteTokens,
    },
    output_tokens: counted.outputTokens,
    output_tokens_details: { reasoning_tokens: counted.reasoningTokens },
    total_tokens: counted.inputTokens + counted.outputTokens,
  };
}

/** One output item of a response: the events that stream it, and the finished item. */
type ResponseItem = { readonly frames: readonly Frame[]; readonly done: JsonObject };

/** The output items of an answer: reasoning, message, function calls. */
function responseItems(turn: AnswerTurn): readonly ResponseItem[] {
  const { answer } = turn;
  const builders = [
    ...(answer.reasoningSignature === undefined ? [] : [reasoningItem]),
    ...(answer.toolCalls.length > 0 && answer.text === '' ? [] : [messageItem]),
    ...answer.toolCalls.map(functionCallItem),
  ];
  return builders.map((build, outputIndex) => build(turn, outputIndex));
}

function reasoningItem(turn: AnswerTurn, outputIndex: number): ResponseItem {
  const { answer, request, serial } = turn;
  const id = `rs_${serial}`;
  const wantsSummary = objectOf(request.body.reasoning).summary !== undefined;
  const text = wantsSummary ? (answer.reasoning ?? '') : '';
  const item = (summary: readonly JsonObject[], encrypted: string | undefined): JsonObject => ({
    id,
    type: 'reasoning',
    content: [],
    encrypted_content: encrypted,
    summary,
  });
  const part = (content: string): JsonObject => ({ type: 'summary_text', text: content });
  const location = { item_id: id, output_index: outputIndex, summary_index: 0 };
  const done = item(text === '' ? [] : [part(text)], answer.reasoningSignature);
  const type = 'response.reasoning_summary';
  const summary =
    text === ''
      ? []
      : [
          frame(`${type}_part.added`, { ...location, part: part('') }),
          ...splitText(text).map((delta) => frame(`${type}_text.delta`, { ...location, delta })),
          frame(`${type}_text.done`, { ...location, text }),
          frame(`${type}_part.done`, { ...location, part: part(text) }),
        ];
  // As with the vendor, the opening item contains an unfinished blob. Only the finished one may be replayed.
  return surrounded(item([], 'unfinished'), summary, done, outputIndex);
}

function messageItem(turn: AnswerTurn, outputIndex: number): ResponseItem {
  const { answer, serial } = turn;
  const id = `msg_${serial}`;
  const refused = answer.refusal !== undefined;
  const text = answer.refusal ?? answer.text;
  const part = (content: string): JsonObject =>
    refused
      ? { type: 'refusal', refusal: content }
      : { type: 'output_text', annotations: [], logprobs: [], text: content };
  const item = (status: string, content: readonly JsonObject[]): JsonObject => ({
    id,
    type: 'message',
    status,
    content,
    phase: 'final_answer',
    role: 'assistant',
  });
  const location = { content_index: 0, item_id: id, output_index: outputIndex };
  const name = refused ? 'response.refusal' : 'response.output_text';
  const extra = refused ? {} : { logprobs: [] };
  const chunks = refused ? splitText(text) : answer.chunks;
  const unfinished = answer.finishReason === 'length' || answer.finishReason === 'content_filter';
  return surrounded(
    item('in_progress', []),
    [
      frame('response.content_part.added', { ...location, part: part('') }),
      ...chunks.map((delta) => frame(`${name}.delta`, { ...location, delta, ...extra })),
      frame(`${name}.done`, { ...location, ...(refused ? { refusal: text } : { text }), ...extra }),
      frame('response.content_part.done', { ...location, part: part(text) }),
    ],
    item(unfinished ? 'incomplete' : 'completed', [part(text)]),
    outputIndex,
  );
}

function functionCallItem(
  call: CallToWrite,
  index: number,
): (turn: AnswerTurn, outputIndex: number) => ResponseItem {
  return (turn, outputIndex) => {
    const id = `fc_${turn.serial}${index}`;
    const item = (status: string, inputText: string): JsonObject => ({
      id,
      type: 'function_call',
      status,
      arguments: inputText,
      call_id: call.id ?? `call_${turn.serial}${index}`,
      name: call.name,
    });
    const location = { item_id: id, output_index: outputIndex };
    const { inputText } = call;
    const type = 'response.function_call_arguments';
    return surrounded(
      item('in_progress', ''),
      [
        ...splitText(inputText).map((delta) => frame(`${type}.delta`, { ...location, delta })),
        frame(`${type}.done`, { ...location, arguments: inputText }),
      ],
      item('completed', inputText),
      outputIndex,
    );
  };
}

function surrounded(
  added: JsonObject,
  between: readonly Frame[],
  done: JsonObject,
  outputIndex: number,
): ResponseItem {
  const location = { output_index: outputIndex };
  return {
    frames: [
      frame('response.output_item.added', { ...location, item: added }),
      ...between,
      frame('response.output_item.done', { ...location, item: done }),
    ],
    done,
  };
}

function frame(type: string, fields: JsonObject): Frame {
  return { event: type, data: { type, ...fields }, role: 'content' };
}
