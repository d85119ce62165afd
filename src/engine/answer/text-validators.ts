import type { ResolvedValidators } from '../../config/validators.ts';
import { checkAgainst } from '../core/json-schema.ts';

/** Why a text is unusable: `what` for people, `reason` for the model. */
type TextProblem = { readonly what: string; readonly reason: string };

/** Time is linear in the length, but an answer may have megabytes. This many take 0.2 s at worst. */
const maxMatchedLength = 32_000;

const notJson: TextProblem = {
  what: 'not JSON, although validators have a jsonSchema',
  reason: 'it is not valid JSON; answer with nothing but JSON, without a Markdown fence',
};

/** Checks the text of a whole answer against its tier's `validators`. Returns the first problem. */
export async function textProblem(
  { minLength, pattern, jsonSchema }: ResolvedValidators,
  text: string,
): Promise<TextProblem | undefined> {
  if (minLength !== undefined && text.trim().length < minLength) {
    return {
      what: `shorter than minLength (${minLength}) of validators`,
      reason: `it was too short; write at least ${minLength} characters`,
    };
  }
  if (pattern !== undefined && !pattern.compiled.test(text.slice(0, maxMatchedLength))) {
    return {
      what: 'it does not match the pattern of validators',
      reason: `it does not match the regular expression ${pattern.source}`,
    };
  }
  if (jsonSchema === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return notJson;
  }
  const result = await checkAgainst(jsonSchema, value);
  if (result.ok) return undefined;
  return { what: 'it does not fit the jsonSchema of validators; see cause', reason: result.issues };
}
