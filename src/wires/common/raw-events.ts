import { memoryOf } from '../../internal/memory-of.ts';
import {
  answerTooLarge,
  defaultMaxAnswerBytes,
  memoryBoundOf,
} from '../../transport/answer-bound.ts';

/** The raw events of a stream. Parsed events take several times the memory of the bytes received. */
export class RawEvents {
  readonly events: unknown[] = [];
  readonly #maxBytes: number;
  readonly #maxMemory: number;
  #memory = 0;

  constructor(maxBytes: number = defaultMaxAnswerBytes) {
    this.#maxBytes = maxBytes;
    this.#maxMemory = memoryBoundOf(maxBytes);
  }

  /** @throws SignalboxError `invalid_response` when the events take too much memory */
  add(event: unknown): void {
    this.events.push(event);
    this.#memory += memoryOf(event, this.#maxMemory);
    if (this.#memory > this.#maxMemory) throw answerTooLarge(this.#maxBytes);
  }
}
