import type { Completion } from '../protocol/completion.ts';
import type { ProviderPart, StreamPart } from '../protocol/stream-part.ts';
import type { AttemptParts, AttemptStep } from './attempt.ts';
import { toStreamPart } from './collect.ts';

/** What a call tells whoever reads it: some parts, or an attempt that is to be read to its end. */
export type Told = readonly StreamPart[] | AttemptParts;

/** A call as it tells what comes of it, to its completion. A failure to read an attempt is thrown into it. */
export type Telling = AsyncGenerator<Told, Completion | undefined>;

export type Step = IteratorResult<StreamPart, void>;

/** The parts of a call, for one reader, who reads one at a time. */
export interface PartSource {
  /** The next part, or the end: at once where it is there. @throws SignalboxError at once, or by the promise */
  read(): Step | Promise<Step>;
  /** The reader leaves. Waits for the part that is being read. */
  return(): Promise<unknown>;
}

const over: Step = { done: true, value: undefined };

function isAttempt(told: Told): told is AttemptParts {
  return 'read' in told;
}

function ignore(): void {}

/**
 * Reads a call, and the attempt that it commits to straight away: to pass each part through the call as well would
 * take three promises more for each.
 */
export class CallParts implements PartSource {
  readonly #telling: Telling;
  #parts: readonly StreamPart[] = [];
  #at = 0;
  #attempt: AttemptParts | undefined;
  /** The part that is being waited for. */
  #reading: Promise<Step> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(telling: Telling) {
    this.#telling = telling;
  }

  read(): Step | Promise<Step> {
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

  /** What is being read comes first. */
  async #settled(): Promise<void> {
    await this.#reading?.then(ignore, ignore);
    this.#attempt = undefined;
    this.#parts = [];
  }

  #next(): Step | Promise<Step> {
    const value = this.#parts[this.#at];
    if (value !== undefined) {
      this.#at += 1;
      return { done: false, value };
    }
    if (this.#attempt === undefined) return this.#telling.next().then(this.#onTold);
    let step: AttemptStep | Promise<AttemptStep>;
    try {
      step = this.#attempt.read();
    } catch (error) {
      return this.#onFailure(error);
    }
    return step instanceof Promise ? step.then(this.#onStep, this.#onFailure) : this.#onStep(step);
  }

  // Made once: a stream has thousands of parts.
  readonly #onStep = (step: IteratorResult<ProviderPart, void>): Step | Promise<Step> => {
    if (step.done === true) this.#attempt = undefined;
    const value = step.done === true ? undefined : toStreamPart(step.value);
    return value === undefined ? this.#next() : { done: false, value };
  };

  readonly #onFailure = (error: unknown): Promise<Step> => {
    this.#attempt = undefined;
    return this.#telling.throw(error).then(this.#onTold);
  };

  readonly #onTold = (told: IteratorResult<Told, Completion | undefined>): Step | Promise<Step> => {
    if (told.done === true) {
      const completion = told.value;
      return completion === undefined
        ? over
        : { done: false, value: { type: 'finish', completion } };
    }
    if (isAttempt(told.value)) this.#attempt = told.value;
    else {
      this.#parts = told.value;
      this.#at = 0;
    }
    return this.#next();
  };
}
