import { isSignalboxError, SignalboxError, summarizeError } from '../../errors.ts';
import type { InContext } from '../../internal/async-context.ts';
import type { Completion } from '../../protocol/completion.ts';
import type { PluginParts } from '../../protocol/plugin.ts';
import type { Runtime } from '../../protocol/runtime.ts';
import type { Call, Engine } from '../core/engine.ts';
import type { CallScope, Scope } from '../core/scope.ts';
import { Trail } from '../core/trail.ts';

/** The parts of a call in batches; `finish` is the last part. */
export type CallRun = AsyncGenerator<PluginParts, void>;

/** A call for one reader, who reads one batch at a time. An abort ends it even when nothing reads. */
export class RunningCall implements AsyncIterableIterator<PluginParts, void> {
  readonly #run: CallRun;
  readonly #onUnread: () => void;
  readonly #inContext: InContext | undefined;
  /** A generator that was not started runs none of its clean-up. */
  #isStarted = false;
  #ending: Promise<void> | undefined;
  /** What the call was ended with, for a reader that comes back. */
  #failure: { readonly error: unknown } | undefined;

  /** `onUnread` is called when the call ends before its first read. */
  constructor(run: CallRun, scope: Scope, onUnread: () => void, inContext?: InContext) {
    this.#run = run;
    this.#onUnread = onUnread;
    this.#inContext = inContext;
    scope.listen(() => void this.end(scope.reason));
  }

