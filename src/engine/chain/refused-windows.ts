import type { ResolvedTarget } from '../../config/resolve.ts';
import type { Call, Engine } from '../core/engine.ts';
import { contextWindowOf } from './plan-call.ts';

/** The context windows that were too small for a call's prompt. */
export class RefusedWindows {
  readonly #engine: Engine;
  readonly #call: Call;
  /** Tokens: the largest window that was too small. */
  #largest: number | undefined;
  /** A target of unknown window was too small too. */
  #hasUnknown = false;

  constructor(engine: Engine, call: Call) {
    this.#engine = engine;
    this.#call = call;
  }

  /** The prompt was too long for the target. */
  add(target: ResolvedTarget): void {
    const window = contextWindowOf(this.#engine, target);
    if (window === undefined) this.#hasUnknown = true;
    else this.#largest = Math.max(window, this.#largest ?? 0);
  }

  /**
   * Why the target would fail too; `undefined` when it may not. An unknown window counts as the largest. After a target of
   * unknown window failed, one whose window holds the estimated prompt is tried. The answer is not counted: some vendors
   * need no room for it.
   */
  tooSmall(target: ResolvedTarget): string | undefined {
    const window = contextWindowOf(this.#engine, target);
    if (window === undefined) return undefined;
    if (this.#largest !== undefined && window <= this.#largest) {
      return 'its context window is no larger';
    }
    return this.#hasUnknown && window < this.#call.inputTokens
      ? `its context window of ${window} tokens is too small`
      : undefined;
  }
}
