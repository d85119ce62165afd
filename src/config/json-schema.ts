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

/** Fields of a document that are for editors, `loadConfig` and commands, not for the router. */
const documentFields: Readonly<Record<string, Schema>> = {
  $schema: { type: 'string', description: 'The address of this schema, for editors.' },
  env: {
    type: 'array',
    items: { type: 'string', pattern: '^[A-Za-z_][A-Za-z0-9_]*$' },
    description: 'The environment variables that the document may use.',
  },
  providers: {
    type: 'object',
    description: 'For commands only: `signalbox check`, `explain`, `drill` and `evals`.',
    additionalProperties: {
      type: 'object',
      required: ['type'],
      properties: {
        type: { type: 'string', description: 'The function of the provider, such as "openai".' },
        apiKey: {
          description: 'A reference to a variable that `env` lists.',
          anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' }, minItems: 1 }],
        },
        baseURL: { type: 'string' },
        priceList: { type: 'string', description: "The vendor's name in price lists." },
        compliance: {
          type: 'object',
          additionalProperties: false,
          properties: {
            region: { type: 'string' },
            zeroRetention: { type: 'boolean' },
            noTraining: { type: 'boolean' },
          },
        },
      },
    },
  },
  evals: {
    type: 'object',
    description: 'For commands only: `signalbox evals`. Paths are relative to the document.',
    additionalProperties: false,
    required: ['suites'],
    properties: {
      suites: {
        type: 'array',
        minItems: 1,
        items: { anyOf: [{ type: 'string' }, { type: 'object' }] },
        description: 'Suites, or paths of their files.',
      },
      results: { type: 'string', default: 'evals/results' },
      baseline: { type: 'string', default: 'evals/baseline.json' },
      concurrency: { type: 'integer', minimum: 1 },
    },
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
