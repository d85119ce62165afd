/** Any value that `JSON.stringify` preserves. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json };

/** A parsed JSON object of unknown shape. */
export type JsonObject = { readonly [key: string]: unknown };

/** A JSON Schema document. Dialect 2020-12, unless `$schema` specifies another. */
export type JsonSchema = { readonly [keyword: string]: unknown };
