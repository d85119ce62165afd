import { formatPath } from '../../config/problems.ts';
import { isSignalboxError, SignalboxError } from '../../errors.ts';
import { dataFlaws } from '../../internal/caller-data.ts';
import { quoted, shortened } from '../../internal/quoted.ts';
import type { JsonSchema } from '../../protocol/json.ts';
import type { StandardIssue, StandardSchema } from '../../protocol/standard-schema.ts';
import { plainValidator } from '../../validation/json-schema.ts';

export function isStandardSchema(schema: StandardSchema | JsonSchema): schema is StandardSchema {
  return '~standard' in schema;
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? shortened(cause.message, 500) : 'unknown reason';
}

/** Methods of validation libraries. An object with one of them and without `~standard` comes from an old version. */
const validators = ['parse', 'safeParse', 'validate', 'assert', 'decode', 'is'];

/** A function is a schema only if it is a Standard Schema; a list never is. */
function checkPlain(schema: JsonSchema, path: string): void {
  if (typeof schema === 'object' && !Array.isArray(schema)) {
    const method = validators.find((name) => typeof Reflect.get(schema, name) === 'function');
    if (method === undefined) {
      checkJson(schema, path);
      return;
    }
    throw wrong(
      path,
      `has a function ${quoted(method)}, but is not a Standard Schema; use a version of its library that has Standard JSON Schema (zod 4.2 or later), or pass a JSON Schema object`,
    );
  }
  throw new SignalboxError(
    'config',
    `${path}: must be a Standard Schema (such as zod's) or a JSON Schema object`,
  );
}

/** The parts of a Standard Schema that are used here: validation, and conversion to JSON Schema. */
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
 * @throws SignalboxError `config` when a Standard Schema cannot be converted.
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
      `${path}: this ${vendor} schema cannot be converted to JSON Schema: ${reasonOf(cause)}`,
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
 * @throws what a transform or refinement of the user throws
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
    return plainValidator(schema);
  } catch (cause) {
    throw new SignalboxError(
      'config',
      `${path}: not a JSON Schema that can be checked: ${reasonOf(cause)}`,
      { cause },
    );
  }
}

function wrong(path: string, what: string): SignalboxError {
  return new SignalboxError('config', `${path}: ${what}`);
}

/** @throws SignalboxError `config` that names the part of a value that cannot be written as JSON */
export function checkJson(value: unknown, path: string): void {
  const [flaw] = dataFlaws(value);
  if (flaw !== undefined) {
    throw wrong(path, `must be JSON; ${formatPath(flaw.path) || 'it'} ${flaw.message}`);
  }
  let json: unknown;
  try {
    json = JSON.stringify(value);
  } catch (cause) {
    throw new SignalboxError('config', `${path}: must be JSON; this cannot be written as such`, {
      cause,
    });
  }
  if (json === undefined)
    throw wrong(path, 'must be JSON; for a tool that gives nothing, say null');
}
