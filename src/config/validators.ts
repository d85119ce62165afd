import { type LinearPattern, linearPattern } from '../internal/linear-pattern.ts';
import { shortened } from '../internal/quoted.ts';
import type { Validators } from '../protocol/config.ts';
import type { StandardSchema } from '../protocol/standard-schema.ts';
import { plainValidator } from '../validation/json-schema.ts';

/** A tier's `validators`, compiled once. */
export type ResolvedValidators = {
  readonly minLength?: number;
  readonly pattern?: { readonly source: string; readonly compiled: LinearPattern };
  readonly jsonSchema?: StandardSchema;
};

/** The message of what `compile` throws. */
function problemOf(compile: () => unknown): string | undefined {
  try {
    compile();
    return undefined;
  } catch (error) {
    return error instanceof Error ? shortened(error.message, 500) : 'unknown reason';
  }
}

/** Why the pattern cannot be used. */
export function patternProblem(pattern: string): string | undefined {
  return problemOf(() => linearPattern(pattern));
}

/** Why answers cannot be checked against the schema. */
export function jsonSchemaProblem(schema: Readonly<Record<string, unknown>>): string | undefined {
  const reason = problemOf(() => plainValidator(schema));
  return reason && `not a JSON Schema that can be checked: ${reason}`;
}

export function resolveValidators({
  minLength,
  pattern,
  jsonSchema,
}: Validators): ResolvedValidators {
  return {
    ...(minLength !== undefined && { minLength }),
    ...(pattern !== undefined && {
      pattern: { source: pattern, compiled: linearPattern(pattern) },
    }),
    ...(jsonSchema !== undefined && { jsonSchema: plainValidator(jsonSchema) }),
  };
}
