import { isSignalboxError, SignalboxError } from '../../errors.ts';
import type { PreparedCall, Watch } from '../../protocol/provider.ts';
import type { Transfer } from '../../protocol/request.ts';
import type { Runtime } from '../../protocol/runtime.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import { setAlarm } from '../core/alarm.ts';
import type { Scope } from '../core/scope.ts';
import { type Clocks, createDeadline, type Deadline, type DuePhase } from './attempt-deadline.ts';
import { soundError, soundLimits, soundPart } from './sound-parts.ts';

export type AttemptOptions = {
  /** The call's, or that of its hedge. */
  readonly scope: Pick<Scope, 'reason' | 'listen' | 'unlisten'>;
  readonly clocks: Clocks;
  readonly transfer: Transfer;
  readonly keepRaw: boolean;
  /** Most bytes that the answer may have. */
  readonly maxAnswerBytes?: number | undefined;
  /** Which of the provider's keys, from 0. */
  readonly key?: number;
  /** Hears what the vendor tells of its limits. */
  readonly onLimits: Watch['limits'];
  /** Is shown each part before it is passed on. */
  readonly see: (part: ProviderPart) => void;
};

const over = new SignalboxError('aborted', 'the attempt has ended');

const phaseWords: Record<DuePhase, (clocks: Clocks) => string> = {
  connect: (clocks) => `no connection within ${clocks.connectMs} ms (connectMs)`,
  'first-token': (clocks) =>
    `no part of the answer within ${clocks.firstTokenMs} ms (firstTokenMs)`,
  idle: (clocks) => `the answer stalled for ${clocks.idleMs} ms (idleMs)`,
};

function ignore(): void {}

/** Rings when a clock of the deadline runs out. One timer, set anew when it rings or a sooner clock starts. */
class AttemptClock {
  readonly #runtime: Runtime;
  readonly #deadline: Deadline;
  readonly #expire: (phase: DuePhase) => void;
  #ringsAt = Number.POSITIVE_INFINITY;
  #callOff: () => void = ignore;

  constructor(runtime: Runtime, deadline: Deadline, expire: (phase: DuePhase) => void) {
    this.#runtime = runtime;
    this.#deadline = deadline;
    this.#expire = expire;
    this.arm();
  }

  arm(): void {
    const now = this.#runtime.now();
    const next = this.#deadline.due(now);
    if (next === undefined || next.at >= this.#ringsAt) return;
    this.#callOff();
    this.#ringsAt = next.at;
    this.#callOff = setAlarm(this.#runtime, Math.max(0, next.at - now), () => this.#ring());
  }

  stop(): void {
    this.#callOff();
  }

  #ring(): void {
    this.#ringsAt = Number.POSITIVE_INFINITY;
    const now = this.#runtime.now();
    const due = this.#deadline.due(now);
    if (due !== undefined && now >= due.at) this.#expire(due.phase);
    else this.arm();
  }
}

function isFirstPart(part: ProviderPart): boolean {
  return (
    part.type === 'text-delta' ||
    part.type === 'reasoning-delta' ||
    part.type === 'tool-call-start' ||
    part.type === 'part-end' ||
    part.type === 'finish'
  );
}

/**
 * What has come when the abort does is on its way through the adapter, which takes a few turns of the promise
 * queue: it may say what the attempt is billed.
 */
const turnsThrough = 20;

function asAttemptError(error: unknown): SignalboxError {
  if (isSignalboxError(error)) return error;
  // A defect of an adapter, or of a user's own provider: another target may still answer.
  return new SignalboxError(
    'invalid_response',
    'the adapter failed in an unforeseen way; see cause',
    {
      cause: error,
    },
  );
}

/** The parts of an attempt, for one reader, who reads one batch at a time. */
export interface AttemptParts {
  /** The next batch, never empty; `undefined` at the end. @throws SignalboxError what the attempt failed with */
  next(): Promise<readonly ProviderPart[] | undefined>;
  /** Ends the attempt, and closes its socket unless the answer is whole. */
  leave(): void;
}

type Batch = readonly ProviderPart[];

/** See {@link runAttempt}. A class, since a generator could not be ended while it waits. */
class AttemptStream implements AttemptParts {
  readonly #runtime: Runtime;
  readonly #prepared: PreparedCall;
  readonly #options: AttemptOptions;
  readonly #controller = new AbortController();
  /** Why it was aborted. */
  #cut: { readonly reason: unknown } | undefined;
  readonly #deadline: Deadline;
  #clock: AttemptClock | undefined;
  #parts: AsyncIterator<Batch> | undefined;
  /** The reader, while it waits. An abort ends the wait, even when an adapter ignores its signal. */
  #waiting: PromiseWithResolvers<Batch | undefined> | undefined;
  /** What the next read throws: the failure came behind parts that were passed on first. */
  #failure: SignalboxError | undefined;
  readonly #onAbort = (): void => void this.#cutShort(this.#options.scope.reason);
  #isAnswering = false;
  #isFinished = false;
  #isOver = false;

