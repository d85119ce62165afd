import type { Warning } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { NormalTool, ProviderRequest } from '../../protocol/request.ts';
import { relaxSchema } from '../common/json-schema.ts';
import { cacheControl } from './messages.ts';
import type { ClaudeModelSpec } from './models.ts';
import { adjusted, dropped } from './warnings.ts';

/** The API requires an object at the root. */
function toolSchema(tool: NormalTool, strict: boolean, warnings: Warning[]): JsonObject {
  const schema = { type: 'object', ...tool.inputSchema };
  if (!strict) return schema;
  const { schema: sent, relaxed } = relaxSchema(schema, 'anthropic');
  if (relaxed.length > 0) {
    warnings.push({
      code: 'schema-relaxed',
      param: `tools.${tool.name}`,
      message: `the vendor does not enforce ${relaxed.join(', ')} of tool "${tool.name}"`,
    });
  }
  return sent;
}

/** Converts a tool. Its schema is enforced only if it sets `strict`. */
export function toTool(tool: NormalTool, spec: ClaudeModelSpec, warnings: Warning[]): JsonObject {
  const { name, description, inputSchema, strict, cache, ...rest } = tool;
  rest satisfies Record<string, never>;
  const enforced = strict === true && spec.structuredOutput;
  if (strict === true && !enforced) {
    warnings.push(dropped('tools.strict', 'this model does not enforce schemas'));
  }
  return {
    name,
    ...(description !== undefined && { description }),
    input_schema: toolSchema({ name, inputSchema }, enforced, warnings),
    ...(enforced && { strict: true }),
    ...cacheControl(cache),
  };
}

/** Converts the tool choice. Falls back to `auto` when the model cannot be forced to call a tool. */
export function toToolChoice(
  request: ProviderRequest,
  spec: ClaudeModelSpec,
  thinks: boolean,
  warnings: Warning[],
): JsonObject | undefined {
  const { toolChoice, parallelToolCalls } = request;
  const noParallel = parallelToolCalls === false && { disable_parallel_tool_use: true };
  if (toolChoice === 'none') return { type: 'none' };
  if (toolChoice === undefined || toolChoice === 'auto') {
    return toolChoice === undefined && noParallel === false
      ? undefined
      : { type: 'auto', ...noParallel };
  }
  const cannotForce =
    spec.forcedTools === 'never' || (spec.forcedTools === 'unless-thinking' && thinks);
  if (cannotForce) {
    warnings.push(
      adjusted(
        'toolChoice',
        `${spec.forcedTools === 'never' ? 'this model' : 'a thinking model'} cannot be forced to call a tool; toolChoice was sent as "auto"`,
      ),
    );
    return { type: 'auto', ...noParallel };
  }
  if (toolChoice === 'required') return { type: 'any', ...noParallel };
  return { type: 'tool', name: toolChoice.name, ...noParallel };
}
