import type { JsonObject } from '../../protocol/json.ts';
import type { Opaque } from '../../protocol/message.ts';
import { objectOf, textOf } from '../common/read.ts';
import type { AnswerOrigin } from '../common/read-answer.ts';

export const wire = 'openai-responses';

/** The replay data of a reasoning item: its id and its encrypted content, which must be sent back together. */
export function encryptedReasoning(item: JsonObject, origin: AnswerOrigin): Opaque | undefined {
  const encrypted = textOf(item.encrypted_content);
  if (encrypted === undefined) return undefined;
  const data = JSON.stringify({ id: item.id, encrypted_content: encrypted });
  return { wire, provider: origin.provider, model: origin.model, kind: 'encrypted', data };
}

/** The fields of the reasoning item, if `opaque` contains one. */
export function readEncryptedReasoning(
  opaque: Opaque,
): { readonly id?: string; readonly encrypted_content: string } | undefined {
  if (opaque.kind !== 'encrypted') return undefined;
  let kept: JsonObject;
  try {
    kept = objectOf(JSON.parse(opaque.data));
  } catch {
    return undefined;
  }
  const encrypted = textOf(kept.encrypted_content);
  const id = textOf(kept.id);
  if (encrypted === undefined) return undefined;
  return { ...(id !== undefined && { id }), encrypted_content: encrypted };
}

/** The replay data of a message's phase (`commentary` or `final_answer`), which newer models expect back. */
export function messagePhase(item: JsonObject, origin: AnswerOrigin): Opaque | undefined {
  const phase = textOf(item.phase);
  return phase === undefined ? undefined : { wire, ...origin, kind: 'item', data: phase };
}