  constructor(runtime: Runtime, prepared: PreparedCall, options: AttemptOptions) {
    this.#runtime = runtime;
    this.#prepared = prepared;
    this.#options = options;
    this.#deadline = createDeadline(options.clocks, runtime.now());
  }

  next(): Promise<Batch | undefined> {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) return Promise.reject(failure);
    if (this.#isOver) return Promise.resolve(undefined);
    if (this.#cut !== undefined) return Promise.reject(this.#failed(this.#cut.reason));
    const waiting = Promise.withResolvers<Batch | undefined>();
    this.#waiting = waiting;
    this.#ask();
    return waiting.promise;
  }

  leave(): void {
    this.#end();
    this.#answer(undefined);
  }

  #ask(): void {
    try {
      this.#parts ??= this.#begin();
      this.#deadline.reading(this.#runtime.now());
      this.#parts.next().then(this.#onNext, this.#onFailure);
    } catch (error) {
      this.#onFailure(error);
    }
  }

  // Made once: a stream has thousands of batches, and may be one of thousands.
  readonly #onNext = (step: IteratorResult<Batch>): void => {
    if (this.#isOver) return;
    this.#deadline.paused();
    if (step.done === true) {
      const ended = new SignalboxError('stream_interrupted', 'the adapter ended without a finish');
      this.#onFailure(ended);
    } else if (step.value.length === 0) this.#ask();
    else this.#take(step.value);
  };

  readonly #onFailure = (error: unknown): void => {
    if (this.#isOver) return;
    const failure = this.#failed(error);
    this.#waiting?.reject(failure);
    this.#waiting = undefined;
  };

  #answer(batch: Batch | undefined): void {
    this.#waiting?.resolve(batch);
    this.#waiting = undefined;
  }

  /** Passes a batch on, up to the part that ends the attempt. */
  #take(batch: Batch): void {
    const sound: ProviderPart[] = [];
    try {
      for (const part of batch) {
        sound.push(this.#see(part));
        if (this.#isFinished) break;
      }
    } catch (error) {
      // What came before the failure is the reader's.
      if (sound.length === 0) {
        this.#onFailure(error);
        return;
      }
      this.#failure = this.#failed(error);
    }
    this.#answer(sound);
  }

  /** Shows the part, as far as it can be believed. */
  #see(told: ProviderPart): ProviderPart {
    const part = soundPart(told);
    if (!this.#isAnswering && isFirstPart(part)) {
      this.#isAnswering = true;
      this.#deadline.firstPart(this.#runtime.now());
      this.#clock?.arm();
    }
    this.#isFinished = part.type === 'finish';
    this.#options.see(part);
    if (this.#isFinished) this.#end();
    return part;
  }

  #begin(): AsyncIterator<Batch> {
    const { scope, clocks, transfer, keepRaw, maxAnswerBytes, key, onLimits } = this.#options;
    const expire = (phase: DuePhase): void =>
      void this.#cutShort(new SignalboxError('timeout', phaseWords[phase](clocks), { phase }));
    this.#clock = new AttemptClock(this.#runtime, this.#deadline, expire);
    if (scope.reason !== undefined) this.#abort(scope.reason);
    else scope.listen(this.#onAbort);
    const parts = this.#prepared.send({
      ...(key !== undefined && { key }),
      signal: this.#controller.signal,
      transfer,
      keepRaw,
      maxAnswerBytes,
      watch: {
        connected: () => this.#deadline.connected(),
        bytes: () => this.#deadline.bytes(this.#runtime.now()),
        limits: (told) => onLimits(soundLimits(told)),
      },
    });
    return parts[Symbol.asyncIterator]();
  }

  /** Closes the socket; what has come by then is still passed on. */
  async #cutShort(reason: unknown): Promise<void> {
    this.#abort(reason);
    for (let turn = 0; turn < turnsThrough; turn++) await undefined;
    if (this.#waiting !== undefined) this.#onFailure(reason);
  }

  #abort(reason: unknown): void {
    this.#cut ??= { reason };
    this.#controller.abort(reason);
  }

  #failed(error: unknown): SignalboxError {
    const failure = soundError(asAttemptError(this.#cut === undefined ? error : this.#cut.reason));
    this.#end();
    return failure;
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#clock?.stop();
    this.#options.scope.unlisten(this.#onAbort);
    // After a finish the adapter may still read the body out, so that its connection can be used again.
    if (!this.#isFinished) this.#controller.abort(over);
    // Not awaited: an adapter that hangs in its clean-up must not hold the call.
    this.#parts?.return?.().then(undefined, () => undefined);
    this.#parts = undefined;
    this.#clock = undefined;
  }
}

/**
 * Runs one attempt under its own clocks and its own AbortController, and ends in one of three ways: after
 * `finish`; with a thrown SignalboxError; or because the reader left. Whichever it is, the socket is closed
 * or free for the next request, the timer is gone and nothing listens to the call's end any more. Nothing
 * happens before the first read.
 */
export function runAttempt(
  runtime: Runtime,
  prepared: PreparedCall,
  options: AttemptOptions,
): AttemptParts {
  return new AttemptStream(runtime, prepared, options);
}
