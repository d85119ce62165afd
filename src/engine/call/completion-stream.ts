import { SignalboxError } from '../../errors.ts';
import type {
  ByteStream,
  CompletionStream,
  ReadableFormat,
  StreamPart,
} from '../../protocol/stream-part.ts';

function left(): SignalboxError {
  return new SignalboxError('aborted', 'the reader left before the answer was whole');
}

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
class LazyStream<Answer> implements CompletionStream<Answer> {
  readonly #start: (leaving: AbortSignal) => Promise<Source<Answer>>;
  readonly #leaving = new AbortController();
  readonly #answer = Promise.withResolvers<Answer>();
  readonly textStream: AsyncIterable<string> = { [Symbol.asyncIterator]: () => this.#text() };
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
  /** Parts that were read for `completion` before a reader came. */
  readonly #kept: StreamPart<Answer>[] = [];
  #draining: Promise<void> | undefined;

  constructor(start: (leaving: AbortSignal) => Promise<Source<Answer>>) {
    this.#start = start;
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
    if (next.done !== true && next.value.type === 'finish') {
      this.#isWhole = true;
      this.#answer.resolve(next.value.completion);
    }
    if (next.done === true && !this.#isWhole) this.#answer.reject(left());
    return next;
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
    while (!this.#hasReader) {
      const next = await this.#pull();
      if (next.done === true) return;
      this.#kept.push(next.value);
    }
  }

  /** Claims the stream; the kept parts come first, then the failure if there was one. */
  async *#readKept(): AsyncGenerator<StreamPart<Answer>, void> {
    if (this.#hasReader) throw new SignalboxError('config', 'this stream is being read already');
    this.#hasReader = true;
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
    // Not a generator, which would double the promises for each part.
    return {
      [Symbol.asyncIterator]() {
        return this;
      },
      next: () => {
        if (!hasBegun && (this.#hasReader || this.#draining !== undefined)) kept = this.#readKept();
        if (!hasBegun) this.#hasReader ||= kept === undefined;
        hasBegun = true;
        return kept === undefined ? this.#pull() : kept.next();
      },
      return: async () => {
        if (kept !== undefined) return kept.return();
        if (hasBegun) await this.#leave();
        return { done: true, value: undefined };
      },
    };
  }

  async *#text(): AsyncGenerator<string, void> {
    for await (const part of this) {
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

  async *#events(): AsyncGenerator<string, void> {
    for await (const part of this) yield `event: ${part.type}\ndata: ${JSON.stringify(part)}\n\n`;
  }

  toReadableStream(format: ReadableFormat = 'text'): ByteStream {
    const chunks = format === 'text' ? this.#text() : this.#events();
    const encoder = new TextEncoder();
    let isReader = false;
    return new ReadableStream(
      {
        pull: async (controller) => {
          isReader = true;
          const next = await chunks.next();
          if (next.done === true) controller.close();
          else controller.enqueue(encoder.encode(next.value));
        },
        cancel: async () => {
          if (isReader || !this.#hasReader) await this.#leave();
        },
      },
      // Nothing is pulled before the first read.
      { highWaterMark: 0 },
    );
  }

  get completion(): Promise<Answer> {
    if (!this.#hasReader && this.#draining === undefined) {
      this.#draining = this.#drain();
      this.#draining.catch(() => undefined);
    }
    return this.#answer.promise;
  }
}

/**
 * A stream over `start()`, which is called at the first read. Awaiting `completion` alone reads the answer too; its parts
 * are kept for a later reader, so the order of the two does not matter. `leaving` aborts when the reader leaves during a
 * read: the source's `return()` alone would wait for that read.
 */
export function createCompletionStream<Answer>(
  start: (leaving: AbortSignal) => Promise<Source<Answer>>,
): CompletionStream<Answer> {
  return new LazyStream(start);
}
