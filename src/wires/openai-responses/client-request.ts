import type { JsonObject, JsonSchema } from '../../protocol/json.ts';
import type { Reasoning, Tool, ToolChoice } from '../../protocol/request.ts';
import { ClientField } from '../common/client-field.ts';
import { effortOf, functionOf, parametersOf, userIdOf } from '../common/client-options.ts';
import type { ClientRequest } from '../common/serve.ts';
import { clientMessages, notSupported } from './client-messages.ts';

/** Features of the API that need stored answers or stored prompts, by their fields. */
const refused = {
  previous_response_id: 'answers are not stored here: send the whole conversation as "input"',
  conversation: 'conversations are not stored here: send the whole conversation as "input"',
  prompt: 'prompts are not stored here: send "instructions" and "input"',
} as const;

function checkStateless(body: ClientField): void {
  for (const [name, message] of Object.entries(refused)) {
    const field = body.at(name);
    if (!field.isAbsent) throw field.problem(message);
  }
  const background = body.at('background');
  if (background.maybe((field) => field.boolean()) === true) {
    throw background.problem('answers are not stored here: use "stream" for long ones');
  }
}

/** The caller's own tools. Others are run by the vendor, or take a text that is not JSON. */
function toolOf(tool: ClientField): Tool<string, JsonSchema> {
  const type = tool.at('type');
  if (type.value !== 'function') throw notSupported(type, 'tool', ': use functions');
  return functionOf(tool, parametersOf(tool));
}

function toolChoiceOf(choice: ClientField): ToolChoice {
  if (typeof choice.value === 'string') return choice.oneOf(['auto', 'none', 'required']);
  const type = choice.at('type');
  if (type.value !== 'function') throw notSupported(type, 'tool_choice');
  return { name: choice.at('name').name() };
}

function schemaOf(format: ClientField): JsonSchema | undefined {
  const type = format.at('type').oneOf(['text', 'json_schema', 'json_object']);
  if (type === 'text') return undefined;
  return type === 'json_object' ? { type: 'object' } : format.at('schema').json();
}

function reasoningOf(reasoning: ClientField): Reasoning {
  const effort = reasoning.at('effort').maybe(effortOf);
  const summary = reasoning.at('summary').maybe((field) => field.text());
  return {
    ...(effort !== undefined && { effort }),
    ...(summary !== undefined && { include: summary !== 'none' }),
  };
}

/** What clients call the options that are read here. */
export const responseFields = {
  messages: 'input',
  tools: 'tools',
  toolChoice: 'tool_choice',
  parallelToolCalls: 'parallel_tool_calls',
  schema: 'text',
  maxOutputTokens: 'max_output_tokens',
  temperature: 'temperature',
  topP: 'top_p',
  reasoning: 'reasoning',
  userId: 'safety_identifier',
} as const satisfies Readonly<Partial<Record<'messages' | keyof ClientRequest['options'], string>>>;

/**
 * Reads a request of a client of the Responses API. Unknown fields are ignored, and so is `store`, which is the default
 * of clients.
 * @throws RequestProblem
 */
export function readResponseRequest(json: JsonObject): ClientRequest {
  const body = new ClientField(json);
  checkStateless(body);
  const tools = body.at('tools').maybe((field) => field.elements().map(toolOf)) ?? [];
  const parallelToolCalls = body.at('parallel_tool_calls').maybe((field) => field.boolean());
  return {
    model: body.at('model').name(),
    messages: clientMessages(body),
    stream: body.at('stream').maybe((field) => field.boolean()) ?? false,
    options: {
      ...(tools.length > 0 && { tools, parallelToolCalls }),
      toolChoice: body.at('tool_choice').maybe(toolChoiceOf),
      schema: body.at('text').maybe((text) => text.at('format').maybe(schemaOf)),
      maxOutputTokens: body.at('max_output_tokens').maybe((field) => field.count()),
      temperature: body.at('temperature').maybe((field) => field.number()),
      topP: body.at('top_p').maybe((field) => field.number()),
      reasoning: body.at('reasoning').maybe(reasoningOf),
      userId: body.at('safety_identifier').maybe(userIdOf) ?? body.at('user').maybe(userIdOf),
    },
  };
}
