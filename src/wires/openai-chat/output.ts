import type { Warning } from '../../protocol/completion.ts';
import type { JsonObject, JsonSchema } from '../../protocol/json.ts';
import { adaptOutput } from '../openai-shared/schema.ts';
import type { ChatDialect } from './dialect.ts';

/** The schema of the answer: body fields if the vendor supports them, else an instruction for the prompt. */
export type WireOutput = {
  readonly body: JsonObject;
  readonly instruction: string | undefined;
  readonly warnings: readonly Warning[];
};

function schemaInstruction(schema: JsonSchema): string {
  return `Answer with JSON alone, without any other text. It must fit this JSON Schema: ${JSON.stringify(schema)}`;
}

function sentInPrompt(why: string): Warning {
  const message = `${why}; the schema was sent in the prompt`;
  return { code: 'schema-relaxed', param: 'schema', message };
}

export function wireOutput(
  output: { readonly name: string; readonly schema: JsonSchema } | undefined,
  dialect: Pick<ChatDialect, 'structuredOutput' | 'toolsWithResponseFormat'>,
  hasTools: boolean,
): WireOutput {
  if (output === undefined) return { body: {}, instruction: undefined, warnings: [] };
  const { structuredOutput, toolsWithResponseFormat } = dialect;
  if (hasTools && !toolsWithResponseFormat) {
    return {
      body: {},
      instruction: schemaInstruction(output.schema),
      warnings: [sentInPrompt('the vendor does not enforce a schema together with tools')],
    };
  }
  if (structuredOutput !== 'json_schema') {
    const isObject = structuredOutput === 'json_object' && output.schema.type === 'object';
    return {
      body: isObject ? { response_format: { type: 'json_object' } } : {},
      instruction: schemaInstruction(output.schema),
      warnings: [sentInPrompt('the vendor does not enforce schemas')],
    };
  }
  const { format, instruction, warnings } = adaptOutput(output);
  return {
    body:
      format === undefined ? {} : { response_format: { type: 'json_schema', json_schema: format } },
    instruction,
    warnings,
  };
}
