import type { JsonObject } from '../../protocol/json.ts';
import type { Opaque } from '../../protocol/message.ts';
import { objectOf, textOf } from '../common/read.ts';

/** Where gateways to Gemini put the thought signature of a call, and expect it back. */
const places: Readonly<Record<string, readonly string[]>> = {
  google: ['extra_content', 'google'],
  vertex: ['extra_content', 'vertex'],
  // LiteLLM
  specific: ['provider_specific_fields'],
  function: ['function', 'provider_specific_fields'],
};

/** The replay data of a call of Gemini: its thought signature and, unless it is Google's, its place. */
export function thoughtSignature(call: JsonObject): Pick<Opaque, 'kind' | 'data'> | undefined {
  for (const [place, path] of Object.entries(places)) {
    const fields = path.reduce<JsonObject>((outer, key) => objectOf(outer[key]), call);
    const signature = textOf(fields.thought_signature);
    if (signature === undefined) continue;
    if (place === 'google') return { kind: 'thought-signature', data: signature };
    return { kind: 'item', data: JSON.stringify({ place, thought_signature: signature }) };
  }
  return undefined;
}

function parsed(data: string): JsonObject {
  try {
    return objectOf(JSON.parse(data));
  } catch {
    return {};
  }
}

/** The fields of a call with the signature of its replay data, if that has one. */
export function signatureFields({
  kind,
  data,
}: Pick<Opaque, 'kind' | 'data'>): JsonObject | undefined {
  if (kind === 'thought-signature')
    return { extra_content: { google: { thought_signature: data } } };
  if (kind !== 'item') return undefined;
  const { place, thought_signature } = parsed(data);
  if (textOf(thought_signature) === undefined) return undefined;
  // LiteLLM reads its field next to `function` too.
  if (place !== 'vertex') return { provider_specific_fields: { thought_signature } };
  return { extra_content: { vertex: { thought_signature } } };
}
