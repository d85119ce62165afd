import { own } from '../../internal/own.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { checkCount } from '../../transport/answer-bound.ts';
import { isObject, listOf } from '../common/read.ts';

/** A vendor's have ten; each new one would be looked at again with every piece. */
const maxMembers = 100;

/** Members that come in pieces; all others come once, the last one winning. */
const streamed = ['text', 'summary', 'data'] as const;

/** Adds a piece; in place, since a detail may come in thousands of pieces. */
function merge(whole: Record<string, unknown>, piece: JsonObject): void {
  for (const [name, value] of Object.entries(piece)) {
    const isStreamed = streamed.some((each) => each === name);
    const known = own(whole, name);
    if (value === null && known !== undefined) continue;
    whole[name] = isStreamed && typeof value === 'string' ? `${known ?? ''}${value}` : value;
    checkCount(Object.keys(whole).length, 'members in one detail', maxMembers);
  }
}

/**
 * OpenRouter's `reasoning_details`: what the model behind it wants back unchanged, signatures included. In a stream
 * they come in pieces that belong together by their index and type.
 */
export function createReasoningDetails() {
  const details = new Map<string, Record<string, unknown>>();
  return {
    read(value: unknown): void {
      for (const piece of listOf(value)) {
        if (!isObject(piece)) continue;
        const place = `${piece.type} ${piece.index ?? 0}`;
        const whole = details.get(place) ?? {};
        merge(whole, piece);
        details.set(place, whole);
        checkCount(details.size, 'details of reasoning');
      }
    },
    /** As JSON, for the replay; `undefined` when there were none. */
    toJson: (): string | undefined =>
      details.size === 0 ? undefined : JSON.stringify([...details.values()]),
  };
}
