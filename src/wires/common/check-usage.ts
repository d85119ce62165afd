import type { JsonObject } from '../../protocol/json.ts';
import { checkCount } from '../../transport/answer-bound.ts';

/** Vendors count twenty things at most. */
const maxKinds = 100;

/**
 * Checks a usage that is merged from many events, each of which may add to it: it is copied with every event.
 * @throws SignalboxError `invalid_response`
 */
export function checkUsage(usage: JsonObject | undefined): void {
  if (usage !== undefined) checkCount(Object.keys(usage).length, 'kinds of usage', maxKinds);
}
