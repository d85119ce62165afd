import { SignalboxError } from '../../errors.ts';
import { quoted } from '../../internal/quoted.ts';
import type { Runtime } from '../../protocol/runtime.ts';
import type {
  ByteStream,
  CompletionStream,
  ReadableFormat,
  ReadableOptions,
  StreamPart,
} from '../../protocol/stream-part.ts';
import { checkReadableOptions, toEvents, toLines } from './readable-parts.ts';

function left(): SignalboxError {
  return new SignalboxError('aborted', 'the reader left before the answer was whole');
}

/** What the stream reads of an answer. */
type Answered = { readonly target: string; readonly model: { readonly requested: string } };

type Started = { readonly target: string; readonly model: string };

type Step<Answer> = IteratorResult<StreamPart<Answer>, void>;

const over = { done: true, value: undefined } as const;

/** What the stream reads, one batch of parts at a time. */
type Source<Answer> = {
  next(): Promise<IteratorResult<readonly StreamPart<Answer>[], void>>;
  return(): Promise<unknown>;
  /** Whether it was ended from outside: what is left of the batch is dropped, and the next read fails. */
  readonly isEnded?: boolean;
};

/** See {@link createCompletionStream}. */
class LazyStream<Answer extends Answered> implements CompletionStream<Answer> {
  readonly #start: (leaving: AbortSignal) => Promise<Source<Answer>>;
  readonly #runtime: Runtime;
  readonly #leaving = new AbortController();
  readonly #answer = Promise.withResolvers<Answer>();
  readonly textStream: AsyncIterable<string> = {
    [Symbol.asyncIterator]: () => this.#text(this),
  };
  #opening: Promise<Source<Answer>> | undefined;
  #source: Source<Answer> | undefined;
  /** The current batch, and the index of its next part. */
  #batch: readonly StreamPart<Answer>[] = [];
  #at = 0;
  /** The number of pending reads, and the last of them. */
  #pending = 0;
  #last: Promise<Step<Answer>> | undefined;
  #isWhole = false;
  #hasReader = false;
  #hasLeft = false;
  #hasFailed = false;
  /** Of the first target that committed. */
  #startedBy: Started | undefined;
  /** Made on access: most streams are read without it. */
  #started: PromiseWithResolvers<Started> | undefined;
  /** Parts that were read for `started` or `completion` before a reader came. */
  readonly #kept: StreamPart<Answer>[] = [];
  #draining: Promise<void> | undefined;
  /** Whether the draining is for `completion`: to the end, not to the start of the answer. */
  #drainsWhole = false;

  constructor(start: (leaving: AbortSignal) => Promise<Source<Answer>>, runtime: Runtime) {
    this.#start = start;
    this.#runtime = runtime;
    this.#answer.promise.catch(() => undefined);
  }

  /** Concurrent reads are served one after the other. */
  #pull(): Promise<Step<Answer>> {
    this.#pending += 1;
    const step = this.#last === undefined ? this.#read() : this.#last.then(this.#read, this.#read);
    if (this.#pending > 0) this.#last = step;
    return step;
  }

  readonly #read = (): Promise<Step<Answer>> => {
    if (this.#hasLeft || this.#hasFailed) return Promise.resolve(this.#took(over));
    const part = this.#source?.isEnded === true ? undefined : this.#batch[this.#at];
    if (part === undefined) return this.#readBatch();
    this.#at += 1;
    return Promise.resolve(this.#took({ done: false, value: part }));
  };

  async #readBatch(): Promise<Step<Answer>> {
    let step: Awaited<ReturnType<Source<Answer>['next']>>;
    try {
      this.#opening ??= this.#start(this.#leaving.signal);
      this.#source ??= await this.#opening;
      step = await this.#source.next();
    } catch (error) {
      throw this.#failed(error);
    }
    const [part, ...rest] = step.done === true ? [] : step.value;
    this.#batch = rest;
    this.#at = 0;
    return this.#took(part === undefined ? over : { done: false, value: part });
  }

  #took(next: Step<Answer>): Step<Answer> {
    this.#settle();
    if (next.done !== true) this.#note(next.value);
    if (next.done === true && !this.#isWhole) this.#answer.reject(left());
    return next;
  }

  #note(part: StreamPart<Answer>): void {
    if (part.type === 'finish') {
      this.#isWhole = true;
      this.#answer.resolve(part.completion);
    }
    if (this.#startedBy !== undefined) return;
    if (part.type === 'start') this.#startedBy = { target: part.target, model: part.model };
    // An answer that a plugin made need not have a start.
    else if (part.type === 'finish') {
      const { target, model } = part.completion;
      this.#startedBy = { target, model: model.requested };
    } else return;
    this.#started?.resolve(this.#startedBy);
  }

