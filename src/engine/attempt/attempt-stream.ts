import { isSignalboxError, SignalboxError } from '../../errors.ts';
import type { Read } from '../../internal/reads.ts';
import type { PreparedCall, ReadyParts, Watch } from '../../protocol/provider.ts';
import type { WireMode } from '../../protocol/request.ts';
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
  readonly wire: WireMode;
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

export type AttemptStep = IteratorResult<ProviderPart, void>;

/** The parts of an attempt, for one reader, who reads one at a time. */
export interface AttemptParts {
  /** The next part, or the end. @throws SignalboxError what the attempt failed with */
  read(): Read<AttemptStep>;
  /** Ends the attempt, and closes its socket unless the answer is whole. */
  leave(): void;
}

function isReady(parts: object): parts is ReadyParts {
  return 'ready' in parts && typeof parts.ready === 'function';
}

const ended = { done: true, value: undefined } as const;

/** What the reader is told at his next read. */
type Told = { readonly step: AttemptStep } | { readonly error: SignalboxError };

/** See {@link runAttempt}. A class, since a generator makes more promises, and thousands of them wait at a time. */
class RunningAttempt implements AttemptParts {
  readonly #runtime: Runtime;
  readonly #prepared: PreparedCall;
  readonly #options: AttemptOptions;
  readonly #controller = new AbortController();
  /** Why it was aborted. Kept beside the signal, which is dear to ask. */
  #cut: { readonly reason: unknown } | undefined;
  readonly #deadline: Deadline;
  #clock: AttemptClock | undefined;
  #parts: AsyncIterator<ProviderPart> | undefined;
  /** Whoever waits for the adapter's promise: an abort cuts that short, even when an adapter ignores its signal. */
  #wake: () => void = ignore;
  #told: Told | undefined;
  /** Whether the adapter's own wait is under way. */
  #isWaiting = false;
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

  read(): Read<AttemptStep> {
    if (this.#told !== undefined) return this.#takeTold(this.#told);
    if (this.#isOver) return ended;
    this.#parts ??= this.#begin();
    const parts = this.#parts;
    const ready = isReady(parts) ? parts : undefined;
    const step = this.#takeReady(ready);
    if (step !== undefined) return step;
    this.#deadline.reading(this.#runtime.now());
    const more = ready?.more?.();
    if (more === undefined) return this.#ask(parts);
    this.#isWaiting = true;
    return more;
  }

  leave(): void {
    this.#tell({ step: ended });
    this.#end();
  }

  #takeTold(told: Told): AttemptStep {
    this.#told = undefined;
    if ('error' in told) throw told.error;
    return told.step;
  }

  /** A part that is there; what has come by the time of an abort is still taken by who waits for it. */
  #takeReady(parts: ReadyParts | undefined): AttemptStep | undefined {
    const wasWaiting = this.#isWaiting;
    this.#isWaiting = false;
    try {
      if (this.#cut === undefined || wasWaiting) {
        const value = parts?.ready();
        if (value !== undefined) return this.#took({ done: false, value });
      }
    } catch (error) {
      throw this.#failed(error);
    }
    if (this.#cut !== undefined) throw this.#failed(this.#cut.reason);
    return undefined;
  }

  #ask(parts: AsyncIterator<ProviderPart>): Promise<void> {
    return new Promise((wake) => {
      this.#wake = wake;
      try {
        parts.next().then(this.#onNext, this.#onFailure);
      } catch (error) {
        this.#onFailure(error);
      }
    });
  }

  // Made once: a stream has thousands of parts, and may be one of thousands.
  readonly #onNext = (next: IteratorResult<ProviderPart>): void => {
    if (this.#isOver) return;
    try {
      this.#tell({ step: this.#took(next) });
    } catch (error) {
      this.#onFailure(error);
    }
  };

  readonly #onFailure = (error: unknown): void => {
    if (!this.#isOver) this.#tell({ error: this.#failed(error) });
  };

  /** Kept for a reader who is elsewhere: to him, too, a failure must not look like the end. */
  #tell(told: Told): void {
    this.#told = told;
    this.#wake();
    this.#wake = ignore;
  }

  #begin(): AsyncIterator<ProviderPart> {
    const { scope, clocks, wire, keepRaw, maxAnswerBytes, key, onLimits } = this.#options;
    const expire = (phase: DuePhase): void =>
      void this.#cutShort(new SignalboxError('timeout', phaseWords[phase](clocks), { phase }));
    this.#clock = new AttemptClock(this.#runtime, this.#deadline, expire);
    if (scope.reason !== undefined) this.#abort(scope.reason);
    else scope.listen(this.#onAbort);
    const parts = this.#prepared.send({
      ...(key !== undefined && { key }),
      signal: this.#controller.signal,
      wire,
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

  #took(next: IteratorResult<ProviderPart>): AttemptStep {
    this.#deadline.paused();
    if (next.done === true) {
      throw new SignalboxError('stream_interrupted', 'the adapter ended without a finish');
    }
    if (!this.#isAnswering && isFirstPart(next.value)) {
      this.#isAnswering = true;
      this.#deadline.firstPart(this.#runtime.now());
      this.#clock?.arm();
    }
    const value = soundPart(next.value);
    this.#isFinished = value.type === 'finish';
    this.#options.see(value);
    if (this.#isFinished) this.#end();
    return value === next.value ? next : { done: false, value };
  }

  /** Closes the socket; what has come by then is still told. */
  async #cutShort(reason: unknown): Promise<void> {
    this.#abort(reason);
    for (let turn = 0; turn < turnsThrough; turn++) await undefined;
    if (!this.#isOver) this.#tell({ error: this.#failed(reason) });
  }

  #abort(reason: unknown): void {
    this.#cut ??= { reason };
    this.#controller.abort(reason);
  }

  #failed(error: unknown): SignalboxError {
    const told = soundError(asAttemptError(this.#cut === undefined ? error : this.#cut.reason));
    this.#end();
    return told;
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
  return new RunningAttempt(runtime, prepared, options);
}
