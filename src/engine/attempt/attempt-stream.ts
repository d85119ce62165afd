import { isSignalboxError, SignalboxError } from '../../errors.ts';
import type { AttemptContext, CallKey, Watch } from '../../protocol/provider.ts';
import type { Transfer } from '../../protocol/request.ts';
import type { Runtime } from '../../protocol/runtime.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import { type Scope, setAlarm } from '../core/scope.ts';
import { AttemptDeadline, type AttemptTimeouts, type DuePhase } from './attempt-timeouts.ts';
import { soundError, soundLimits, soundPart } from './sound-parts.ts';

export type AttemptOptions = {
  /** The call's, or that of its hedge. */
  readonly scope: Pick<Scope, 'reason' | 'listen' | 'unlisten'>;
  readonly timeouts: AttemptTimeouts;
  readonly transfer: Transfer;
  readonly keepRaw: boolean;
  /** Most bytes of the answer. */
  readonly maxAnswerBytes?: number | undefined;
  /** Which of the provider's keys, from 0. */
  readonly key?: number;
  /** The key, if it depends on the call's tags. */
  readonly callKey?: CallKey;
  /** Sends the request. Called at the first read. */
  readonly send: (context: AttemptContext) => AsyncIterable<readonly ProviderPart[]>;
  /** Called when the vendor reports its limits. */
  readonly onLimits: Watch['limits'];
  /** Called when the vendor's answer has a name that its wire does not know. */
  readonly onUnknownName: NonNullable<Watch['unknownName']>;
  /** Whether a key that a function returned may be sent. */
  readonly mayUse?: (keyFingerprint?: string) => boolean;
  /** Called with each part before it is passed on. */
  readonly see: (part: ProviderPart) => void;
};

const over = new SignalboxError('aborted', 'the attempt has ended');

const messages: Record<DuePhase, (timeouts: AttemptTimeouts) => string> = {
  connect: ({ connectMs }) => `no connection within ${connectMs} ms (connectMs)`,
  'first-token': ({ firstTokenMs }) =>
    `no part of the answer within ${firstTokenMs} ms (firstTokenMs)`,
  idle: ({ idleMs }) => `the answer stalled for ${idleMs} ms (idleMs)`,
};

function ignore(): void {}

/** A timer that fires so much later than it should means that the process stood still. */
const blockedMs = 100;

/** One timer for all timeouts of an attempt. It is set again when it fires, or when a sooner timeout starts. */
class AttemptTimer {
  readonly #runtime: Runtime;
  readonly #deadline: AttemptDeadline;
  readonly #expire: (phase: DuePhase) => void;
  #firesAt = Number.POSITIVE_INFINITY;
  #cancel: () => void = ignore;
  #wasLate = false;

  constructor(runtime: Runtime, deadline: AttemptDeadline, expire: (phase: DuePhase) => void) {
    this.#runtime = runtime;
    this.#deadline = deadline;
    this.#expire = expire;
    this.arm();
  }

