import type { ResolvedTarget } from '../../config/resolve.ts';
import type { Call, Engine } from '../core/engine.ts';
import { windowOf } from './plan-call.ts';

/** What the targets that refused a call's prompt as too long say about the context window that it needs. */
export class RefusedWindows {
  readonly #engine: Engine;
  readonly #call: Call;
  /** Tokens: the largest window that was too small. */
  #largest: number | undefined;
  /** A target of unknown window refused it too. */
  #hasUnknown = false;

  constructor(engine: Engine, call: Call) {
    this.#engine = engine;
    this.#call = call;
  }

  /** The target refused the prompt. */
  add(target: ResolvedTarget): void {
    const window = windowOf(this.#engine, target);
    if (window === undefined) this.#hasUnknown = true;
    else this.#largest = Math.max(window, this.#largest ?? 0);
  }

  /**
   * Why the target is not worth a try; `undefined` when it is. An unknown window counts as larger than any. Where
   * a target of unknown window refused the prompt, one that holds the prompt as we count it is worth a try. What
   * the answer takes is not counted: a vendor that wants room for it says so, and a target that is never asked
   * cannot answer.
   */
  tooSmall(target: ResolvedTarget): string | undefined {
    const window = windowOf(this.#engine, target);
    if (window === undefined) return undefined;
    if (this.#largest !== undefined && window <= this.#largest) {
      return 'its context window is no larger';
    }
    return this.#hasUnknown && window < this.#call.inputTokens
      ? `its context window of ${window} tokens is too small`
      : undefined;
  }
}
