import type { JsonObject } from '../../protocol/json.ts';
import { listOf, objectOf, textOf } from '../common/read.ts';
import type { PartToWrite } from '../common/serve.ts';
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
  type WireWriter,
} from '../common/write.ts';
import { MessageWriter } from './answer-writer.ts';
import { errorBody, usualStatus } from './error-body.ts';

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
  unary: (turn) => {
    const writer = writerOf(turn);
    writeAll(writer, turn);
    return writer.body();
  },
  frames: (turn) => writeAll(writerOf(turn), turn),
  error: anthropicError,
  errorFrames: (error, turn) => writerOf(turn).fail(error),
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

function writerOf(turn: AnswerTurn): MessageWriter {
  return new MessageWriter(turn, turn.answer);
}

function partsOf({ answer }: AnswerTurn): readonly PartToWrite[] {
  const { reasoning, reasoningSignature, chunks, text, refusal, toolCalls } = answer;
  return [
    ...(reasoning === undefined
      ? []
      : [
          ...[...splitText(reasoning), ''].map((delta) => ({ type: 'reasoning', delta }) as const),
          { type: 'reasoning-end', opaque: reasoningSignature } as const,
        ]),
    ...(text === '' ? [] : chunks.map((delta) => ({ type: 'text', delta }) as const)),
    ...(refusal === undefined ? [] : [{ type: 'refusal', delta: refusal } as const]),
    ...toolCalls.flatMap(({ id, name, input, inputText }, index): readonly PartToWrite[] => {
      const key = String(index);
      return [
        { type: 'tool-call', key, id, name },
        ...splitText(inputText).map((delta) => ({ type: 'tool-input', key, delta }) as const),
        { type: 'tool-call-end', key, input },
      ];
    }),
  ];
}

/** The events of the whole answer. */
function writeAll(writer: MessageWriter, turn: AnswerTurn): readonly Frame[] {
  return [
    ...writer.start(),
    ...partsOf(turn).flatMap((part) => writer.write(part)),
    ...writer.finish(turn.answer),
  ];
}

function anthropicError(error: VendorError, turn: Turn): ErrorReply {
  const { kind, retryAfterSeconds } = error;
  const status = error.status ?? usualStatus(kind);
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
    body: errorBody(error, turn),
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
