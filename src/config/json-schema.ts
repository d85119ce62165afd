import * as z from 'zod';
import { routingSchema, target, tier } from './schema.ts';

type Schema = z.core.JSONSchema.BaseSchema;

/** What may stand for the object of these schemas. */
const shortForms: Readonly<Record<string, Schema>> = {
  target: {
    type: 'string',
    pattern: '^[^/]+/.+$',
    description: 'A target: "<provider>/<model>".',
  },
  tier: {
    type: 'array',
    minItems: 1,
    items: { $ref: '#/$defs/target' },
    description: 'A tier: the targets to try.',
  },
};

/** Fields of a document that are for editors and `loadConfig`, not for the router. */
const documentFields: Readonly<Record<string, Schema>> = {
  $schema: { type: 'string', description: 'The address of this schema, for editors.' },
  env: {
    type: 'array',
    items: { type: 'string', pattern: '^[A-Za-z_][A-Za-z0-9_]*$' },
    description: 'The environment variables that the document may use.',
  },
};

/** The JSON Schema of a configuration document, with which editors complete and check it. */
export function configJsonSchema(): object {
  const metadata = z
    .registry<{ id: string }>()
    .add(target, { id: 'target' })
    .add(tier, { id: 'tier' });
  const { $defs = {}, properties, ...schema } = z.toJSONSchema(routingSchema, { metadata });
  const definitions = Object.entries($defs).map(([name, definition]) => {
    const short = Object.hasOwn(shortForms, name) ? shortForms[name] : undefined;
    return [name, short === undefined ? definition : { anyOf: [short, definition] }] as const;
  });
  return {
    ...schema,
    title: 'Configuration of a signalbox router',
    properties: { ...documentFields, ...properties },
    $defs: Object.fromEntries(definitions),
  };
}
