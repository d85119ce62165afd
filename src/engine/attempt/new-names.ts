import type { NormalMessage } from '../../protocol/message.ts';
import type { AttemptPlan } from '../core/attempt-plan.ts';
import { repeatsPrompt } from './attempt-error.ts';
import type { Run } from './run.ts';

/** Most new names in one answer. Each is compared with the whole prompt; the others are new in the next answer, too. */
const maxNewNames = 8;

/** Counts the names in an answer that its wire does not know, and emits an event for each new one. */
export function noteNewNames(
  { engine, trail }: Run,
  { target, options, tags }: AttemptPlan,
  messages: readonly NormalMessage[],
): (reported: string, name: string) => void {
  let newNames = 0;
  return (reported, name) => {
    const { unknownNames } = engine.registry.target(target.id);
    if (!unknownNames.isNew(reported)) {
      unknownNames.add(reported);
      return;
    }
    if (++newNames > maxNewNames) return;
    // The vendor chose the name.
    const isEcho = repeatsPrompt(name, messages, options.system);
    const path = isEcho ? '?' : reported;
    const isNew = unknownNames.isNew(path);
    unknownNames.add(path);
    if (isNew) trail.emit('shape-changed', { target: target.id, path }, tags);
  };
}
