import type { FinishReason } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { listOf, objectOf, textOf } from '../common/read.ts';
import {
  type AnswerTurn,
  bearer,
  type ErrorReply,
  type Frame,
  type ReceivedRequest,
  type RequestedOutput,
  splitText,
  type Turn,
  type VendorError,
  type VendorErrorKind,
  type WireWriter,
} from '../common/write.ts';

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

type AnthropicError = {
  readonly status: number;
  readonly type: string;
  readonly message: string;
  readonly errorCode?: string;
};

const errors = {
  rate_limited: {
    status: 429,
    type: 'rate_limit_error',
    message: 'This request would exceed the rate limit of the organization (simulated).',
  },
  // Differs from a rate limit only in `error.details.error_code`.
  quota_exhausted: {
    status: 429,
    type: 'rate_limit_error',
    message: 'The spend limit of this workspace is reached (simulated).',
    errorCode: 'enforced_spend_limit_reached',
  },
  auth: { status: 401, type: 'authentication_error', message: 'invalid bearer token (simulated)' },
  permission: {
    status: 403,
    type: 'permission_error',
    message: 'This key may not use the requested resource (simulated).',
  },
  model_not_found: { status: 404, type: 'not_found_error', message: 'model: unknown (simulated)' },
  context_length: {
    status: 400,
    type: 'invalid_request_error',
    message: 'prompt is too long: 2000 tokens > 1000 maximum (simulated)',
  },
  content_filter: {
    status: 400,
    type: 'invalid_request_error',
    message: 'Output blocked by content filtering policy (simulated)',
  },
  overloaded: { status: 529, type: 'overloaded_error', message: 'Overloaded (simulated)' },
  server_error: { status: 500, type: 'api_error', message: 'Internal server error (simulated)' },
  invalid_request: {
    status: 400,
    type: 'invalid_request_error',
    message: 'The request is not valid (simulated).',
  },
  unsupported: {
    status: 400,
    type: 'invalid_request_error',
    message: 'temperature: Extra inputs are not permitted (simulated)',
  },
} as const satisfies Record<VendorErrorKind, AnthropicError>;

/** The body of an error response, and the data of an `error` event. */
function anthropicErrorBody({ kind, code, message }: VendorError, turn: Turn): JsonObject {
  const error: AnthropicError = errors[kind];
  return {
    type: 'error',
    error: {
      type: code ?? error.type,
      message: message ?? error.message,
      ...(error.errorCode !== undefined && { details: { error_code: error.errorCode } }),
    },
    request_id: `req_${turn.serial}`,
  };
}

function anthropicError(error: VendorError, turn: Turn): ErrorReply {
  const { kind, retryAfterSeconds } = error;
  const status = error.status ?? errors[kind].status;
  return {
    status,
    headers: {
      'request-id': `req_${turn.serial}`,
      'x-should-retry': kind === 'rate_limited' || status >= 500 ? 'true' : 'false',
      ...(kind === 'rate_limited' && {
        ...anthropicLimits(turn.at),
        'anthropic-ratelimit-requests-remaining': '0',
        'anthropic-ratelimit-requests-reset': instant(turn.at + (retryAfterSeconds ?? 1) * 1000),
      }),
      ...(retryAfterSeconds !== undefined && { 'retry-after': String(retryAfterSeconds) }),
    },
    body: anthropicErrorBody(error, turn),
  };
}

/** The rate limit headers of an answer sent at `at` (epoch milliseconds). */
function anthropicLimits(at: number): Readonly<Record<string, string>> {
  const limits = {
    requests: 1000,
    tokens: 480_000,
    'input-tokens': 400_000,
    'output-tokens': 80_000,
  };
  return Object.fromEntries(
    Object.entries(limits).flatMap(([name, limit]) => [
      [`anthropic-ratelimit-${name}-limit`, String(limit)],
      [`anthropic-ratelimit-${name}-remaining`, String(limit - 1)],
      [`anthropic-ratelimit-${name}-reset`, instant(at)],
    ]),
  );
}

function instant(at: number): string {
  return new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');
}
