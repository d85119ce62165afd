import { defaults } from '../../config/defaults.ts';
import type { ResolvedTier } from '../../config/resolve.ts';
import { own } from '../../internal/own.ts';
import type { CallDefaults, CallOptions } from '../../protocol/call-options.ts';
import type { JsonSchema } from '../../protocol/json.ts';
import type { Message, NormalMessage } from '../../protocol/message.ts';
import type { NormalTool, ProviderRequest } from '../../protocol/request.ts';
import { needsOf } from '../../routing/plan.ts';
import { callProblem, checkOutput, type OutputCheck, outputCheck } from '../answer/answer-check.ts';
import { otherKind, type TargetRequest, type Task } from '../core/task.ts';
import { checkToolChoice, normalizeMessages, normalizeTools, wellFormed } from './messages.ts';

/** A chat request, checked. */
type Chat = {
  readonly options: CallOptions;
  readonly messages: readonly NormalMessage[];
  readonly tools: readonly NormalTool[] | undefined;
  readonly output: OutputCheck;
  /** The schema of the answer as it is sent. */
  readonly schema: JsonSchema | undefined;
};

const requestKeys = [
  'maxOutputTokens',
  'temperature',
  'topP',
  'topK',
  'frequencyPenalty',
  'presencePenalty',
  'stop',
  'seed',
  'toolChoice',
  'parallelToolCalls',
  'reasoning',
  'cache',
  'userId',
] as const satisfies readonly (keyof CallDefaults & keyof ProviderRequest)[];

function pick<Source extends object, Key extends keyof Source>(
  source: Source,
  keys: readonly Key[],
): Partial<Pick<Source, Key>> {
  const picked: Partial<Pick<Source, Key>> = {};
  for (const key of keys) if (source[key] !== undefined) picked[key] = source[key];
  return picked;
}

const noTools: ReadonlySet<string> = new Set();

/** The request as the target's adapter gets it; the turns of a repair show a model its own mistake. */
function requestFor(
  { messages, tools, schema }: Chat,
  { target, options, repair }: TargetRequest,
): ProviderRequest {
  const system: readonly NormalMessage[] =
    options.system === undefined || options.system === ''
      ? []
      : [{ role: 'system', content: [{ type: 'text', text: options.system }] }];
  const extraBody = own(options.providerOptions ?? {}, target.provider);
  const taken: Partial<ProviderRequest> = pick(options, requestKeys);
  return {
    ...taken,
    provider: target.provider,
    model: target.model,
    ...(target.key !== undefined && { key: target.key }),
    messages: [...system, ...messages, ...repair],
    ...(tools !== undefined && tools.length > 0 && { tools }),
    ...(schema !== undefined && { output: { name: 'answer', schema } }),
    ...(extraBody !== undefined && { extraBody }),
  };
}

function taskOf(chat: Chat): Task {
  const { messages, tools, options, output, schema } = chat;
  checkToolChoice(options.toolChoice, tools);
  const toolNames = tools === undefined ? noTools : new Set(tools.map(({ name }) => name));
  return {
    request: {
      kind: 'chat',
      messages,
      ...(options.system !== undefined && { system: options.system }),
      ...(tools !== undefined && { tools }),
      ...(schema !== undefined && { schema }),
    },
    withRequest(request) {
      if (request.kind !== 'chat') throw otherKind('chat', request);
      const normal = normalizeMessages(request.messages as readonly Message[]);
      const normalTools = normalizeTools(request.tools);
      return taskOf({
        ...chat,
        messages: normal,
        tools: normalTools,
        schema: request.schema ?? chat.schema,
      });
    },
    messages,
    needs: needsOf(messages, { tools, schema: options.schema }),
    transferFor: ({ transfer, wire = defaults.transfer }) => transfer ?? wire,
    prepare: (provider, request) => provider.prepare(wellFormed(requestFor(chat, request))),
    check: (completion) => checkOutput(output, completion),
    callProblem: (name, request) => callProblem(toolNames, name, request),
  };
}

/**
 * The task of an answer.
 * @throws SignalboxError `config` for bad messages, tools or schemas
 */
export function chatTask(
  messages: string | readonly Message[],
  options: CallOptions,
  {
    fallbackOn,
    fallbacks,
    validators,
  }: Pick<ResolvedTier, 'fallbackOn' | 'fallbacks' | 'validators'>,
): Task {
  const codes = fallbacks === undefined ? fallbackOn : [...fallbackOn, ...Object.keys(fallbacks)];
  const output = outputCheck(options, codes, validators);
  return taskOf({
    options,
    messages: normalizeMessages(messages),
    tools: normalizeTools(options.tools),
    output,
    schema: output.schema?.plain,
  });
}
