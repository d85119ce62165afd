import * as z from 'zod';
import { SignalboxError } from '../errors.ts';
import type { JsonSchema } from '../protocol/json.ts';
import type { StandardIssue, StandardSchema } from '../protocol/standard-schema.ts';

export function isStandardSchema(schema: StandardSchema | JsonSchema): schema is StandardSchema {
  return '~standard' in schema;
}

/**
 * The schema as plain JSON Schema, for the vendor.
 * @throws SignalboxError `config` when a Standard Schema cannot tell itself as JSON Schema.
 */
export function toJsonSchema(schema: StandardSchema | JsonSchema, path: string): JsonSchema {
  if (!isStandardSchema(schema)) return schema;
  const { jsonSchema, vendor } = schema['~standard'];
  if (jsonSchema === undefined) {
    throw new SignalboxError(
      'config',
      `${path}: this ${vendor} schema has no JSON Schema form; use a version that has Standard JSON Schema (zod 4.2 or later), or pass plain JSON Schema`,
    );
  }
  try {
    const { $schema: _dialect, ...plain } = jsonSchema.input({ target: 'draft-2020-12' });
    return plain;
  } catch (cause) {
    throw new SignalboxError(
      'config',
      `${path}: this ${vendor} schema cannot be told as JSON Schema: ${cause instanceof Error ? cause.message : 'unknown reason'}`,
      { cause },
    );
  }
}

function formatIssue(issue: StandardIssue): string {
  const path = (issue.path ?? [])
    .map((step) => (typeof step === 'object' ? step.key : step))
    .map(String)
    .join('.');
  return path === '' ? issue.message : `${path}: ${issue.message}`;
}

export type Checked =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly issues: string };

/**
 * Checks a value against the original schema, never a relaxed one.
 * @throws whatever a transform or refinement of the user's own throws.
 */
export async function checkAgainst(schema: StandardSchema, value: unknown): Promise<Checked> {
  const result = await schema['~standard'].validate(value);
  if (result.issues === undefined) return { ok: true, value: result.value };
  return { ok: false, issues: result.issues.map(formatIssue).join('; ') };
}

/**
 * A validator for plain JSON Schema.
 * @throws SignalboxError `config` for a schema that is not valid or not understood.
 */
export function validatorOf(schema: StandardSchema | JsonSchema, path: string): StandardSchema {
  if (isStandardSchema(schema)) return schema;
  try {
    return z.fromJSONSchema(schema);
  } catch (cause) {
    throw new SignalboxError(
      'config',
      `${path}: not a JSON Schema that can be checked: ${cause instanceof Error ? cause.message : 'unknown reason'}`,
      { cause },
    );
  }
}
