import type { JsonSchema } from '../../protocol/json.ts';
import type { Effort, Tool } from '../../protocol/request.ts';
import type { ClientField } from './client-field.ts';

/** Readers of options that several wires have. All throw `RequestProblem`. */

const efforts = [
  'none',
  'minimal',
  'low',
  'medium',
  'high',
  'xhigh',
  'max',
] as const satisfies readonly Effort[];

export function effortOf(field: ClientField): Effort {
  return field.oneOf(efforts);
}

/** A function that the model may call. */
export function functionOf(
  definition: ClientField,
  inputSchema: JsonSchema,
): Tool<string, JsonSchema> {
  const description = definition.at('description').maybe((field) => field.text());
  const strict = definition.at('strict').maybe((field) => field.boolean());
  return {
    name: definition.at('name').name(),
    ...(description !== undefined && { description }),
    inputSchema,
    ...(strict !== undefined && { strict }),
  };
}

/** The schema in `parameters`, which OpenAI's clients may leave out. */
export function parametersOf(definition: ClientField): JsonSchema {
  return definition.at('parameters').maybe((field) => field.json()) ?? { type: 'object' };
}

/** OpenAI accepts no longer id of a user. */
const maxUserIdLength = 64;

/** A longer id is sent as its hash: whichever vendor answers must accept it. */
export function userIdOf(field: ClientField): string | undefined {
  const id = field.text();
  if (id === '') return undefined;
  if (id.length <= maxUserIdLength) return id;
  return process.getBuiltinModule('node:crypto').hash('sha256', id);
}