  /** The next batch, never empty, or the end. @throws SignalboxError what the call failed with */
  next(): Promise<IteratorResult<PluginParts, void>> {
    if (this.#ending !== undefined) return this.#ending.then(() => this.#failed());
    this.#isStarted = true;
    if (this.#inContext !== undefined) return this.#inContext(() => this.#run.next());
    return this.#run.next();
  }

  /** Whether it was ended from outside: parts that its reader still holds are not part of an answer any more. */
  get isEnded(): boolean {
    return this.#ending !== undefined;
  }

  /** The reader leaves. Waits for the batch that is being read. */
  return(): Promise<IteratorResult<PluginParts, void>> {
    this.#closeUnread();
    return this.#run.return();
  }

  /**
   * Ends the call, after the batch that is being read. A reader that comes back gets the error: a call that was ended must
   * not look like a whole answer.
   */
  end(reason: unknown): Promise<void> {
    this.#ending ??= this.#end(reason);
    return this.#ending;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #closeUnread(): void {
    if (!this.#isStarted) this.#onUnread();
    this.#isStarted = true;
  }

  async #end(reason: unknown): Promise<void> {
    this.#closeUnread();
    try {
      await this.#run.throw(reason);
    } catch (error) {
      this.#failure = { error };
    }
  }

  #failed(): IteratorResult<PluginParts, void> {
    if (this.#failure !== undefined) throw this.#failure.error;
    return { done: true, value: undefined };
  }
}

/** A call in flight, as far as closing the router goes. */
type CallInFlight = {
  readonly abort: (reason: SignalboxError) => void;
  /** Resolves when the call has cleaned up, which it does even when nothing reads it. */
  readonly end: () => Promise<unknown>;
  /** Its index among those in flight. */
  index?: number | undefined;
};

/** The calls in flight, so that a router can be closed. */
export interface InFlight {
  readonly size: number;
  /** @throws SignalboxError `closed` once the router is */
  enter(call: CallInFlight): void;
  leave(call: CallInFlight): void;
  /** Rejects new calls, waits for those in flight, aborts what is left, and waits for that to settle. */
  close(drainMs: number): Promise<void>;
}

function closedError(what: string): SignalboxError {
  return new SignalboxError('closed', `the router ${what}`);
}

export function createInFlight(runtime: Runtime): InFlight {
  // Not a Set: the tables that it outgrows keep every call reachable until the next full garbage collection.
  const calls: CallInFlight[] = [];
  let closed = false;
  const { promise: empty, resolve: onEmpty } = Promise.withResolvers<void>();

  return {
    get size() {
      return calls.length;
    },
    enter(call) {
      if (closed) throw closedError('is closed: no call can be made any more');
      call.index = calls.push(call) - 1;
    },
    leave(call) {
      const { index } = call;
      if (index === undefined) return;
      call.index = undefined;
      const last = calls.pop();
      if (last !== undefined && last !== call) {
        calls[index] = last;
        last.index = index;
      }
      if (closed && calls.length === 0) onEmpty();
    },
    async close(drainMs) {
      closed = true;
      if (drainMs > 0 && calls.length > 0) {
        const timer = new AbortController();
        const waited = runtime.sleep(drainMs, timer.signal).catch(() => undefined);
        await Promise.race([empty, waited]);
        timer.abort();
      }
      const left = [...calls];
      for (const call of left) call.abort(closedError('was closed while the call was in flight'));
      await Promise.allSettled(left.map((call) => call.end()));
      calls.length = 0;
    },
  };
}

/** The first and the last event of a call, and what is cleaned up with it. */
export interface CallAccount {
  readonly trail: Trail;
  open(): void;
  close(outcome: Completion | SignalboxError): void;
}

/** The account of a call. */
export class WholeCallAccount implements CallAccount {
  readonly trail: Trail;
  readonly #engine: Engine;
  readonly #call: Call;
  readonly #scope: CallScope;
  readonly #onClose: () => void;

  constructor(engine: Engine, call: Call, scope: CallScope, onClose: () => void) {
    this.trail = new Trail(engine, call);
    this.#engine = engine;
    this.#call = call;
    this.#scope = scope;
    this.#onClose = onClose;
  }

  open(): void {
    const { kind, mode } = this.#call;
    this.trail.emit('call-start', { kind, mode });
  }

  close(outcome: Completion | SignalboxError): void {
    this.#scope.close();
    try {
      this.#emitEnd(outcome);
    } finally {
      this.#onClose();
      forgetLastMatch();
    }
  }

  #emitEnd(outcome: Completion | SignalboxError): void {
    const { trail } = this;
    const common = {
      attempts: trail.attempts,
      durationMs: this.#engine.runtime.now() - this.#scope.startedAt,
      usd: trail.hasUnknownCost ? null : trail.usd,
    };
    if (!isSignalboxError(outcome)) {
      this.#keepForFeedback(outcome);
      const { firstTokenMs } = outcome.latency;
      const timing = firstTokenMs === undefined ? {} : { firstTokenMs };
      const { savedUsd = null } = outcome.cost;
      const saving = outcome.cached === true ? { cached: true as const, savedUsd } : {};
      const { target } = outcome;
      trail.emit('call-end', { ...common, ...timing, ...saving, status: 'ok', target });
      return;
    }
    const isAborted = outcome.code === 'aborted' || outcome.code === 'closed';
    const status = isAborted ? 'aborted' : 'error';
    trail.emit('call-end', { ...common, status, error: summarizeError(outcome) });
  }

  #keepForFeedback({ target, model }: Completion): void {
    const { answered, runtime } = this.#engine;
    const { id: callId, called, tags, drill } = this.#call;
    const { requested, served } = model;
    const at = runtime.now();
    const tier = called.name;
    answered.add({ callId, tier, target, servedModel: served, tags, drill, at }, requested);
  }
}

/** The account of a run within a call: the call itself has the events. */
export class PartialAccount implements CallAccount {
  readonly trail: Trail;
  readonly #onClose: () => void;

  constructor(trail: Trail, onClose: () => void) {
    this.trail = trail;
    this.#onClose = onClose;
  }

  open(): void {}

  close(): void {
    this.#onClose();
  }
}

const emptyPattern = /(?:)/;

/**
 * Replaces `RegExp.input`, which keeps the last matched string in memory, with an empty string. After a call it could be
 * the whole answer.
 */
function forgetLastMatch(): void {
  emptyPattern.test('');
}
