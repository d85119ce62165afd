import { SignalboxError } from '../../errors.ts';
import type { Completion, FinishReason } from '../../protocol/completion.ts';
import type { Part, ToolCallPart } from '../../protocol/message.ts';
import type { StreamPart } from '../../protocol/stream-part.ts';
import type { Usage } from '../../protocol/usage.ts';
import { encodeOpaque } from '../../wires/common/client-opaque.ts';
import type { AnswerEnd, PartToWrite } from '../../wires/common/serve.ts';
import type { UsageToWrite } from '../../wires/common/write.ts';

/** What a client gets instead of the calls, if a plugin denied all of them. */
const denied = 'A tool call was not allowed.';

/** What it gets where the model refused without words. */
const refused = 'The model refused to answer.';

function usageToWrite(usage: Usage): UsageToWrite {
  return {
    inputTokens: usage.inputTokens,
    outputTokens: usage.outputTokens,
    cachedInputTokens: usage.cachedInputTokens ?? 0,
    cacheWriteTokens: usage.cacheWriteTokens ?? 0,
    reasoningTokens: usage.reasoningTokens ?? 0,
  };
}

const none: readonly PartToWrite[] = [];

/**
 * The parts of one answer as wires write them. A call that a plugin denied is left out; if no other call is left, the
 * answer is a refusal.
 */
export class AnswerParts {
  /** The keys of the calls that have started. */
  readonly #started = new Set<string>();
  #deniedCount = 0;
  #hasRefused = false;
  /** Whether the text or reasoning that ends next came as deltas. */
  #hasText = false;
  #hasReasoning = false;

  /** @throws SignalboxError `stream_interrupted` for an answer that starts again: what was sent cannot be taken back */
  of(part: StreamPart<Completion>): readonly PartToWrite[] {
    switch (part.type) {
      case 'text-delta':
        this.#hasText = true;
        return [{ type: 'text', delta: part.delta }];
      case 'reasoning-delta':
        this.#hasReasoning = true;
        return [{ type: 'reasoning', delta: part.delta }];
      case 'tool-call-start':
        this.#started.add(part.id);
        return [{ type: 'tool-call', key: part.id, id: part.id, name: part.name }];
      case 'tool-call-delta':
        return [{ type: 'tool-input', key: part.id, delta: part.delta }];
      case 'part-end':
        return this.whole(part.part);
      case 'restart':
        throw new SignalboxError('stream_interrupted', 'the answer broke off and starts again');
      // The error that follows reports an invalid call.
      case 'invalid-tool-call':
      case 'start':
      case 'continue':
      case 'finish':
        return none;
      default:
        return part satisfies never;
    }
  }

  /** What has not been written of a whole part. */
  whole(part: Part): readonly PartToWrite[] {
    switch (part.type) {
      case 'text':
      case 'refusal': {
        const isWritten = this.#hasText || part.text === '';
        this.#hasRefused ||= part.type === 'refusal';
        this.#hasText = false;
        return isWritten ? none : [{ type: part.type, delta: part.text }];
      }
      case 'reasoning': {
        const isWritten = this.#hasReasoning || part.text === '';
        this.#hasReasoning = false;
        const end = { type: 'reasoning-end', opaque: encodeOpaque(part.opaque) } as const;
        return isWritten ? [end] : [{ type: 'reasoning', delta: part.text }, end];
      }
      case 'tool-call':
        return this.#call(part);
      default:
        return none;
    }
  }

  /** What follows the last part. */
  rest({ finishReason, text }: Completion): readonly PartToWrite[] {
    if (this.#isDenied) return [{ type: 'refusal', delta: denied }];
    const isSilent = finishReason === 'refusal' && text === '' && !this.#hasRefused;
    return isSilent ? [{ type: 'refusal', delta: refused }] : none;
  }

  end({ finishReason, usage, serviceTier }: Completion): AnswerEnd {
    return {
      finishReason: this.#reason(finishReason),
      usage: usageToWrite(usage),
      serviceTier,
    };
  }

  get #isDenied(): boolean {
    return this.#deniedCount > 0 && this.#started.size === 0;
  }

  #reason(reason: FinishReason): FinishReason {
    return this.#isDenied && reason === 'tool_calls' ? 'refusal' : reason;
  }

  #call(part: ToolCallPart): readonly PartToWrite[] {
    if (part.denied !== undefined) {
      this.#deniedCount += 1;
      return none;
    }
    const { id, name, input, rawInput, opaque } = part;
    const end = { type: 'tool-call-end', key: id, input, opaque: encodeOpaque(opaque) } as const;
    if (this.#started.has(id)) return [end];
    this.#started.add(id);
    return [
      { type: 'tool-call', key: id, id, name },
      { type: 'tool-input', key: id, delta: rawInput ?? JSON.stringify(input) },
      end,
    ];
  }
}
