import { SignalboxError } from '../../errors.ts';
import type { Runtime } from '../../protocol/runtime.ts';

/** A call under way, as far as closing the router goes. */
type Running = {
  readonly abort: (reason: SignalboxError) => void;
  /** Resolves when the call has cleaned up; makes it do so when nobody reads it any more. */
  readonly end: () => Promise<unknown>;
  /** Its place among those under way; kept here, and nobody else's business. */
  place?: number | undefined;
};

/** The calls under way, so that a router can be closed. */
export interface InFlight {
  readonly size: number;
  /** @throws SignalboxError `closed` once the router is. */
  enter(running: Running): void;
  leave(running: Running): void;
  /** Refuses new calls, waits for those under way, aborts what is left, and waits for that to settle. */
  close(drainMs: number): Promise<void>;
}

function closedError(what: string): SignalboxError {
  return new SignalboxError('closed', `the router ${what}`);
}

export function createInFlight(runtime: Runtime): InFlight {
  // Not a Set: V8 leaves a chain of its outgrown tables behind, which keeps every call alive until the next full
  // collection of garbage.
  const running: Running[] = [];
  let closed = false;
  const { promise: empty, resolve: onEmpty } = Promise.withResolvers<void>();

  return {
    get size() {
      return running.length;
    },
    enter(call) {
      if (closed) throw closedError('is closed: no call can be made any more');
      call.place = running.push(call) - 1;
    },
    leave(call) {
      const { place } = call;
      if (place === undefined) return;
      call.place = undefined;
      const last = running.pop();
      if (last !== undefined && last !== call) {
        running[place] = last;
        last.place = place;
      }
      if (closed && running.length === 0) onEmpty();
    },
    async close(drainMs) {
      closed = true;
      if (drainMs > 0 && running.length > 0) {
        const clock = new AbortController();
        const waited = runtime.sleep(drainMs, clock.signal).catch(() => undefined);
        await Promise.race([empty, waited]);
        clock.abort();
      }
      const left = [...running];
      for (const call of left) call.abort(closedError('was closed while the call was under way'));
      await Promise.allSettled(left.map((call) => call.end()));
      running.length = 0;
    },
  };
}
