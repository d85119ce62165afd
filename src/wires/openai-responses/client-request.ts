import type { JsonObject, JsonSchema } from '../../protocol/json.ts';
import type { Effort, Reasoning, Tool, ToolChoice } from '../../protocol/request.ts';
import { ClientField } from '../common/client-field.ts';
import type { ClientRequest } from '../common/serve.ts';
import { clientMessages, notSupported } from './client-input.ts';

const efforts = [
  'none',
  'minimal',
  'low',
  'medium',
  'high',
  'xhigh',
  'max',
] as const satisfies readonly Effort[];

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
  const description = tool.at('description').maybe((field) => field.text());
  const strict = tool.at('strict').maybe((field) => field.boolean());
  return {
    name: tool.at('name').name(),
    ...(description !== undefined && { description }),
    inputSchema: tool.at('parameters').maybe((field) => field.object()) ?? { type: 'object' },
    ...(strict !== undefined && { strict }),
  };
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
  return type === 'json_object' ? { type: 'object' } : format.at('schema').object();
}

function reasoningOf(reasoning: ClientField): Reasoning {
  const effort = reasoning.at('effort').maybe((field) => field.oneOf(efforts));
  const summary = reasoning.at('summary').maybe((field) => field.text());
  return {
    ...(effort !== undefined && { effort }),
    ...(summary !== undefined && { include: summary !== 'none' }),
  };
}

/** OpenAI accepts no longer id of a user. */
const maxUserIdLength = 64;

function userIdOf(field: ClientField): string | undefined {
  const id = field.text();
  if (id.length > maxUserIdLength) {
    throw field.problem(`must have at most ${maxUserIdLength} characters`);
  }
  return id === '' ? undefined : id;
}

/**
 * Reads a request of a client of the Responses API. Unknown fields are ignored, and so is `store`, which is the default
 * of clients.
 * @throws RequestProblem
 */
export function readResponseRequest(json: JsonObject): ClientRequest {
  const body = new ClientField('', json);
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
