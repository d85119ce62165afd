import { SignalboxError } from '../../errors.ts';
import type { Runtime } from '../../protocol/runtime.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import { setAlarm } from '../core/scope.ts';
import type { AttemptParts } from './attempt-stream.ts';
import { DeltaCount } from './attempt-timeouts.ts';

/** How often the clock is looked at while the target is waited for. */
const tickMs = 250;

/** A tick that is so much later than it should means that the process stood still. */
const blockedMs = 100;

/** A rate over less time means little: answers come in bursts. */
const graceMs = 2_000;

type Batch = readonly ProviderPart[];

type WatchedOptions = {
  readonly minTokensPerSecond: number | undefined;
  /** Whether another target can still replace this one without the reader noticing. */
  readonly mayLeave: () => boolean;
};

/**
 * The parts of an attempt, with the time that its target took: while a part was waited for, and the process did not stand
 * still. Ends an answer that is slower than `minTokensPerSecond`.
 */
export class WatchedParts implements AttemptParts {
  readonly #runtime: Runtime;
  readonly #parts: AttemptParts;
  readonly #options: WatchedOptions;
  readonly #count = new DeltaCount();
  /** Of the reads that are over. */
  #ms = 0;
  /** When the target had taken so long, the first delta arrived. */
  #firstDeltaMs: number | undefined;
  /** When the read under way began, later by the time in which the process stood still. */
  #readingSince: number | undefined;
  #tickAt = 0;
  #stopTick: (() => void) | undefined;
  #failure: SignalboxError | undefined;

  constructor(runtime: Runtime, parts: AttemptParts, options: WatchedOptions) {
    this.#runtime = runtime;
    this.#parts = parts;
    this.#options = options;
  }

  /** Milliseconds that the target took so far. */
  get targetMs(): number {
    if (this.#readingSince === undefined) return this.#ms;
    return this.#ms + Math.max(0, this.#runtime.now() - this.#readingSince);
  }

  async next(): Promise<Batch | undefined> {
    this.#readingSince = this.#runtime.now();
    this.#tick();
    try {
      const batch = await this.#parts.next();
      if (this.#failure !== undefined) throw this.#failure;
      this.#endRead();
      for (const part of batch ?? []) this.#add(part);
      const isOver = batch === undefined || batch.at(-1)?.type === 'finish';
      if (!isOver) this.#leaveIfTooSlow();
      if (this.#failure !== undefined) throw this.#failure;
      return batch;
    } finally {
      this.#stop();
    }
  }

  leave(): void {
    this.#stop();
    this.#parts.leave();
  }

  #add(part: ProviderPart): void {
    if (!('delta' in part) || part.delta === '') return;
    // The first one took none of the time that is measured.
    if (this.#firstDeltaMs === undefined) this.#firstDeltaMs = this.targetMs;
    else this.#count.add(part.delta);
  }

  #tick(): void {
    this.#tickAt = this.#runtime.now() + tickMs;
    this.#stopTick = setAlarm(this.#runtime, tickMs, () => {
      this.#excuse();
      this.#leaveIfTooSlow();
      if (this.#failure === undefined) this.#tick();
    });
  }

  #stop(): void {
    this.#stopTick?.();
    this.#stopTick = undefined;
  }

  #endRead(): void {
    this.#excuse();
    this.#ms = this.targetMs;
    this.#readingSince = undefined;
  }

  /** Takes out the time in which the process stood still: what arrived meanwhile is still to be read. */
  #excuse(): void {
    const lateMs = this.#runtime.now() - this.#tickAt;
    if (lateMs > blockedMs && this.#readingSince !== undefined) {
      this.#readingSince += lateMs + tickMs;
    }
  }

  #leaveIfTooSlow(): void {
    const { minTokensPerSecond, mayLeave } = this.#options;
    if (minTokensPerSecond === undefined || this.#firstDeltaMs === undefined) return;
    const ms = this.targetMs - this.#firstDeltaMs;
    if (ms < graceMs) return;
    const perSecond = (tokens: number): number => (tokens * 1_000) / ms;
    if (perSecond(this.#count.roughTokens) >= minTokensPerSecond) return;
    const tokensPerSecond = perSecond(this.#count.tokens);
    if (tokensPerSecond >= minTokensPerSecond || !mayLeave()) return;
    const rounded = Math.round(tokensPerSecond * 10) / 10;
    this.#failure = new SignalboxError(
      'timeout',
      `${rounded} tokens a second are fewer than minTokensPerSecond (${minTokensPerSecond})`,
      { phase: 'throughput' },
    );
    this.#parts.leave();
  }
}
