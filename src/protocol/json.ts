/** Any value that survives `JSON.stringify` unchanged. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json };

/** A JSON object, as found on the wire before its shape has been checked. */
export type JsonObject = { readonly [key: string]: unknown };

/** A JSON Schema document. Dialect 2020-12 unless it says otherwise. */
export type JsonSchema = { readonly [keyword: string]: unknown };
