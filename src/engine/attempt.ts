import { isSignalboxError, SignalboxError } from '../errors.ts';
import type { PreparedCall, RateLimit } from '../protocol/provider.ts';
import type { WireMode } from '../protocol/request.ts';
import type { Runtime } from '../protocol/runtime.ts';
import type { ProviderPart } from '../protocol/stream-part.ts';
import { setAlarm } from '../resilience/alarm.ts';
import {
  type Clocks,
  createDeadline,
  type Deadline,
  type DuePhase,
} from '../resilience/deadline.ts';

export type AttemptOptions = {
  /** The call's signal. */
  readonly signal: AbortSignal;
  readonly clocks: Clocks;
  readonly wire: WireMode;
  readonly keepRaw: boolean;
  /** Which of the provider's keys, from 0. */
  readonly key?: number;
  /** Hears what the vendor tells of its limits. */
  readonly onLimits: (told: readonly RateLimit[]) => void;
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

/** Rings when a clock of the deadline runs out. One timer, set anew when it rings or a sooner clock starts. */
function watch(runtime: Runtime, deadline: Deadline, expire: (phase: DuePhase) => void) {
  let ringsAt = Number.POSITIVE_INFINITY;
  let callOff = (): void => undefined;
  function arm(): void {
    const now = runtime.now();
    const next = deadline.due(now);
    if (next === undefined || next.at >= ringsAt) return;
    callOff();
    ringsAt = next.at;
    callOff = setAlarm(runtime, Math.max(0, next.at - now), ring);
  }
  function ring(): void {
    ringsAt = Number.POSITIVE_INFINITY;
    const now = runtime.now();
    const due = deadline.due(now);
    if (due !== undefined && now >= due.at) expire(due.phase);
    else arm();
  }
  arm();
  return { rearm: arm, stop: () => callOff() };
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

/**
 * Runs one attempt under its own clocks and its own AbortController, and ends in one of three ways: after
 * `finish`; with a thrown SignalboxError; or because the reader left. Whichever it is, the socket is closed
 * or free for the next request, the timer is gone and nothing listens on the call's signal any more.
 */
export async function* runAttempt(
  runtime: Runtime,
  prepared: PreparedCall,
  options: AttemptOptions,
): AsyncGenerator<ProviderPart, void> {
  const { signal, clocks } = options;
  const controller = new AbortController();
  const deadline = createDeadline(clocks, runtime.now());
  const clock = watch(runtime, deadline, (phase) =>
    controller.abort(new SignalboxError('timeout', phaseWords[phase](clocks), { phase })),
  );
  // One pending read at a time can be cut short, even when an adapter ignores its signal.
  let giveUp: (reason: unknown) => void = () => undefined;
  const onAbort = (): void => controller.abort(signal.reason);
  const cutShort = async (): Promise<void> => {
    const reject = giveUp;
    for (let turn = 0; turn < turnsThrough; turn++) await undefined;
    reject(controller.signal.reason);
  };
  controller.signal.addEventListener('abort', cutShort, { once: true });
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });

  const parts = prepared
    .send({
      signal: controller.signal,
      wire: options.wire,
      keepRaw: options.keepRaw,
      ...(options.key !== undefined && { key: options.key }),
      watch: {
        connected: () => deadline.connected(),
        bytes: () => deadline.bytes(runtime.now()),
        limits: options.onLimits,
      },
    })
    [Symbol.asyncIterator]();
  const read = (): Promise<IteratorResult<ProviderPart>> =>
    new Promise((resolve, reject) => {
      giveUp = reject;
      if (controller.signal.aborted) return reject(controller.signal.reason);
      parts.next().then(resolve, reject);
    });

  let answering = false;
  let finished = false;
  try {
    for (;;) {
      deadline.reading(runtime.now());
      const next = await read();
      deadline.paused();
      if (next.done === true) {
        throw new SignalboxError('stream_interrupted', 'the adapter ended without a finish');
      }
      if (!answering && isFirstPart(next.value)) {
        answering = true;
        deadline.firstPart(runtime.now());
        clock.rearm();
      }
      finished = next.value.type === 'finish';
      options.see(next.value);
      yield next.value;
      if (finished) return;
    }
  } catch (error) {
    throw asAttemptError(controller.signal.aborted ? controller.signal.reason : error);
  } finally {
    clock.stop();
    signal.removeEventListener('abort', onAbort);
    // After a finish the adapter may still read the body out, so that its connection can be used again.
    if (!finished) controller.abort(over);
    // A signal that has had a listener lives on until the next full collection of garbage: it takes nothing along.
    controller.signal.removeEventListener('abort', cutShort);
    // Not awaited: an adapter that hangs in its clean-up must not hold the call.
    parts.return?.().then(undefined, () => undefined);
  }
}
