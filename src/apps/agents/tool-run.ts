import { SignalboxError } from '../../errors.ts';
import type { AnyPart, AnyResult, Run, RunMode } from './run.ts';
import { encodeRecord } from './run-record.ts';
import type { RunPart, RunResult, RunState } from './run-result.ts';

/**
 * A run of tools. Nothing is sent before it is read. Read it once: by iterating it, or by awaiting `result` alone.
 * Leaving the loop aborts the run.
 */
export interface ToolRun<Answer, ToolCall> extends AsyncIterable<RunPart<Answer>> {
  /** Id of the run, as in its events. It stays the same when the run is resumed. */
  readonly id: string;
  /**
   * How the run ended. Rejects with the error of the step that failed, `budget_exceeded` or `aborted`; never causes an
   * unhandled rejection. If nobody iterates the run, access starts it, and its steps are `router.complete` calls: those
   * restart on another target after a failure in the middle of an answer.
   */
  readonly result: Promise<RunResult<Answer, ToolCall>>;
  /**
   * The run as it is now, for `resumeTools`: also while it runs, and after it has failed, so that a retry runs no tool
   * again. A tool that was running counts as interrupted.
   * @throws SignalboxError `config` if the messages are not JSON
   */
  checkpoint(): RunState;
}

function left(): SignalboxError {
  return new SignalboxError('aborted', 'the reader left before the run was over');
}

const over = { done: true, value: undefined } as const;

/** See {@link ToolRun}. */
export class LazyRun implements ToolRun<never, never> {
  readonly #run: Run;
  readonly #outcome = Promise.withResolvers<AnyResult>();
  #mode: RunMode | undefined;
  #parts: AsyncGenerator<AnyPart, AnyResult> | undefined;
  #isOver = false;

  constructor(run: Run) {
    this.#run = run;
    this.#outcome.promise.catch(() => undefined);
  }

  get id(): string {
    return this.#run.record.id;
  }

  get result(): Promise<RunResult<never, never>> {
    // A reader may come in the same turn.
    queueMicrotask(() => {
      if (this.#mode === undefined) void this.#drain();
    });
    // The types of answers and calls are those of the tools and the schema, which the engine checks.
    return this.#outcome.promise as Promise<RunResult<never, never>>;
  }

  checkpoint(): RunState {
    return encodeRecord(this.#run.record);
  }

  [Symbol.asyncIterator](): AsyncIterator<RunPart<never>, void> {
    let isReader = false;
    return {
      next: async () => {
        if (!isReader) {
          if (this.#mode !== undefined) {
            throw new SignalboxError('config', 'this run is being read already');
          }
          isReader = true;
          this.#begin('stream');
        }
        const next = await this.#next();
        return next.done === true ? over : (next as IteratorYieldResult<RunPart<never>>);
      },
      return: async () => {
        if (isReader || this.#mode === undefined) await this.#leave();
        return over;
      },
    };
  }

  #begin(mode: RunMode): void {
    this.#mode = mode;
    this.#parts = this.#run.parts(mode);
  }

  async #next(): Promise<IteratorResult<AnyPart, unknown>> {
    if (this.#isOver || this.#parts === undefined) return over;
    try {
      const next = await this.#parts.next();
      if (next.done !== true) return next;
      this.#isOver = true;
      // A reader that left has settled it.
      this.#outcome.resolve(next.value);
      return over;
    } catch (error) {
      this.#isOver = true;
      this.#outcome.reject(error);
      throw error;
    }
  }

  async #drain(): Promise<void> {
    this.#begin('complete');
    try {
      while ((await this.#next()).done !== true);
    } catch {
      // `result` has it.
    }
  }

  async #leave(): Promise<void> {
    this.#mode ??= 'stream';
    if (this.#isOver) return;
    this.#isOver = true;
    const error = left();
    this.#outcome.reject(error);
    this.#run.abort(error);
    // It ends at once: what it waits for is aborted.
    await this.#parts?.return(undefined as never).catch(() => undefined);
  }
}
