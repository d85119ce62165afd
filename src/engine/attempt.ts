import { isSignalboxError, SignalboxError } from '../errors.ts';
import type { PreparedCall, RateLimit } from '../protocol/provider.ts';
import type { WireMode } from '../protocol/request.ts';
import type { Runtime } from '../protocol/runtime.ts';
import type { ProviderPart } from '../protocol/stream-part.ts';
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
};

const over = new SignalboxError('aborted', 'the attempt has ended');

const phaseWords: Record<DuePhase, (clocks: Clocks) => string> = {
  connect: (clocks) => `no connection within ${clocks.connectMs} ms (connectMs)`,
  'first-token': (clocks) =>
    `no part of the answer within ${clocks.firstTokenMs} ms (firstTokenMs)`,
  idle: (clocks) => `the answer stalled for ${clocks.idleMs} ms (idleMs)`,
};

/** Sleeps until the deadline's next clock runs out, again and again, with one timer at a time. */
function watch(runtime: Runtime, deadline: Deadline, expire: (phase: DuePhase) => void) {
  let sleeping = new AbortController();
  let stopped = false;
  async function run(): Promise<void> {
    while (!stopped) {
      const next = deadline.due(runtime.now());
      const sleepMs = next === undefined ? Number.POSITIVE_INFINITY : next.at - runtime.now();
      sleeping = new AbortController();
      try {
        await runtime.sleep(Math.max(0, sleepMs), sleeping.signal);
      } catch {
        continue;
      }
      const due = deadline.due(runtime.now());
      if (due !== undefined && runtime.now() >= due.at) return expire(due.phase);
    }
  }
  void run();
  return {
    /** A clock that runs out sooner than the one slept on has started. */
    rearm: () => sleeping.abort(over),
    stop() {
      stopped = true;
      sleeping.abort(over);
    },
  };
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
  controller.signal.addEventListener('abort', () => giveUp(controller.signal.reason), {
    once: true,
  });
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
    // Not awaited: an adapter that hangs in its clean-up must not hold the call.
    parts.return?.().then(undefined, () => undefined);
  }
}
