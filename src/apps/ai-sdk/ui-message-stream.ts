import { isSignalboxError } from '../../errors.ts';
import type { Completion, FinishReason } from '../../protocol/completion.ts';
import type { Citation, Media, Part, ToolCallPart } from '../../protocol/message.ts';
import type { CompletionStream, StreamPart } from '../../protocol/stream-part.ts';
import { errorResponse } from '../../telemetry/error-response.ts';
import { finishReasons } from './finish-reasons.ts';
import { pulledStream } from './pulled-stream.ts';

type Block = 'text' | 'reasoning';

/** The chunks of the AI SDK's UI message stream that an answer can have: assignable to its `UIMessageChunk`. */
export type AnswerUIMessageChunk =
  | { type: 'start' | 'start-step' | 'reset-step' | 'finish-step' | 'abort' }
  | { type: `${Block}-start` | `${Block}-end`; id: string }
  | { type: `${Block}-delta`; id: string; delta: string }
  | { type: 'source-url'; sourceId: string; url: string; title?: string }
  | { type: 'file'; url: string; mediaType: string }
  | { type: 'tool-input-start'; toolCallId: string; toolName: string }
  | { type: 'tool-input-delta'; toolCallId: string; inputTextDelta: string }
  | { type: 'tool-input-available'; toolCallId: string; toolName: string; input: unknown }
  | {
      type: 'tool-input-error';
      toolCallId: string;
      toolName: string;
      input: unknown;
      errorText: string;
    }
  | { type: 'finish'; finishReason: (typeof finishReasons)[FinishReason] }
  | { type: 'error'; errorText: string };

type Answer = Pick<Completion, 'finishReason'>;

function toolInput({ id, name, input, ...part }: ToolCallPart): AnswerUIMessageChunk {
  const call = { toolCallId: id, toolName: name, input };
  if (part.denied !== undefined) {
    return { type: 'tool-input-error', ...call, errorText: 'This call is not allowed.' };
  }
  if (part.invalid === true) {
    return { type: 'tool-input-error', ...call, errorText: 'The input of this call is not valid.' };
  }
  return { type: 'tool-input-available', ...call };
}

/** An image, a clip or a file that the model made. */
function* file(source: Media): Generator<AnswerUIMessageChunk, void> {
  if (!('data' in source)) return;
  const { data, mediaType } = source;
  const base64 = typeof data === 'string' ? data : Buffer.from(data).toString('base64');
  yield { type: 'file', url: `data:${mediaType};base64,${base64}`, mediaType };
}

/** Converts the parts of one answer. */
class Chunks {
  #hasStarted = false;
  /** The ids of the blocks that are open. */
  #open: { [Name in Block]?: string } = {};
  #count = 0;

  *of(part: StreamPart<Answer>): Generator<AnswerUIMessageChunk, void> {
    switch (part.type) {
      case 'start':
        if (!this.#hasStarted) yield* [{ type: 'start' } as const, { type: 'start-step' } as const];
        this.#hasStarted = true;
        return;
      case 'text-delta':
        return yield* this.#delta('text', part.delta);
      case 'reasoning-delta':
        return yield* this.#delta('reasoning', part.delta);
      case 'tool-call-start':
        return yield { type: 'tool-input-start', toolCallId: part.id, toolName: part.name };
      case 'tool-call-delta':
        return yield { type: 'tool-input-delta', toolCallId: part.id, inputTextDelta: part.delta };
      case 'part-end':
        return yield* this.#end(part.part);
      case 'restart':
        this.#open = {};
        return yield { type: 'reset-step' };
      case 'finish':
        yield* this.#close('reasoning');
        yield* this.#close('text');
        yield { type: 'finish-step' };
        yield { type: 'finish', finishReason: finishReasons[part.completion.finishReason] };
        return;
      case 'continue':
      // The error that follows reports it.
      case 'invalid-tool-call':
        return;
      default:
        part satisfies never;
    }
  }

  *#delta(block: Block, delta: string): Generator<AnswerUIMessageChunk, void> {
    let id = this.#open[block];
    if (id === undefined) {
      id = this.#nextId();
      this.#open[block] = id;
      yield { type: `${block}-start`, id };
    }
    yield { type: `${block}-delta`, id, delta };
  }

  *#close(block: Block): Generator<AnswerUIMessageChunk, void> {
    const id = this.#open[block];
    if (id === undefined) return;
    delete this.#open[block];
    yield { type: `${block}-end`, id };
  }

  *#end(part: Part): Generator<AnswerUIMessageChunk, void> {
    if (part.type === 'tool-call') yield toolInput(part);
    if (part.type === 'reasoning') yield* this.#close('reasoning');
    if (part.type === 'text' || part.type === 'refusal') yield* this.#close('text');
    if (part.type === 'image' || part.type === 'audio' || part.type === 'file') {
      yield* file(part.source);
    }
    if (part.type === 'text') yield* this.#sources(part.citations ?? []);
  }

  *#sources(citations: readonly Citation[]): Generator<AnswerUIMessageChunk, void> {
    for (const { url, title } of citations) {
      if (url === undefined) continue;
      const source = { type: 'source-url', sourceId: this.#nextId(), url } as const;
      yield title === undefined ? source : { ...source, title };
    }
  }

  #nextId(): string {
    this.#count += 1;
    return String(this.#count);
  }
}

async function* chunksOf(
  parts: AsyncIterable<StreamPart<Answer>>,
): AsyncGenerator<AnswerUIMessageChunk, void> {
  const chunks = new Chunks();
  try {
    for await (const part of parts) yield* chunks.of(part);
  } catch (error) {
    if (isSignalboxError(error, 'aborted')) yield { type: 'abort' };
    else yield { type: 'error', errorText: errorResponse(error).body.error.message };
  }
}

/**
 * A UI message stream of the AI SDK (7), for `useChat`: pass it to `createUIMessageStreamResponse`, or merge it in
 * `createUIMessageStream`. It has the text, the reasoning, the tool calls and the sources of an answer, and nothing of
 * its trail, tags and costs. A `restart` is `reset-step`. A failure is an `error` chunk with a sentence for users, and
 * not a failure of the stream. Cancelling it closes the vendor's socket.
 */
export function toUIMessageStream(
  stream: CompletionStream<Answer>,
): ReadableStream<AnswerUIMessageChunk> {
  const reader = stream[Symbol.asyncIterator]();
  const chunks = chunksOf({ [Symbol.asyncIterator]: () => reader });
  return pulledStream(chunks, () => reader.return?.());
}
