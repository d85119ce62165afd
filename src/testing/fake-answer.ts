import type { FinishReason, Warning } from '../protocol/completion.ts';
import type { Json } from '../protocol/json.ts';
import type { ProviderRequest, Transfer } from '../protocol/request.ts';
import type { ProviderPart } from '../protocol/stream-part.ts';
import type { Usage } from '../protocol/usage.ts';
import { PartAssembler } from '../wires/common/read-answer.ts';
import { splitText } from '../wires/common/write.ts';
import { schemaExample } from './simulator/schema-example.ts';

export type FakeToolCall = {
  /** @default 'call_1' and so on */
  readonly id?: string | undefined;
  readonly name: string;
  /** @default {} */
  readonly input?: Json | undefined;
  /** The arguments as text, verbatim, for arguments that are not JSON. */
  readonly rawInput?: string | undefined;
};

/** The answer of a fake provider. All fields are optional; `{}` is an empty answer. */
export type FakeAnswer = {
  readonly text?: string | undefined;
  /** The chunks in which the text is streamed. @default `text` in chunks of about 12 characters */
  readonly chunks?: readonly string[] | undefined;
  readonly reasoning?: string | undefined;
  readonly toolCalls?: readonly FakeToolCall[] | undefined;
  /** Answered as JSON text, for calls with a `schema`. */
  readonly object?: Json | undefined;
  /** @default 'tool_calls' with tool calls, otherwise 'stop' */
  readonly finishReason?: FinishReason | undefined;
  readonly rawFinishReason?: string | undefined;
  /** `'none'`: the vendor reports no usage. @default about one token per four characters */
  readonly usage?: FakeUsage | 'none' | undefined;
  /** The model that the answer names. @default the requested one */
  readonly servedModel?: string | undefined;
  readonly requestId?: string | undefined;
  /** Warnings that the answer reports. */
  readonly warnings?: readonly Warning[] | undefined;
  /** Milliseconds before the first part. @default 0 */
  readonly firstTokenDelayMs?: number | undefined;
  /** Milliseconds between two chunks of a stream. @default 0 */
  readonly chunkDelayMs?: number | undefined;
  /** Fails with `stream_interrupted` after this many chunks of the text. */
  readonly cutAfter?: number | undefined;
  /** Stalls after this many chunks of the text, until the attempt is aborted. */
  readonly stallAfter?: number | undefined;
  /** Sends nothing until the attempt is aborted. @default false */
  readonly hang?: boolean | undefined;
};

/** Like `Usage`, with an optional total. */
export type FakeUsage = Omit<Usage, 'totalTokens'> & { readonly totalTokens?: number | undefined };

const charactersPerToken = 4;

function countTokens(text: string): number {
  return Math.ceil(text.length / charactersPerToken);
}

/** The answer without a script: an object for a schema, otherwise a line that names the target. */
export function defaultFakeAnswer(request: ProviderRequest): FakeAnswer {
  if (request.output !== undefined) {
    return { text: JSON.stringify(schemaExample(request.output.schema)) };
  }
  return { text: `Fake answer of ${request.provider}/${request.model}.` };
}

/** The chunks of the answer's text; a single one for `unary`. */
export function fakeChunks(answer: FakeAnswer, transfer: Transfer): readonly string[] {
  const object = answer.object === undefined ? undefined : JSON.stringify(answer.object);
  const text = answer.text ?? object;
  const chunks = answer.chunks ?? (text === undefined ? [] : splitText(text));
  return transfer === 'unary' && chunks.length > 0 ? [chunks.join('')] : chunks;
}

/** All parts between `open` and `finish`: reasoning, text, tool calls. */
export function fakeContent(
  answer: FakeAnswer,
  chunks: readonly string[],
): readonly ProviderPart[] {
  const parts: ProviderPart[] = [];
  const assembler = new PartAssembler((part) => void parts.push(part));
  if (answer.reasoning !== undefined) {
    assembler.text('reasoning', 'reasoning', answer.reasoning);
    assembler.close('reasoning');
  }
  for (const chunk of chunks) assembler.text('text', 'text', chunk);
  assembler.close('text');
  for (const [index, call] of (answer.toolCalls ?? []).entries()) {
    const key = `tool-${index}`;
    assembler.toolCall(key, call.id ?? `call_${index + 1}`, call.name);
    assembler.toolInput(key, call.rawInput ?? JSON.stringify(call.input ?? {}));
    assembler.close(key);
  }
  return parts;
}

function usageOf(answer: FakeAnswer, request: ProviderRequest): Usage | undefined {
  if (answer.usage === 'none') return undefined;
  const output = [
    ...fakeChunks(answer, 'unary'),
    answer.reasoning ?? '',
    ...(answer.toolCalls ?? []).map((call) => call.rawInput ?? JSON.stringify(call.input ?? {})),
  ];
  const counted: FakeUsage = answer.usage ?? {
    inputTokens: countTokens(
      request.messages.flatMap(({ content }) => content.map((part) => JSON.stringify(part))).join(),
    ),
    outputTokens: countTokens(output.join('')),
  };
  return {
    ...counted,
    totalTokens: counted.totalTokens ?? counted.inputTokens + counted.outputTokens,
  };
}

export function fakeFinish(answer: FakeAnswer, request: ProviderRequest): ProviderPart {
  const usage = usageOf(answer, request);
  const hasCalls = (answer.toolCalls ?? []).length > 0;
  return {
    type: 'finish',
    finishReason: answer.finishReason ?? (hasCalls ? 'tool_calls' : 'stop'),
    ...(answer.rawFinishReason !== undefined && { rawFinishReason: answer.rawFinishReason }),
    servedModel: answer.servedModel ?? request.model,
    ...(usage !== undefined && { usage }),
  };
}
