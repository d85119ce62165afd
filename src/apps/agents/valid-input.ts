import type { JsonSchema } from '../../protocol/json.ts';
import type { ToolCallPart } from '../../protocol/message.ts';
import type { StandardSchema } from '../../protocol/standard-schema.ts';
import { plainValidator } from '../../validation/json-schema.ts';
import type { RunnableTool } from './tool.ts';

/** Validators of plain schemas; `undefined` for those that are not understood, which `not` may cause. */
const validators = new WeakMap<object, { readonly validator: StandardSchema | undefined }>();

function validatorOf(schema: StandardSchema | JsonSchema): StandardSchema | undefined {
  if ('~standard' in schema) return schema as StandardSchema;
  const known = validators.get(schema);
  if (known !== undefined) return known.validator;
  let validator: StandardSchema | undefined;
  try {
    validator = plainValidator(schema);
  } catch {
    // The model was given the schema, and the tool checks what it must.
  }
  validators.set(schema, { validator });
  return validator;
}

export type ValidInput =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly issues: string };

/**
 * The input as the tool gets it. The engine has validated what is in `toolCalls` against Standard Schemas; this is for
 * plain JSON Schema, and for calls that are read from a state.
 */
export async function validInput(tool: RunnableTool, call: ToolCallPart): Promise<ValidInput> {
  if (call.invalid === true) return { ok: false, issues: 'it is not valid JSON' };
  const validator = validatorOf(tool.inputSchema);
  if (validator === undefined) return { ok: true, value: call.input };
  const result = await validator['~standard'].validate(call.input);
  if (result.issues !== undefined) {
    const issues = result.issues.map(({ path = [], message }) => {
      const steps = path.map((step) => String(typeof step === 'object' ? step.key : step));
      return steps.length === 0 ? message : `${steps.join('.')}: ${message}`;
    });
    return { ok: false, issues: issues.join('; ') };
  }
  // Plain JSON Schema converts nothing.
  return { ok: true, value: '~standard' in tool.inputSchema ? result.value : call.input };
}
