import type { JsonObject, JsonSchema } from '../../protocol/json.ts';
import type { Reasoning, Tool, ToolChoice } from '../../protocol/request.ts';
import { ClientField } from '../common/client-field.ts';
import { effortOf, functionOf, userIdOf } from '../common/client-options.ts';
import type { ClientRequest } from '../common/serve.ts';
import { cacheHint, clientMessages } from './client-messages.ts';

/** The caller's own tools. Those that the vendor runs have another `type`. */
function toolOf(tool: ClientField): Tool<string, JsonSchema> {
  const type = tool.at('type');
  if (!type.isAbsent && type.text() !== 'custom') {
    throw type.problem(
      "tools that Anthropic runs or defines are not supported: use the type 'custom'",
    );
  }
  return { ...functionOf(tool, tool.at('input_schema').json()), ...cacheHint(tool) };
}

function toolChoiceOf(choice: ClientField): ToolChoice {
  const type = choice.at('type').oneOf(['auto', 'any', 'tool', 'none']);
  if (type === 'tool') return { name: choice.at('name').name() };
  return type === 'any' ? 'required' : type;
}

function isParallelOf(choice: ClientField): boolean | undefined {
  const disabled = choice.at('disable_parallel_tool_use').maybe((field) => field.boolean());
  return disabled === undefined ? undefined : !disabled;
}

/** The API returns what the model thinks, unless `display` says otherwise. */
function reasoningOf(body: ClientField): Reasoning | undefined {
  const effort = body.at('output_config').maybe((config) => config.at('effort').maybe(effortOf));
  const sent = effort === undefined ? {} : { effort };
  const thinking = body.at('thinking');
  if (thinking.isAbsent) return effort === undefined ? undefined : sent;
  const type = thinking.at('type').oneOf(['enabled', 'adaptive', 'disabled', 'between_tools']);
  if (type === 'disabled') return { effort: 'none' };
  if (type === 'between_tools') return effort === undefined ? undefined : sent;
  const display = thinking.at('display').maybe((field) => field.text());
  const budgetTokens = thinking.at('budget_tokens').maybe((field) => field.count());
  return {
    ...sent,
    ...(budgetTokens !== undefined && { budgetTokens }),
    include: display !== 'omitted',
  };
}

/** The schema in `output_config.format`, or in `output_format`, its former name. */
function schemaOf(body: ClientField): JsonSchema | undefined {
  const format =
    body.at('output_config').maybe((config) => config.at('format').maybe((field) => field)) ??
    body.at('output_format').maybe((field) => field);
  if (format === undefined) return undefined;
  format.at('type').oneOf(['json_schema']);
  return format.at('schema').json();
}

/** What clients call the options that are read here. */
export const messageFields = {
  messages: 'messages',
  tools: 'tools',
  toolChoice: 'tool_choice',
  parallelToolCalls: 'tool_choice',
  schema: 'output_config',
  maxOutputTokens: 'max_tokens',
  temperature: 'temperature',
  topP: 'top_p',
  topK: 'top_k',
  stop: 'stop_sequences',
  reasoning: 'thinking',
  userId: 'metadata',
  cache: 'cache_control',
} as const satisfies Readonly<Partial<Record<'messages' | keyof ClientRequest['options'], string>>>;

/**
 * Reads a request of a client of the Messages API. Unknown fields are ignored: clients send fields of betas.
 * @throws RequestProblem
 */
export function readMessageRequest(json: JsonObject): ClientRequest {
  const body = new ClientField(json);
  const thread = body.at('thread');
  if (!thread.isAbsent) throw thread.problem('conversations are not kept: send the whole history');
  const choice = body.at('tool_choice');
  return {
    model: body.at('model').name(),
    messages: clientMessages(body),
    stream: body.at('stream').maybe((field) => field.boolean()) ?? false,
    options: {
      tools: body.at('tools').maybe((field) => field.elements().map(toolOf)),
      toolChoice: choice.maybe(toolChoiceOf),
      parallelToolCalls: choice.maybe(isParallelOf),
      schema: schemaOf(body),
      maxOutputTokens: body.at('max_tokens').maybe((field) => field.count()),
      temperature: body.at('temperature').maybe((field) => field.number()),
      topP: body.at('top_p').maybe((field) => field.number()),
      topK: body.at('top_k').maybe((field) => field.count()),
      stop: body.at('stop_sequences').maybe((field) => field.elements().map((each) => each.name())),
      reasoning: reasoningOf(body),
      userId: body.at('metadata').maybe((metadata) => metadata.at('user_id').maybe(userIdOf)),
      ...cacheHint(body),
    },
  };
}
