import type { FinishReason } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { listOf, objectOf, textOf } from '../common/read.ts';
import {
  type AnswerTurn,
  bearer,
  type Frame,
  type ReceivedRequest,
  type RequestedOutput,
  splitText,
  type WireWriter,
} from '../common/write.ts';
import { anthropicError, anthropicErrorBody, anthropicLimits } from './write-errors.ts';

/** The vendor has no words for `error` and `other`. They test how adapters handle unknown reasons. */
const stopReasons = {
  stop: 'end_turn',
  length: 'max_tokens',
  tool_calls: 'tool_use',
  content_filter: 'refusal',
  refusal: 'refusal',
  context_length: 'model_context_window_exceeded',
  pause: 'pause_turn',
  error: 'error',
  other: 'other',
} as const satisfies Record<FinishReason, string>;

/** The first API version that rejects sampling parameters. */
const versionWithoutSampling = '2026-10-21';

/** Anthropic's Messages API. */
export const anthropicWire: WireWriter = {
  name: 'anthropic',
  accepts: (path) => path.endsWith('/messages'),
  read: (_path, body) => ({
    model: textOf(body.model) ?? '',
    stream: body.stream === true,
  }),
  credential: (headers) => headers['x-api-key'] ?? bearer(headers),
  missingKey: 'auth',
  requestedOutput,
  complaint,
  headers: (turn) => ({ 'request-id': `req_${turn.serial}`, ...anthropicLimits(turn.at) }),
  unary: (turn) => ({
    ...message(turn),
    content: blocks(turn).map((block) => block.done),
    ...stop(turn),
    usage: usage(turn),
  }),
  frames,
  error: anthropicError,
  errorFrames: (error, turn) => [
    { event: 'error', data: anthropicErrorBody(error, turn), role: 'finish' },
  ],
  keepAlive: 'event: ping\ndata: {"type":"ping"}\n\n',
};

function requestedOutput(body: JsonObject): RequestedOutput {
  const choice = objectOf(body.tool_choice);
  return {
    schema: objectOf(objectOf(body.output_config).format).schema,
    tools: listOf(body.tools)
      .map(objectOf)
      .map((tool) => ({ name: textOf(tool.name) ?? '', schema: tool.input_schema })),
    forcedTool:
      choice.type === 'any' || choice.type === 'tool' ? { name: textOf(choice.name) } : undefined,
  };
}

function complaint({ body, model, headers }: ReceivedRequest): string | undefined {
  if (headers['anthropic-version'] === undefined) return 'anthropic-version: header is required';
  if (model === '') return 'model: Field required';
  if (typeof body.max_tokens !== 'number') return 'max_tokens: Field required';
  if (listOf(body.messages).length === 0) return 'messages: at least one message is required';
  if (headers['anthropic-version'] >= versionWithoutSampling) {
    const sampling = ['temperature', 'top_p', 'top_k'].find((name) => name in body);
    if (sampling !== undefined) return `${sampling}: Extra inputs are not permitted`;
  }
  const blank = listOf(body.messages)
    .flatMap((turn) => listOf(objectOf(turn).content).map(objectOf))
    .some((block) => block.type === 'text' && textOf(block.text)?.trim() === '');
  return blank ? 'messages: text content blocks must contain non-whitespace text' : undefined;
}

type Block = {
  readonly start: JsonObject;
  readonly deltas: readonly JsonObject[];
  readonly done: JsonObject;
};

