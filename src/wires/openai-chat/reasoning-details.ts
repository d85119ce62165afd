import { own } from '../../internal/own.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { checkCount } from '../../transport/answer-bound.ts';
import { isObject, listOf } from '../common/read.ts';

/** Real details have about ten. Every chunk scans all of them. */
const maxMembers = 100;

/** Members that are streamed in chunks. For all others the last value wins. */
const streamed = ['text', 'summary', 'data'] as const;

/** Merges a chunk into the detail. Mutates it, because a detail may have thousands of chunks. */
function merge(whole: Record<string, unknown>, chunk: JsonObject): void {
  for (const [name, value] of Object.entries(chunk)) {
    const isStreamed = streamed.some((each) => each === name);
    const known = own(whole, name);
    if (value === null && known !== undefined) continue;
    whole[name] = isStreamed && typeof value === 'string' ? `${known ?? ''}${value}` : value;
    checkCount(Object.keys(whole).length, 'members in one detail', maxMembers);
  }
}

/**
 * Collects OpenRouter's `reasoning_details`, which must be sent back unchanged, signatures included. A stream sends
 * them in chunks; chunks of one detail have the same index and type.
 */
export function createReasoningDetails() {
  const details = new Map<string, Record<string, unknown>>();
  return {
    read(value: unknown): void {
      for (const chunk of listOf(value)) {
        if (!isObject(chunk)) continue;
        const key = `${chunk.type} ${chunk.index ?? 0}`;
        const whole = details.get(key) ?? {};
        merge(whole, chunk);
        details.set(key, whole);
        checkCount(details.size, 'details of reasoning');
      }
    },
    /** The details as JSON for the replay data, or `undefined` when there are none. */
    toJson: (): string | undefined =>
      details.size === 0 ? undefined : JSON.stringify([...details.values()]),
  };
}
