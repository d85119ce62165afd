import { defaults } from '../../config/defaults.ts';
import { own } from '../../internal/own.ts';
import type { CallDefaults, CallOptions } from '../../protocol/call-options.ts';
import type { Message, NormalMessage } from '../../protocol/message.ts';
import type { NormalTool, ProviderRequest } from '../../protocol/request.ts';
import { needsOf } from '../../routing/eligible.ts';
import { callProblem } from '../answer/offered-tools.ts';
import { checkOutput, type OutputCheck, outputCheck } from '../answer/output-check.ts';
import type { Asked, Task } from '../core/task.ts';
import { checkToolChoice, normalizeMessages, normalizeTools } from './request.ts';

type Chat = {
  readonly messages: readonly NormalMessage[];
  readonly tools: readonly NormalTool[] | undefined;
  readonly output: OutputCheck;
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

/** The request as the target's adapter gets it; the turns of a repair show a model its own mistake. */
function requestFor({ messages, tools, output }: Chat, asked: Asked): ProviderRequest {
  const { target, options, repair } = asked;
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
    messages: [...system, ...messages, ...repair],
    ...(tools !== undefined && tools.length > 0 && { tools }),
    ...(output.schema !== undefined && {
      output: { name: 'answer', schema: output.schema.plain },
    }),
    ...(extraBody !== undefined && { extraBody }),
  };
}

/**
 * Asks for an answer.
 * @throws SignalboxError `config` for bad messages, tools or schemas.
 */
export function chatTask(
  messages: string | readonly Message[],
  options: CallOptions,
  fallbackOn: readonly string[],
): Task {
  const chat: Chat = {
    messages: normalizeMessages(messages),
    tools: normalizeTools(options.tools),
    output: outputCheck(options, fallbackOn),
  };
  checkToolChoice(options.toolChoice, chat.tools);
  const toolNames = new Set(chat.tools?.map(({ name }) => name));
  return {
    messages: chat.messages,
    needs: needsOf(chat.messages, options),
    transferFor: ({ transfer = defaults.transfer }) => transfer,
    prepare: (provider, asked) => provider.prepare(requestFor(chat, asked)),
    check: (completion) => checkOutput(chat.output, completion),
    callProblem: (name, request) => callProblem(toolNames, name, request),
  };
}
