import type { Read } from '../../internal/reads.ts';
import type { Completion } from '../../protocol/completion.ts';
import type { StreamPart } from '../../protocol/stream-part.ts';
import type { AttemptParts, AttemptStep } from '../attempt/attempt-stream.ts';
import { toStreamPart } from '../core/collected.ts';

/** What a call tells whoever reads it: some parts, or an attempt that is to be read to its end. */
export type Told = readonly StreamPart[] | AttemptParts;

/** A call as it tells what comes of it, to its completion. A failure to read an attempt is thrown into it. */
export type Telling = AsyncGenerator<Told, Completion | undefined>;

export type Step = IteratorResult<StreamPart, void>;

/** The parts of a call, for one reader, who reads one at a time. */
export interface PartSource {
  /** The next part, or the end. @throws SignalboxError what the call failed with */
  read(): Read<Step>;
  /** The reader leaves. Waits for the part that is being read. */
  return(): Promise<unknown>;
}

const over: Step = { done: true, value: undefined };

function isAttempt(told: Told): told is AttemptParts {
  return 'read' in told;
}

/**
 * Reads a call, and the attempt that it commits to straight away: to pass each part through the call as well would
 * take three promises more for each.
 */
export class CallParts implements PartSource {
  readonly #telling: Telling;
  #parts: readonly StreamPart[] = [];
  #at = 0;
  #attempt: AttemptParts | undefined;
  #isOver = false;
  /** What is being waited for. */
  #reading: Promise<void> | undefined;
  /** What the call failed with, for its reader. */
  #thrown: { readonly error: unknown } | undefined;
  /** What the call was ended with, for a reader who comes back. */
  #failure: { readonly error: unknown } | undefined;

  constructor(telling: Telling) {
    this.#telling = telling;
  }

  read(): Read<Step> {
    this.#reading = undefined;
    if (this.#failure !== undefined) throw this.#failure.error;
    const step = this.#next();
    if (step instanceof Promise) this.#reading = step;
    return step;
  }

  async return(): Promise<void> {
    await this.#settled();
    await this.#telling.return(undefined);
  }

  /**
   * Ends the call although nobody reads it. A reader who comes back gets the error: a call that was ended must not
   * look like a whole answer.
   */
  async end(reason: unknown): Promise<void> {
    await this.#settled();
    try {
      await this.#telling.throw(reason);
    } catch (error) {
      this.#failure = { error };
    }
  }

  /** What is being read comes first: its reader waits again where there was nothing for him. */
  async #settled(): Promise<void> {
    let last: Promise<void> | undefined;
    do {
      last = this.#reading;
      await last;
    } while (this.#reading !== last);
    this.#attempt = undefined;
    this.#parts = [];
  }

  #next(): Read<Step> {
    for (;;) {
      const value = this.#parts[this.#at];
      if (value !== undefined) {
        this.#at += 1;
        return { done: false, value };
      }
      if (this.#thrown !== undefined) {
        const { error } = this.#thrown;
        this.#thrown = undefined;
        throw error;
      }
      if (this.#isOver) return over;
      if (this.#attempt === undefined) return this.#hear(this.#telling.next());
      let step: Read<AttemptStep>;
      try {
        step = this.#attempt.read();
      } catch (error) {
        return this.#hear(this.#telling.throw(error));
      }
      if (step instanceof Promise) return step;
      const part = this.#shownOf(step);
      if (part !== undefined) return { done: false, value: part };
    }
  }

  #shownOf(step: AttemptStep): StreamPart | undefined {
    if (step.done !== true) return toStreamPart(step.value);
    this.#attempt = undefined;
    return undefined;
  }

  #hear(telling: Promise<IteratorResult<Told, Completion | undefined>>): Promise<void> {
    this.#attempt = undefined;
    return telling.then(this.#onTold, this.#onThrown);
  }

  readonly #onTold = (told: IteratorResult<Told, Completion | undefined>): void => {
    if (told.done === true) {
      this.#isOver = true;
      this.#at = 0;
      this.#parts = told.value === undefined ? [] : [{ type: 'finish', completion: told.value }];
    } else if (isAttempt(told.value)) this.#attempt = told.value;
    else {
      this.#parts = told.value;
      this.#at = 0;
    }
  };

  readonly #onThrown = (error: unknown): void => {
    this.#isOver = true;
    this.#thrown = { error };
  };
}
