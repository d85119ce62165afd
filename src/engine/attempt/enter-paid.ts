import { isPending } from '../../internal/eventually.ts';
import type { Eventually } from '../../protocol/store.ts';
import type { Admission, Slot } from '../core/engine.ts';
import type { Lowered } from './attempt-request.ts';
import type { AttemptParts } from './attempt-stream.ts';

type Entered = AttemptParts | Promise<AttemptParts>;

/** What an attempt does once its budgets have decided. */
type Steps = {
  /** There is room. Returns what starts it; `afterPause` when something may have changed meanwhile. */
  go(lowered: Lowered | undefined, afterPause: boolean): () => AttemptParts;
  /** It has waited: it needs a slot again. */
  again(): Entered;
  refused(admission: Extract<Admission, { type: 'refused' }>): void;
};

/** An attempt that has its slot reserves what it may cost. Without room it gives up the slot, and waits or fails. */
export function enterPaid(slot: Slot, reserve: () => Eventually<Admission>, steps: Steps): Entered {
  const giveUp = (error: unknown): never => {
    slot.release({ outcome: 'other', tokens: 0 });
    throw error;
  };
  const prepare = (admission: Admission, afterPause: boolean): (() => AttemptParts) => {
    try {
      const lowered = admission.type === 'reserved' ? admission.lowered : undefined;
      return steps.go(lowered, afterPause);
    } catch (error) {
      return giveUp(error);
    }
  };
  const follow = (admission: Admission, afterPause: boolean): Entered => {
    if (admission.type === 'wait') {
      // Others may use the slot meanwhile.
      slot.release({ outcome: 'other', tokens: 0 });
      return admission.room().then(steps.again);
    }
    if (admission.type === 'refused') {
      steps.refused(admission);
      return giveUp(admission.error);
    }
    return prepare(admission, afterPause)();
  };
  let admission: Eventually<Admission>;
  try {
    admission = reserve();
  } catch (error) {
    return giveUp(error);
  }
  // Not awaited without need: the circuit must be entered in the turn in which it was checked.
  if (!isPending(admission)) return follow(admission, false);
  return Promise.resolve(admission).then((made) => follow(made, true), giveUp);
}
