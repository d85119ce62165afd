/** Keywords that vendors reject at the root of a tool's schema: they are sent as a plain object instead. */
const rejectedAtRoot = ['$ref', 'allOf', 'oneOf', 'anyOf', 'enum', 'const', 'not'] as const;

/** The keywords that keep a schema from being a plain object at its root; empty for most schemas. */
export function rootKeywordsOf(schema: object): readonly string[] {
  return rejectedAtRoot.filter((keyword) => keyword in schema);
}
