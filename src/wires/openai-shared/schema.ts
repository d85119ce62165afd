import type { Warning } from '../../protocol/completion.ts';
import type { JsonSchema } from '../../protocol/json.ts';
import type { NormalTool } from '../../protocol/request.ts';
import { relaxSchema } from '../common/json-schema.ts';
import { guidanceSchema, isStrictCompatible } from '../common/strict-schema.ts';

/** What OpenAI takes as the name of a schema. */
function schemaName(name: string): string {
  return name.replaceAll(/[^a-zA-Z0-9_-]/g, '_').slice(0, 64) || 'answer';
}

function relaxedWarning(param: string, relaxed: readonly string[]): readonly Warning[] {
  if (relaxed.length === 0) return [];
  const message = `the vendor cannot enforce ${relaxed.join(', ')}; the model was told of it instead`;
  return [{ code: 'schema-relaxed', param, message }];
}

function notEnforced(param: string, what: string): Warning {
  return {
    code: 'schema-relaxed',
    param,
    message: `${what} is shown to the model but not enforced by the vendor: that wants objects with all properties required and no others`,
  };
}

/** A JSON Schema as OpenAI's wires carry it. */
export type WireSchema = {
  readonly name: string;
  readonly schema: JsonSchema;
  readonly strict: boolean;
};

/**
 * The schema of the answer: enforced (`strict`) if it can be, else as guidance. OpenAI takes objects only:
 * for any other root, `instruction` puts the schema into words.
 */
export function adaptOutput(output: { readonly name: string; readonly schema: JsonSchema }): {
  readonly format: WireSchema | undefined;
  readonly instruction: string | undefined;
  readonly warnings: readonly Warning[];
} {
  const { schema, relaxed } = relaxSchema(output.schema, 'openai');
  if (schema.type !== 'object') {
    return {
      format: undefined,
      instruction: `Answer with JSON alone, without any other text. It must fit this JSON Schema: ${JSON.stringify(schema)}`,
      warnings: [
        {
          code: 'schema-relaxed',
          param: 'schema',
          message: 'the vendor enforces objects only; the model was told of the schema instead',
        },
      ],
    };
  }
  const strict = isStrictCompatible(schema);
  return {
    format: { name: schemaName(output.name), schema, strict },
    instruction: undefined,
    warnings: [
      ...relaxedWarning('schema', relaxed),
      ...(strict ? [] : [notEnforced('schema', 'the schema')]),
    ],
  };
}

/** A tool as both of OpenAI's wires describe it, enforced where the caller asked for it and it can be. */
export function adaptTool(tool: NormalTool): {
  readonly tool: {
    readonly name: string;
    readonly description?: string;
    readonly parameters: JsonSchema;
    readonly strict: boolean;
  };
  readonly warnings: readonly Warning[];
} {
  const { name, description, inputSchema, strict: wantsStrict, cache: _cache, ...rest } = tool;
  rest satisfies Record<string, never>;
  const strictForm = relaxSchema(inputSchema, 'openai');
  const strict = wantsStrict === true && isStrictCompatible(strictForm.schema);
  const { schema, relaxed } = strict ? strictForm : guidanceSchema(inputSchema);
  const param = `tools.${name}`;
  return {
    tool: {
      name,
      ...(description !== undefined && { description }),
      // OpenAI wants an object with properties even of a tool without parameters.
      parameters: { type: 'object', properties: {}, ...schema },
      strict,
    },
    warnings: [
      ...relaxedWarning(param, relaxed),
      ...(wantsStrict === true && !strict
        ? [notEnforced(param, `the schema of tool "${name}"`)]
        : []),
    ],
  };
}
