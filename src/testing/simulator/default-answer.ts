import type { ReceivedRequest, RequestedOutput } from '../../wires/common/write.ts';
import type { SimulatedAnswer } from './answer.ts';
import { schemaExample } from './schema-example.ts';

/**
 * The default answer: an object that fits the requested schema, a call of the forced tool, or a short text that names
 * provider and model.
 */
export function defaultAnswer(
  provider: string,
  request: ReceivedRequest,
  { schema, tools, forcedTool }: RequestedOutput,
): SimulatedAnswer {
  if (schema !== undefined) return { text: JSON.stringify(schemaExample(schema)) };
  const tool = forcedTool && (tools.find(({ name }) => name === forcedTool.name) ?? tools[0]);
  if (tool) return { toolCalls: [{ name: tool.name, input: schemaExample(tool.schema) }] };
  return { text: `Simulated answer of ${provider}/${request.model}.` };
}