  arm(): void {
    const now = this.#runtime.now();
    const next = this.#deadline.due(now);
    if (next === undefined || next.at >= this.#firesAt) return;
    this.#cancel();
    this.#firesAt = next.at;
    this.#cancel = setAlarm(this.#runtime, Math.max(0, next.at - now), () => this.#fire());
  }

  stop(): void {
    this.#cancel();
  }

  /** Whether it fired late, or should have fired by now: the process stood still. */
  get stoodStill(): boolean {
    return this.#wasLate || this.#runtime.now() - this.#firesAt > blockedMs;
  }

  #fire(): void {
    const now = this.#runtime.now();
    const lateMs = now - this.#firesAt;
    this.#firesAt = Number.POSITIVE_INFINITY;
    // The event loop was blocked, or the process frozen: what arrived meanwhile is still to be read.
    if (lateMs > blockedMs) {
      this.#wasLate = true;
      this.#deadline.excuse(lateMs + blockedMs);
    }
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
 * What arrived before an abort passes through the adapter in a few turns of the promise queue. It may hold the usage that
 * the attempt is billed for.
 */
const turnsThrough = 20;

function asAttemptError(error: unknown): SignalboxError {
  if (isSignalboxError(error)) return error;
  // A defect of an adapter or of the user's provider: another target may still answer.
  return new SignalboxError(
    'invalid_response',
    'the adapter threw an unexpected error; see cause',
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

/**
 * The bytes of one attempt under its timeouts, with its own AbortController. It ends in one of three ways: after `finish`,
 * with a thrown SignalboxError, or because the reader left. In each case the socket is closed or free for the next
 * request, the timer is gone and nothing listens to the call any more. Nothing happens before the first read.
 *
 * A class, because a generator cannot be ended while it waits.
 */
export class AttemptStream implements AttemptParts {
  readonly #runtime: Runtime;
  readonly #options: AttemptOptions;
  readonly #controller = new AbortController();
  /** The reason for the abort. */
  #cut: { readonly reason: unknown } | undefined;
  readonly #deadline: AttemptDeadline;
  #timer: AttemptTimer | undefined;
  #parts: AsyncIterator<Batch> | undefined;
  /** The pending read. An abort ends it even if the adapter ignores its signal. */
  #waiting: PromiseWithResolvers<Batch | undefined> | undefined;
  /** What the next read throws: the failure came after parts that were passed on first. */
  #failure: SignalboxError | undefined;
  readonly #onAbort = (): void => void this.#cutShort(this.#options.scope.reason);
  #isAnswering = false;
  #isFinished = false;
  #isOver = false;
  #stoodStill = false;

  constructor(runtime: Runtime, options: AttemptOptions) {
    this.#runtime = runtime;
    this.#options = options;
    this.#deadline = new AttemptDeadline(options.timeouts, runtime.now());
  }

  /** Whether it failed after the process stood still for longer than a timeout: its connection may be long gone. */
  get stoodStill(): boolean {
    return this.#stoodStill;
  }

  next(): Promise<Batch | undefined> {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) return Promise.reject(failure);
    if (this.#isOver) return Promise.resolve(undefined);
    if (this.#cut !== undefined) return Promise.reject(this.#failed(this.#cut.reason));
    const waiting = Promise.withResolvers<Batch | undefined>();
    this.#waiting = waiting;
    this.#read();
    return waiting.promise;
  }

  /** Ends it with that failure, after the parts that have arrived. */
  cut(reason: SignalboxError): void {
    if (!this.#isOver) void this.#cutShort(reason);
  }

  leave(): void {
    this.#end();
    this.#answer(undefined);
  }

  #read(): void {
    try {
      this.#parts ??= this.#begin();
      this.#deadline.reading(this.#runtime.now());
      this.#parts.next().then(this.#onNext, this.#onFailure);
    } catch (error) {
      this.#onFailure(error);
    }
  }

  readonly #onNext = (step: IteratorResult<Batch>): void => {
    if (this.#isOver) return;
    this.#deadline.paused();
    if (step.done === true) {
      const ended = new SignalboxError('stream_interrupted', 'the answer ended without a finish');
      this.#onFailure(ended);
    } else if (step.value.length === 0) this.#read();
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
      // The reader gets what came before the failure.
      if (sound.length === 0) {
        this.#onFailure(error);
        return;
      }
      this.#failure = this.#failed(error);
    }
    this.#answer(sound);
  }

  /** Reports the part, within plausible bounds. */
  #see(received: ProviderPart): ProviderPart {
    const part = soundPart(received);
    if (!this.#isAnswering && isFirstPart(part)) {
      this.#isAnswering = true;
      this.#deadline.firstPart(this.#runtime.now());
      this.#timer?.arm();
    }
    this.#isFinished = part.type === 'finish';
    this.#options.see(part);
    if (this.#isFinished) this.#end();
    return part;
  }

  #begin(): AsyncIterator<Batch> {
    const { scope, timeouts, transfer, keepRaw, maxAnswerBytes, key, callKey } = this.#options;
    const { onLimits, onUnknownName, mayUse } = this.#options;
    const expire = (phase: DuePhase): void =>
      void this.#cutShort(new SignalboxError('timeout', messages[phase](timeouts), { phase }));
    this.#timer = new AttemptTimer(this.#runtime, this.#deadline, expire);
    if (scope.reason !== undefined) this.#abort(scope.reason);
    else scope.listen(this.#onAbort);
    const parts = this.#options.send({
      ...(key !== undefined && { key }),
      ...(callKey !== undefined && { callKey }),
      signal: this.#controller.signal,
      transfer,
      keepRaw,
      maxAnswerBytes,
      watch: {
        connected: () => this.#deadline.connected(),
        bytes: () => this.#deadline.bytes(this.#runtime.now()),
        limits: (limits) => onLimits(soundLimits(limits)),
        unknownName: onUnknownName,
        ...(mayUse !== undefined && { mayUse }),
      },
    });
    return parts[Symbol.asyncIterator]();
  }

  /** Closes the socket; what had arrived is still passed on. */
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
    this.#stoodStill = this.#timer?.stoodStill === true;
    this.#end();
    return failure;
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timer?.stop();
    this.#options.scope.unlisten(this.#onAbort);
    // After a finish the adapter may read the rest of the body, so that its connection can be reused.
    if (!this.#isFinished) this.#controller.abort(over);
    // Not awaited: an adapter that hangs in its clean-up must not hold the call.
    this.#parts?.return?.().then(undefined, () => undefined);
    this.#parts = undefined;
    this.#timer = undefined;
  }
}
