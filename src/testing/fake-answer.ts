import type { FinishReason, Warning } from '../protocol/completion.ts';
import type { Json } from '../protocol/json.ts';
import type { ProviderRequest, Transfer } from '../protocol/request.ts';
import type { ProviderPart } from '../protocol/stream-part.ts';
import type { Usage } from '../protocol/usage.ts';
import { createPartAssembler } from '../wires/common/part-assembler.ts';
import { splitText } from '../wires/common/write.ts';
import { schemaExample } from './simulator/schema-example.ts';

export type FakeToolCall = {
  /** @default 'call_1' and so on */
  readonly id?: string;
  readonly name: string;
  /** @default {} */
  readonly input?: Json;
  /** The arguments as text, character for character; for arguments that are not JSON. */
  readonly rawInput?: string;
};

/** What a fake provider answers. All fields are optional; nothing at all is an empty answer. */
export type FakeAnswer = {
  readonly text?: string;
  /** The text in the pieces in which it is streamed. @default `text` in pieces of a dozen characters */
  readonly chunks?: readonly string[];
  readonly reasoning?: string;
  readonly toolCalls?: readonly FakeToolCall[];
  /** Answered as JSON text, for calls with a `schema`. */
  readonly object?: Json;
  /** @default 'tool_calls' with tool calls, else 'stop' */
  readonly finishReason?: FinishReason;
  readonly rawFinishReason?: string;
  /** `'none'`: the vendor reports none. @default about a token for every four characters */
  readonly usage?: FakeUsage | 'none';
  /** The model that the answer says served it. @default the one asked for */
  readonly servedModel?: string;
  readonly requestId?: string;
  /** Told along with the answer. */
  readonly warnings?: readonly Warning[];
  /** Milliseconds before the first part. @default 0 */
  readonly firstTokenDelayMs?: number;
  /** Milliseconds between two chunks of a stream. @default 0 */
  readonly chunkDelayMs?: number;
  /** Breaks off with `stream_interrupted` after so many chunks of the text. */
  readonly cutAfter?: number;
  /** Says no more after so many chunks of the text, until the attempt is aborted. */
  readonly stallAfter?: number;
  /** Says nothing at all, until the attempt is aborted. @default false */
  readonly hang?: boolean;
};

/** Counted like `Usage`, whose total it may leave out. */
export type FakeUsage = Omit<Usage, 'totalTokens'> & { readonly totalTokens?: number };

const charactersPerToken = 4;

function countTokens(text: string): number {
  return Math.ceil(text.length / charactersPerToken);
}

/** What is answered when the script says nothing: an object for a schema, else a line that names the target. */
export function defaultFakeAnswer(request: ProviderRequest): FakeAnswer {
  if (request.output !== undefined) {
    return { text: JSON.stringify(schemaExample(request.output.schema)) };
  }
  return { text: `Fake answer of ${request.provider}/${request.model}.` };
}

/** The chunks of the answer's text, as the wire mode delivers them. */
export function fakeChunks(answer: FakeAnswer, transfer: Transfer): readonly string[] {
  const object = answer.object === undefined ? undefined : JSON.stringify(answer.object);
  const text = answer.text ?? object;
  const chunks = answer.chunks ?? (text === undefined ? [] : splitText(text));
  return transfer === 'unary' && chunks.length > 0 ? [chunks.join('')] : chunks;
}

/** All parts between `open` and `finish`, in the order of a real answer: reasoning, text, tool calls. */
export function fakeContent(
  answer: FakeAnswer,
  chunks: readonly string[],
): readonly ProviderPart[] {
  const parts: ProviderPart[] = [];
  const assembler = createPartAssembler((part) => void parts.push(part));
  if (answer.reasoning !== undefined) {
    assembler.text('reasoning', 'reasoning', answer.reasoning);
    assembler.close('reasoning');
  }
  for (const chunk of chunks) assembler.text('text', 'text', chunk);
  assembler.close('text');
  for (const [index, call] of (answer.toolCalls ?? []).entries()) {
    const place = `tool-${index}`;
    assembler.toolCall(place, call.id ?? `call_${index + 1}`, call.name);
    assembler.toolInput(place, call.rawInput ?? JSON.stringify(call.input ?? {}));
    assembler.close(place);
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
  const calls = (answer.toolCalls ?? []).length > 0;
  return {
    type: 'finish',
    finishReason: answer.finishReason ?? (calls ? 'tool_calls' : 'stop'),
    ...(answer.rawFinishReason !== undefined && { rawFinishReason: answer.rawFinishReason }),
    servedModel: answer.servedModel ?? request.model,
    ...(usage !== undefined && { usage }),
  };
}