  #failed(error: unknown): unknown {
    this.#settle();
    this.#hasFailed = true;
    this.#answer.reject(error);
    return error;
  }

  #settle(): void {
    this.#pending -= 1;
    if (this.#pending === 0) this.#last = undefined;
  }

  async #leave(): Promise<void> {
    this.#hasReader = true;
    this.#hasLeft = true;
    if (this.#pending > 0) this.#leaving.abort(left());
    await this.#source?.return();
    if (!this.#isWhole) this.#answer.reject(left());
  }

  async #drain(): Promise<void> {
    while (!this.#hasReader && (this.#drainsWhole || this.#startedBy === undefined)) {
      const next = await this.#pull();
      if (next.done === true) return;
      this.#kept.push(next.value);
    }
  }

  /** Reads ahead of the reader, which may come later. */
  #keep(): void {
    if (this.#hasReader) return;
    this.#draining =
      this.#draining === undefined ? this.#drain() : this.#draining.then(() => this.#drain());
    this.#draining.catch(() => undefined);
  }

  /** The kept parts come first, then the failure if there was one. */
  async *#readKept(): AsyncGenerator<StreamPart<Answer>, void> {
    try {
      await this.#draining?.catch(() => undefined);
      yield* this.#kept.splice(0);
      await this.#draining;
      for (let next = await this.#pull(); next.done !== true; next = await this.#pull()) {
        yield next.value;
      }
    } finally {
      await this.#leave();
    }
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<StreamPart<Answer>, void> {
    let kept: AsyncGenerator<StreamPart<Answer>, void> | undefined;
    let hasBegun = false;
    let hasReturned = false;
    // Not a generator, which would double the promises for each part.
    return {
      [Symbol.asyncIterator]() {
        return this;
      },
      next: () => {
        if (hasReturned) return Promise.resolve(over);
        if (!hasBegun) {
          const message = 'this stream is being read already';
          if (this.#hasReader) return Promise.reject(new SignalboxError('config', message));
          this.#hasReader = true;
          hasBegun = true;
          if (this.#draining !== undefined) kept = this.#readKept();
        }
        return kept === undefined ? this.#pull() : kept.next();
      },
      return: async () => {
        hasReturned = true;
        // Not the generator's own, which would wait for a pending read.
        if (hasBegun) await this.#leave();
        return over;
      },
    };
  }

  async *#text(parts: AsyncIterable<StreamPart<Answer>>): AsyncGenerator<string, void> {
    for await (const part of parts) {
      if (part.type === 'text-delta') yield part.delta;
      if (part.type === 'restart') {
        throw new SignalboxError(
          'stream_interrupted',
          `${part.from} broke off and ${part.to} answers from the start, which text alone cannot say; read the parts instead`,
          { target: part.from },
        );
      }
    }
  }

  #chunks(
    format: ReadableFormat,
    options: ReadableOptions,
    reader: AsyncIterableIterator<StreamPart<Answer>, void>,
  ): AsyncGenerator<string, void> {
    checkReadableOptions(options);
    switch (format) {
      case 'text':
        return this.#text(reader);
      case 'sse':
        return toEvents(reader, options, this.#runtime);
      case 'json':
        return toLines(reader, options);
      default: {
        const message = `toReadableStream(): unknown format ${quoted(format satisfies never)}; use "text", "sse" or "json"`;
        throw new SignalboxError('config', message);
      }
    }
  }

  toReadableStream(format: ReadableFormat = 'text', options: ReadableOptions = {}): ByteStream {
    const reader = this[Symbol.asyncIterator]();
    const chunks = this.#chunks(format, options, reader);
    const encoder = new TextEncoder();
    return new ReadableStream(
      {
        pull: async (controller) => {
          const next = await chunks.next();
          if (next.done === true) controller.close();
          else controller.enqueue(encoder.encode(next.value));
        },
        cancel: async () => {
          await reader.return?.();
          if (!this.#hasReader) await this.#leave();
        },
      },
      // Nothing is pulled before the first read.
      { highWaterMark: 0 },
    );
  }

  get started(): Promise<Started> {
    if (this.#started !== undefined) return this.#started.promise;
    const started = Promise.withResolvers<Started>();
    this.#started = started;
    started.promise.catch(() => undefined);
    if (this.#startedBy !== undefined) started.resolve(this.#startedBy);
    else if (this.#draining === undefined) this.#keep();
    // Without effect once it has started.
    this.#answer.promise.catch(started.reject);
    return started.promise;
  }

  get completion(): Promise<Answer> {
    if (!this.#drainsWhole) {
      this.#drainsWhole = true;
      this.#keep();
    }
    return this.#answer.promise;
  }
}

/**
 * A stream over `start()`, which is called at the first read. Awaiting `started` or `completion` alone reads the answer
 * too; its parts are kept for a later reader, so the order does not matter. `leaving` aborts when the reader leaves
 * during a read: the source's `return()` alone would wait for that read.
 */
export function createCompletionStream<Answer extends Answered>(
  start: (leaving: AbortSignal) => Promise<Source<Answer>>,
  runtime: Runtime,
): CompletionStream<Answer> {
  return new LazyStream(start, runtime);
}
