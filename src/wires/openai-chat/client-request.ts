import type { JsonObject, JsonSchema } from '../../protocol/json.ts';
import type { Tool, ToolChoice } from '../../protocol/request.ts';
import { ClientField } from '../common/client-field.ts';
import { effortOf, functionOf, parametersOf, userIdOf } from '../common/client-options.ts';
import type { ClientRequest } from '../common/serve.ts';
import { clientMessages } from './client-messages.ts';

function checkForms(body: ClientField): void {
  const count = body.at('n');
  if ((count.maybe((field) => field.number()) ?? 1) !== 1) {
    throw count.problem('only one answer per request is supported');
  }
  for (const name of ['functions', 'function_call']) {
    const field = body.at(name);
    if (!field.isAbsent) throw field.problem('is not supported: use tools');
  }
}

function toolOf(tool: ClientField): Tool<string, JsonSchema> {
  tool.at('type').oneOf(['function']);
  const definition = tool.at('function');
  return functionOf(definition, parametersOf(definition));
}

function toolChoiceOf(choice: ClientField): ToolChoice {
  if (typeof choice.value === 'string') return choice.oneOf(['auto', 'none', 'required']);
  choice.at('type').oneOf(['function']);
  return { name: choice.at('function').at('name').name() };
}

/** The schema of the answer. `json_object` is any object. */
function schemaOf(format: ClientField): JsonSchema | undefined {
  const type = format.at('type').oneOf(['text', 'json_object', 'json_schema']);
  if (type === 'text') return undefined;
  if (type === 'json_object') return { type: 'object' };
  return format.at('json_schema').at('schema').json();
}

/** Most sequences that a vendor accepts, and more. */
const maxStops = 64;

/** Sequences that end an answer: one, or a list. */
function stopOf(stop: ClientField): readonly string[] | undefined {
  if (typeof stop.value === 'string') return [stop.value];
  const list = stop.elements();
  if (list.length > maxStops) throw stop.problem(`must have at most ${maxStops} entries`);
  return list.length === 0 ? undefined : list.map((each) => each.text());
}

function numberIn(body: ClientField, name: string): number | undefined {
  return body.at(name).maybe((field) => field.number());
}

function countIn(body: ClientField, name: string): number | undefined {
  return body.at(name).maybe((field) => field.count());
}

/** What clients call the options that are read here. */
export const chatFields = {
  messages: 'messages',
  tools: 'tools',
  toolChoice: 'tool_choice',
  parallelToolCalls: 'parallel_tool_calls',
  schema: 'response_format',
  maxOutputTokens: 'max_completion_tokens',
  temperature: 'temperature',
  topP: 'top_p',
  frequencyPenalty: 'frequency_penalty',
  presencePenalty: 'presence_penalty',
  stop: 'stop',
  seed: 'seed',
  reasoning: 'reasoning_effort',
  userId: 'user',
} as const satisfies Readonly<Partial<Record<'messages' | keyof ClientRequest['options'], string>>>;

/**
 * Reads a client's request of Chat Completions. Fields that the router has no option for are ignored.
 * @throws RequestProblem
 */
export function readChatRequest(json: JsonObject): ClientRequest {
  const body = new ClientField(json);
  checkForms(body);
  const tools = body.at('tools').maybe((field) => field.elements().map(toolOf)) ?? [];
  const parallelToolCalls = body.at('parallel_tool_calls').maybe((field) => field.boolean());
  return {
    model: body.at('model').name(),
    messages: clientMessages(body),
    stream: body.at('stream').maybe((field) => field.boolean()) ?? false,
    options: {
      ...(tools.length > 0 && { tools, parallelToolCalls }),
      toolChoice: body.at('tool_choice').maybe(toolChoiceOf),
      schema: body.at('response_format').maybe(schemaOf),
      // The newer name wins.
      maxOutputTokens: countIn(body, 'max_completion_tokens') ?? countIn(body, 'max_tokens'),
      temperature: numberIn(body, 'temperature'),
      topP: numberIn(body, 'top_p'),
      frequencyPenalty: numberIn(body, 'frequency_penalty'),
      presencePenalty: numberIn(body, 'presence_penalty'),
      stop: body.at('stop').maybe(stopOf),
      seed: numberIn(body, 'seed'),
      reasoning: body.at('reasoning_effort').maybe((field) => ({ effort: effortOf(field) })),
      userId: body.at('user').maybe(userIdOf),
    },
  };
}
