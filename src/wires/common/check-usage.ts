import type { JsonObject } from '../../protocol/json.ts';
import { checkCount } from '../../transport/answer-bound.ts';

/** Vendors report about twenty counts at most. */
const maxKinds = 100;

/**
 * Limits the size of a usage object merged from many events. Each event copies it, so an unbounded one gets slow.
 * @throws SignalboxError `invalid_response`
 */
export function checkUsage(usage: JsonObject | undefined): void {
  if (usage !== undefined) checkCount(Object.keys(usage).length, 'kinds of usage', maxKinds);
}
