import type { JsonObject, JsonSchema } from '../../protocol/json.ts';
import type { Effort, Reasoning, Tool, ToolChoice } from '../../protocol/request.ts';
import { ClientField } from '../common/client-field.ts';
import type { ClientRequest } from '../common/serve.ts';
import { cacheHint, clientMessages } from './client-content.ts';

const efforts = ['low', 'medium', 'high', 'xhigh', 'max'] as const satisfies readonly Effort[];

/** OpenAI accepts no longer id of a user. */
const maxUserIdLength = 64;

/** The caller's own tools. Those that the vendor runs have another `type`. */
function toolOf(tool: ClientField): Tool<string, JsonSchema> {
  const type = tool.at('type');
  if (!type.isAbsent && type.text() !== 'custom') {
    throw type.problem(
      "tools that Anthropic runs or defines are not supported: use the type 'custom'",
    );
  }
  const description = tool.at('description').maybe((field) => field.text());
  const strict = tool.at('strict').maybe((field) => field.boolean());
  return {
    name: tool.at('name').name(),
    ...(description !== undefined && { description }),
    inputSchema: tool.at('input_schema').json(),
    ...(strict !== undefined && { strict }),
    ...cacheHint(tool),
  };
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
  const effort = body
    .at('output_config')
    .maybe((config) => config.at('effort').maybe((field) => field.oneOf(efforts)));
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

function userIdOf(metadata: ClientField): string | undefined {
  const id = metadata.at('user_id').maybe((field) => field.text());
  if (id === undefined || id === '') return undefined;
  if (id.length <= maxUserIdLength) return id;
  return process.getBuiltinModule('node:crypto').hash('sha256', id);
}

/**
 * Reads a request of a client of the Messages API. Unknown fields are ignored: clients send fields of betas.
 * @throws RequestProblem
 */
export function readMessageRequest(json: JsonObject): ClientRequest {
  const body = new ClientField('', json);
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
      userId: body.at('metadata').maybe(userIdOf),
      ...cacheHint(body),
    },
  };
}
