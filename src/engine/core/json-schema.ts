import * as z from 'zod';
import { isSignalboxError, SignalboxError } from '../../errors.ts';
import { shortened } from '../../internal/quoted.ts';
import type { JsonSchema } from '../../protocol/json.ts';
import type { StandardIssue, StandardSchema } from '../../protocol/standard-schema.ts';
import { checkJson } from './check-json.ts';

export function isStandardSchema(schema: StandardSchema | JsonSchema): schema is StandardSchema {
  return '~standard' in schema;
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? shortened(cause.message, 500) : 'unknown reason';
}

/** A function is a schema only where it is a Standard Schema, and a list is none at all. */
function checkPlain(schema: JsonSchema, path: string): void {
  if (typeof schema === 'object' && !Array.isArray(schema)) {
    checkJson(schema, path);
    return;
  }
  throw new SignalboxError(
    'config',
    `${path}: must be a Standard Schema (such as zod's) or a JSON Schema object`,
  );
}

/** What a Standard Schema is used for here: to check values, and to become JSON Schema. */
function standardOf(schema: StandardSchema, path: string): StandardSchema['~standard'] {
  const standard: unknown = schema['~standard'];
  const isStandard =
    typeof standard === 'object' &&
    standard !== null &&
    typeof Reflect.get(standard, 'validate') === 'function';
  if (isStandard) return schema['~standard'];
  throw new SignalboxError(
    'config',
    `${path}: its "~standard" is not that of a Standard Schema, which has a function "validate"`,
  );
}

/**
 * The schema as plain JSON Schema, for the vendor.
 * @throws SignalboxError `config` when a Standard Schema cannot tell itself as JSON Schema.
 */
export function toJsonSchema(schema: StandardSchema | JsonSchema, path: string): JsonSchema {
  if (!isStandardSchema(schema)) {
    checkPlain(schema, path);
    return schema;
  }
  const { jsonSchema, vendor } = standardOf(schema, path);
  if (jsonSchema === undefined) {
    throw new SignalboxError(
      'config',
      `${path}: this ${vendor} schema has no JSON Schema form; use a version that has Standard JSON Schema (zod 4.2 or later), or pass plain JSON Schema`,
    );
  }
  try {
    const { $schema: _dialect, ...plain } = jsonSchema.input({ target: 'draft-2020-12' });
    checkJson(plain, path);
    return plain;
  } catch (cause) {
    if (isSignalboxError(cause)) throw cause;
    throw new SignalboxError(
      'config',
      `${path}: this ${vendor} schema cannot be told as JSON Schema: ${reasonOf(cause)}`,
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
      `${path}: not a JSON Schema that can be checked: ${reasonOf(cause)}`,
      { cause },
    );
  }
}