function blocks(turn: AnswerTurn): readonly Block[] {
  const { answer } = turn;
  const thinking: readonly Block[] =
    answer.reasoning === undefined
      ? []
      : [
          {
            start: { type: 'thinking', thinking: '', signature: '' },
            deltas: [
              ...splitText(answer.reasoning).map((chunk) => ({
                type: 'thinking_delta',
                thinking: chunk,
              })),
              { type: 'signature_delta', signature: answer.reasoningSignature },
            ],
            done: {
              type: 'thinking',
              thinking: answer.reasoning,
              signature: answer.reasoningSignature,
            },
          },
        ];
  const text: readonly Block[] =
    answer.text === ''
      ? []
      : [
          {
            start: { type: 'text', text: '' },
            deltas: answer.chunks.map((chunk) => ({ type: 'text_delta', text: chunk })),
            done: { type: 'text', text: answer.text },
          },
        ];
  const calls = answer.toolCalls.map((call, index): Block => {
    const block = {
      type: 'tool_use',
      id: call.id ?? `toolu_${turn.serial}${index}`,
      name: call.name,
    };
    return {
      start: { ...block, input: {}, caller: { type: 'direct' } },
      // As with the vendor, the first delta of the arguments is empty.
      deltas: ['', ...splitText(call.inputText)].map((chunk) => ({
        type: 'input_json_delta',
        partial_json: chunk,
      })),
      done: { ...block, input: call.input, caller: { type: 'direct' } },
    };
  });
  return [...thinking, ...text, ...calls];
}

function frames(turn: AnswerTurn): readonly Frame[] {
  const contents = blocks(turn).flatMap((block, index): readonly Frame[] => [
    frame('content_block_start', { index, content_block: block.start }, 'content'),
    ...(index === 0 ? [frame('ping', {}, 'content')] : []),
    ...block.deltas.map((delta) => frame('content_block_delta', { index, delta }, 'content')),
    frame('content_block_stop', { index }, 'content'),
  ]);
  const { output_tokens_details: _notYet, ...atStart } = usage(turn);
  const started = {
    ...message(turn),
    content: [],
    stop_reason: null,
    stop_sequence: null,
    stop_details: null,
    usage: { ...atStart, output_tokens: 1 },
  };
  const {
    service_tier: _tier,
    inference_geo: _geo,
    cache_creation: _cache,
    ...total
  } = usage(turn);
  return [
    frame('message_start', { message: started }, 'preamble'),
    ...contents,
    frame('message_delta', { delta: stop(turn), usage: total }, 'finish'),
    frame('message_stop', {}, 'end'),
  ];
}

function frame(type: string, fields: JsonObject, role: Frame['role']): Frame {
  return { event: type, data: { type, ...fields }, role };
}

function message({ answer, serial }: AnswerTurn): JsonObject {
  return { model: answer.model, id: `msg_${serial}`, type: 'message', role: 'assistant' };
}

function stop({ answer, request }: AnswerTurn): JsonObject {
  const reason = stopReasons[answer.finishReason];
  const sequences = listOf(request.body.stop_sequences);
  const sequence =
    answer.finishReason === 'stop'
      ? sequences.find((each) => answer.text.endsWith(String(each)))
      : undefined;
  return {
    stop_reason: sequence === undefined ? reason : 'stop_sequence',
    stop_sequence: sequence ?? null,
    stop_details:
      reason === 'refusal'
        ? { type: 'refusal', category: null, explanation: answer.refusal ?? null }
        : null,
  };
}

function usage({ answer }: AnswerTurn): JsonObject & { readonly output_tokens: number } {
  const { usage: counted } = answer;
  return {
    input_tokens: counted.inputTokens - counted.cachedInputTokens - counted.cacheWriteTokens,
    cache_creation_input_tokens: counted.cacheWriteTokens,
    cache_read_input_tokens: counted.cachedInputTokens,
    cache_creation: {
      ephemeral_5m_input_tokens: counted.cacheWriteTokens,
      ephemeral_1h_input_tokens: 0,
    },
    output_tokens: counted.outputTokens,
    ...(counted.reasoningTokens > 0 && {
      output_tokens_details: { thinking_tokens: counted.reasoningTokens },
    }),
    service_tier: answer.serviceTier ?? 'standard',
    inference_geo: 'not_available',
  };
}
