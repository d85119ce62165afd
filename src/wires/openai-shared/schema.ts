import type { Warning } from '../../protocol/completion.ts';
import type { JsonSchema } from '../../protocol/json.ts';
import type { NormalTool } from '../../protocol/request.ts';
import { guidanceSchema, isStrictCompatible, relaxSchema } from '../common/json-schema.ts';
import { withObjectRoot } from '../common/root-schema.ts';

/** Replaces characters that OpenAI rejects in the name of a schema. */
function schemaName(name: string): string {
  return name.replaceAll(/[^a-zA-Z0-9_-]/g, '_').slice(0, 64) || 'answer';
}

function relaxedWarning(param: string, relaxed: readonly string[]): readonly Warning[] {
  if (relaxed.length === 0) return [];
  const message = `the vendor cannot enforce ${relaxed.join(', ')}; it was added to the descriptions for the model`;
  return [{ code: 'schema-relaxed', param, message }];
}

function notEnforced(param: string, what: string): Warning {
  return {
    code: 'schema-relaxed',
    param,
    message: `the vendor does not enforce ${what}, it only guides the model: to enforce it, require all properties of every object and allow no others`,
  };
}

/** A JSON Schema in the format of OpenAI's wires. */
export type WireSchema = {
  readonly name: string;
  readonly schema: JsonSchema;
  readonly strict: boolean;
};

/**
 * The schema of the answer, with `strict: true` if OpenAI can enforce it. OpenAI accepts only objects at the root. For
 * any other root, `instruction` is a prompt that contains the schema.
 */
export function adaptOutput(output: { readonly name: string; readonly schema: JsonSchema }): {
  readonly format: WireSchema | undefined;
  readonly instruction: string | undefined;
  readonly warnings: readonly Warning[];
} {
  const root = withObjectRoot(output.schema);
  // A union at the root is not exact as one object, so it is sent in the prompt.
  const given = root.relaxed.length === 0 ? root.schema : output.schema;
  const { schema, relaxed } = relaxSchema(given, 'openai');
  if (schema.type !== 'object' || root.relaxed.length > 0) {
    return {
      format: undefined,
      instruction: `Answer with JSON alone, without any other text. It must fit this JSON Schema: ${JSON.stringify(output.schema)}`,
      warnings: [
        {
          code: 'schema-relaxed',
          param: 'schema',
          message:
            'the vendor enforces only objects without a union at the root; the schema was sent in the prompt',
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

/**
 * A tool in the format of both OpenAI wires. Its schema is enforced if the caller sets `strict` and OpenAI can do it.
 */
export function adaptTool(tool: NormalTool): {
  readonly tool: {
    readonly name: string;
    readonly description?: string;
    readonly parameters: JsonSchema;
    readonly strict: boolean;
  };
  readonly warnings: readonly Warning[];
} {
  const { name, description, inputSchema, strict: wantsStrict, cache: _cache, ...more } = tool;
  const { destructive: _destructive, ...rest } = more;
  rest satisfies Record<string, never>;
  const root = withObjectRoot(inputSchema);
  const strictForm = relaxSchema(root.schema, 'openai');
  const strict = wantsStrict === true && isStrictCompatible(strictForm.schema);
  const { schema, relaxed: inside } = strict ? strictForm : guidanceSchema(root.schema);
  const relaxed = [...root.relaxed, ...inside];
  const param = `tools.${name}`;
  return {
    tool: {
      name,
      ...(description !== undefined && { description }),
      // OpenAI requires an object with properties even for a tool without parameters.
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
