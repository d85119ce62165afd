import { memoryOf } from '../../internal/memory-of.ts';
import type { Part } from '../../protocol/message.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import {
  answerTooLarge,
  checkCount,
  maxAnswerParts,
  memoryBoundOf,
} from '../../transport/answer-bound.ts';

/** Most warnings that are kept of one answer. */
export const maxWarnings = 100;

/**
 * Measures what an attempt's parts add up to, whatever provider made them: one of the user's own may have no end either.
 * The transport bounds the bytes of a vendor's answer by the same setting.
 */
export class AnswerMeter {
  readonly #maxBytes: number;
  readonly #maxMemory: number;
  #text = 0;
  #memory = 0;
  #parts = 0;
  #wholeParts = 0;
  /** Characters of deltas whose whole part is still to come: it says the same again. */
  #unclaimed = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#maxMemory = memoryBoundOf(maxBytes);
  }

  /** @throws SignalboxError `invalid_response` when the answer has become too large */
  add(part: ProviderPart): void {
    checkCount(++this.#parts, 'parts', maxAnswerParts);
    switch (part.type) {
      case 'text-delta':
      case 'reasoning-delta':
      case 'tool-call-delta':
        this.#unclaimed += part.delta.length;
        this.#text += part.delta.length;
        break;
      case 'part-end':
        checkCount(++this.#wholeParts, 'whole parts');
        this.#addWhole(part.part);
        break;
      default:
    }
    if (this.#text > this.#maxBytes || this.#memory > this.#maxMemory) {
      throw answerTooLarge(this.#maxBytes);
    }
  }

  #addWhole(part: Part): void {
    const isPlain = part.type === 'text' && part.citations === undefined;
    if (isPlain) this.#text += this.#unclaimedOf(part.text.length);
    else this.#memory += this.#unclaimedOf(memoryOf(part, this.#maxMemory));
  }

  /** What of a size has not come as deltas before. */
  #unclaimedOf(size: number): number {
    const claimed = Math.min(size, this.#unclaimed);
    this.#unclaimed -= claimed;
    return size - claimed;
  }
}
