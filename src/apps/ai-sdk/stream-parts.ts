import { isSignalboxError, SignalboxError } from '../../errors.ts';
import type { Part, ReasoningPart, RefusalPart, TextPart } from '../../protocol/message.ts';
import type { StreamPart } from '../../protocol/stream-part.ts';
import {
  citationsOf,
  failureOf,
  finishReasonOf,
  jsonOf,
  metadataOf,
  otherContentOf,
  replayOf,
  usageOf,
} from './answer.ts';
import type { Block, ModelStreamPart, ModelWarning } from './specification.ts';

type Restart = Extract<StreamPart, { type: 'restart' }>;

function cannotRestart(tier: string, { from, error }: Restart): SignalboxError {
  const message = `tier "${tier}": ${from} broke off (${error.code}), and a stream of the AI SDK cannot take back what it has yielded`;
  const { status, requestId } = error;
  return new SignalboxError('stream_interrupted', message, {
    tier,
    target: from,
    status,
    requestId,
  });
}

/** Converts the parts of one answer. */
class Answer {
  #open: { [Name in Block]?: string } = {};
  #count = 0;
  /** Something that cannot be taken back was yielded. */
  hasContent = false;

  *of(part: StreamPart): Generator<ModelStreamPart, void> {
    switch (part.type) {
      case 'start':
        return yield { type: 'response-metadata', modelId: part.model };
      case 'text-delta':
        return yield* this.#delta('text', part.delta);
      case 'reasoning-delta':
        return yield* this.#delta('reasoning', part.delta);
      case 'tool-call-start':
        this.hasContent = true;
        return yield { type: 'tool-input-start', id: part.id, toolName: part.name };
      case 'tool-call-delta':
        return yield { type: 'tool-input-delta', id: part.id, delta: part.delta };
      case 'part-end':
        this.hasContent = true;
        return yield* this.#end(part.part);
      case 'finish': {
        const { completion } = part;
        yield* this.#closeAll();
        yield { type: 'response-metadata', id: completion.id, modelId: completion.model.served };
        return yield {
          type: 'finish',
          finishReason: finishReasonOf(completion),
          usage: usageOf(completion.usage),
          providerMetadata: { signalbox: metadataOf(completion) },
        };
      }
      // Without content before it there is nothing to take back. A continued answer goes on in the open block.
      case 'restart':
      case 'continue':
      // The error that follows reports it.
      case 'invalid-tool-call':
        return;
      default:
        part satisfies never;
    }
  }

  /** The end of an answer that broke off: the AI SDK makes no further step and runs none of its tool calls. */
  *interrupted(error: unknown): Generator<ModelStreamPart, void> {
    yield* this.#closeAll();
    yield { type: 'error', error };
    const failure = isSignalboxError(error) ? error : undefined;
    yield {
      type: 'finish',
      finishReason: { unified: 'interrupted', raw: failure?.code },
      usage: usageOf(failure?.partial?.usage),
      providerMetadata: {
        signalbox: jsonOf({
          tier: failure?.tier,
          target: failure?.partial?.target ?? failure?.target,
          trail: failure?.trail ?? [],
        }),
      },
    };
  }

  *#delta(block: Block, delta: string): Generator<ModelStreamPart, void> {
    this.hasContent = true;
    yield { type: `${block}-delta`, id: yield* this.#opened(block), delta };
  }

  /** The id of the block, which is begun if none is open. */
  *#opened(block: Block): Generator<ModelStreamPart, string> {
    const open = this.#open[block];
    if (open !== undefined) return open;
    this.#count += 1;
    const id = String(this.#count);
    this.#open[block] = id;
    yield { type: `${block}-start`, id };
    return id;
  }

  *#end(part: Part): Generator<ModelStreamPart, void> {
    if (part.type === 'text' || part.type === 'reasoning' || part.type === 'refusal') {
      return yield* this.#endBlock(part);
    }
    if (part.type === 'tool-call') yield { type: 'tool-input-end', id: part.id };
    yield* otherContentOf(part);
  }

  *#endBlock(part: TextPart | ReasoningPart | RefusalPart): Generator<ModelStreamPart, void> {
    const block = part.type === 'reasoning' ? 'reasoning' : 'text';
    // A part without deltas comes as a whole.
    if (this.#open[block] === undefined && part.text !== '') yield* this.#delta(block, part.text);
    const id = yield* this.#opened(block);
    delete this.#open[block];
    if (part.type === 'reasoning') {
      return yield { type: 'reasoning-end', id, ...replayOf(part.opaque) };
    }
    const text: TextPart = part.type === 'text' ? part : { type: 'text', text: part.text };
    const cited = citationsOf(text);
    yield { type: 'text-end', id, ...cited, ...replayOf(text.opaque) };
    for (const { source } of cited.citations ?? []) yield source;
  }

  *#closeAll(): Generator<ModelStreamPart, void> {
    const { text, reasoning } = this.#open;
    this.#open = {};
    if (reasoning !== undefined) yield { type: 'reasoning-end', id: reasoning };
    if (text !== undefined) yield { type: 'text-end', id: text };
  }
}

/** Converts a stream of the router. An answer that breaks off after content has an error and ends as `interrupted`. */
export async function* modelStreamParts(
  tier: string,
  parts: AsyncIterable<StreamPart>,
  warnings: ModelWarning[],
  signal: AbortSignal | undefined,
): AsyncGenerator<ModelStreamPart, void> {
  const answer = new Answer();
  yield { type: 'stream-start', warnings };
  try {
    for await (const part of parts) {
      // Leaving the loop closes the socket of the second answer.
      if (part.type === 'restart' && answer.hasContent) throw cannotRestart(tier, part);
      yield* answer.of(part);
    }
  } catch (error) {
    const failure = failureOf(error, signal);
    if (failure !== error || !answer.hasContent) throw failure;
    yield* answer.interrupted(error);
  }
}
