import type { TimeoutPhase } from '../protocol/error-code.ts';

/** The clocks of one attempt, by the phase in which they run. */
export type DuePhase = Extract<TimeoutPhase, 'connect' | 'first-token' | 'idle'>;

/** The clocks of one attempt, in milliseconds; one that is `undefined` does not run. */
export type Clocks = {
  readonly connectMs: number;
  readonly firstTokenMs: number | undefined;
  readonly idleMs: number;
};

/** When an attempt has run out of time, and by which of its clocks. A plain value: it sets no timer. */
export interface Deadline {
  connected(): void;
  /** The answer has begun: the idle clock takes over. */
  firstPart(now: number): void;
  bytes(now: number): void;
  /** Whether we wait for the vendor; a slow reader of ours is not the vendor's silence. */
  reading(now: number): void;
  paused(): void;
  /** The next time at which a clock runs out unless something happens; `undefined` when none runs. */
  due(now: number): { readonly at: number; readonly phase: DuePhase } | undefined;
}

export function createDeadline(clocks: Clocks, startedAt: number): Deadline {
  let phase: 'connecting' | 'waiting' | 'answering' = 'connecting';
  let lastBytesAt = startedAt;
  let isReading = true;
  const firstTokenAt = startedAt + (clocks.firstTokenMs ?? Number.POSITIVE_INFINITY);
  return {
    connected() {
      if (phase === 'connecting') phase = 'waiting';
    },
    firstPart(now) {
      phase = 'answering';
      lastBytesAt = now;
    },
    bytes(now) {
      lastBytesAt = now;
    },
    reading(now) {
      if (!isReading) lastBytesAt = now;
      isReading = true;
    },
    paused() {
      isReading = false;
    },
    due(now) {
      if (phase === 'answering') {
        return { at: (isReading ? lastBytesAt : now) + clocks.idleMs, phase: 'idle' };
      }
      const connectAt = startedAt + clocks.connectMs;
      if (phase === 'connecting' && connectAt <= firstTokenAt) {
        return { at: connectAt, phase: 'connect' };
      }
      return Number.isFinite(firstTokenAt) ? { at: firstTokenAt, phase: 'first-token' } : undefined;
    },
  };
}
