import type { StreamPart } from '../../protocol/stream-part.ts';
import type { CallRun } from './run-call.ts';

type Batch = readonly StreamPart[];

export type CallStep = IteratorResult<Batch, void>;

/** The parts of a call in batches, for one reader, who reads one batch at a time. `finish` is the last part. */
export interface CallParts {
  /** The next batch, never empty, or the end. @throws SignalboxError what the call failed with */
  next(): Promise<CallStep>;
  /** The reader leaves. Waits for the batch that is being read. */
  return(): Promise<unknown>;
  /** Whether it was ended from outside: parts that its reader still holds are not part of an answer any more. */
  readonly isEnded: boolean;
}

/** A call under way: its reader reads it, and an abort ends it where nobody does. */
export class RunningCall implements CallParts {
  readonly #run: CallRun;
  #ending: Promise<void> | undefined;
  /** What the call was ended with, for a reader who comes back. */
  #failure: { readonly error: unknown } | undefined;

  constructor(run: CallRun) {
    this.#run = run;
  }

  next(): Promise<CallStep> {
    if (this.#ending !== undefined) return this.#ending.then(() => this.#failed());
    return this.#run.next().then(stepOf);
  }

  get isEnded(): boolean {
    return this.#ending !== undefined;
  }

  return(): Promise<unknown> {
    return this.#run.return(undefined);
  }

  /**
   * Ends the call although nobody reads it; what is being read comes first. A reader who comes back gets the error: a
   * call that was ended must not look like a whole answer.
   */
  end(reason: unknown): Promise<void> {
    this.#ending ??= this.#end(reason);
    return this.#ending;
  }

  async #end(reason: unknown): Promise<void> {
    try {
      await this.#run.throw(reason);
    } catch (error) {
      this.#failure = { error };
    }
  }

  #failed(): CallStep {
    if (this.#failure !== undefined) throw this.#failure.error;
    return { done: true, value: undefined };
  }
}

function stepOf(step: Awaited<ReturnType<CallRun['next']>>): CallStep {
  if (step.done !== true) return step;
  if (step.value === undefined) return { done: true, value: undefined };
  return { done: false, value: [{ type: 'finish', completion: step.value }] };
}
