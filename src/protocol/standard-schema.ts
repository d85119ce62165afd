import type { JsonSchema } from './json.ts';

/**
 * The part of Standard Schema v1 (https://standardschema.dev) that signalbox uses. Accepts schemas of zod, Valibot,
 * ArkType and others without importing them.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
    /** Standard JSON Schema: converts the schema to JSON Schema for the vendor. */
    readonly jsonSchema?:
      | {
          readonly input: (options: { readonly target: 'draft-2020-12' }) => JsonSchema;
        }
      | undefined;
  };
}

export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

export type StandardIssue = {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
};

/** Output type of a Standard Schema. `unknown` for plain JSON Schema. */
export type InferOutput<Schema> =
  Schema extends StandardSchema<infer _Input, infer Output> ? Output : unknown;
