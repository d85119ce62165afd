import { own } from '../../internal/own.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { isObject, listOf } from '../common/read.ts';

/** Members that come in pieces; all others come once, the last one winning. */
const streamed = ['text', 'summary', 'data'] as const;

function merged(before: JsonObject, piece: JsonObject): JsonObject {
  const whole: Record<string, unknown> = { ...before };
  for (const [name, value] of Object.entries(piece)) {
    const isStreamed = streamed.some((each) => each === name);
    const known = own(whole, name);
    if (value === null && known !== undefined) continue;
    whole[name] = isStreamed && typeof value === 'string' ? `${known ?? ''}${value}` : value;
  }
  return whole;
}

/**
 * OpenRouter's `reasoning_details`: what the model behind it wants back unchanged, signatures included. In a stream
 * they come in pieces that belong together by their index and type.
 */
export function createReasoningDetails() {
  const details = new Map<string, JsonObject>();
  return {
    read(value: unknown): void {
      for (const piece of listOf(value)) {
        if (!isObject(piece)) continue;
        const place = `${piece.type} ${piece.index ?? 0}`;
        details.set(place, merged(details.get(place) ?? {}, piece));
      }
    },
    /** As JSON, for the replay; `undefined` when there were none. */
    toJson: (): string | undefined =>
      details.size === 0 ? undefined : JSON.stringify([...details.values()]),
  };
}
