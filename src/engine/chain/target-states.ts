import type { ResolvedTarget } from '../../config/resolve.ts';
import type { NormalMessage } from '../../protocol/message.ts';
import { heldUnder } from '../core/keys.ts';

/** What the call remembers of a target: its tries, its repairs, and the turns that ask for the next one. */
export type TargetState = {
  readonly target: string;
  tries: number;
  /** An attempt of it was decided on and has not begun: it waits for its time, or for its turn. */
  isWaiting: boolean;
  repairs: number;
  repair: readonly NormalMessage[];
  /** It did not go on with an answer that another target had begun. */
  refusedPrefill: boolean;
};

/** The states of all targets of one call; of a pool, each key has its own. */
export class TargetStates {
  readonly #states = new Map<string, TargetState>();

  of(target: ResolvedTarget): TargetState {
    const { target: key } = heldUnder(target);
    const known = this.#states.get(key);
    if (known !== undefined) return known;
    const state: TargetState = {
      target: target.id,
      tries: 0,
      isWaiting: false,
      repairs: 0,
      repair: [],
      refusedPrefill: false,
    };
    this.#states.set(key, state);
    return state;
  }

  /** Whether the call has asked the target, with whichever key. */
  isTried({ id }: ResolvedTarget): boolean {
    for (const { target, tries } of this.#states.values()) {
      if (target === id && tries > 0) return true;
    }
    return false;
  }

  /** Attempts that were decided on and have not begun. */
  waiting(): number {
    let count = 0;
    for (const { isWaiting } of this.#states.values()) if (isWaiting) count += 1;
    return count;
  }
}
