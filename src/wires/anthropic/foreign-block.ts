import type { JsonObject } from '../../protocol/json.ts';

/** A block other than text, thinking or a call of the caller's tools, such as a server tool's result. */
export type ForeignBlock = { readonly block: JsonObject; input: string };

/** The block in the form in which it is sent back to the vendor. */
export function withInput({ block, input }: ForeignBlock): JsonObject {
  if (input === '') return block;
  try {
    return { ...block, input: JSON.parse(input) };
  } catch {
    return block;
  }
}
