import { memoryOf } from '../../internal/memory-of.ts';
import {
  answerTooLarge,
  defaultMaxAnswerBytes,
  memoryBoundOf,
} from '../../transport/answer-bound.ts';

/** The events of a stream, for a caller that wants them as they came. They take several times their bytes on the wire. */
export class RawEvents {
  readonly events: unknown[] = [];
  readonly #maxBytes: number;
  readonly #maxMemory: number;
  #memory = 0;

  constructor(maxBytes: number = defaultMaxAnswerBytes) {
    this.#maxBytes = maxBytes;
    this.#maxMemory = memoryBoundOf(maxBytes);
  }

  /** @throws SignalboxError `invalid_response` when they have become too many */
  add(event: unknown): void {
    this.events.push(event);
    this.#memory += memoryOf(event, this.#maxMemory);
    if (this.#memory > this.#maxMemory) throw answerTooLarge(this.#maxBytes);
  }
}
