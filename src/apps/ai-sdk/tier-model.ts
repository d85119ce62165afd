import type { CallOptions } from '../../protocol/call-options.ts';
import type { Completion } from '../../protocol/completion.ts';
import type { JsonSchema } from '../../protocol/json.ts';
import type { Message } from '../../protocol/message.ts';
import type { Reasoning, Tool, ToolChoice } from '../../protocol/request.ts';
import type { Router } from '../../protocol/router.ts';
import type { CompletionStream } from '../../protocol/stream-part.ts';
import { contentOf, failureOf, finishReasonOf, metadataOf, usageOf, warningOf } from './answer.ts';
import { checkNames, headerWarnings, mergedOptions, type TierModelOptions } from './options.ts';
import { messagesOf } from './prompt.ts';
import { pulledStream } from './pulled-stream.ts';
import type { FunctionTool, LanguageModelCall, ModelWarning, TierModel } from './specification.ts';
import { modelStreamParts } from './stream-parts.ts';

/** A router without the types of its answers, which the AI SDK does not have. */
type PlainRouter = {
  complete(tier: string, messages: readonly Message[], options: CallOptions): Promise<Completion>;
  stream(tier: string, messages: readonly Message[], options: CallOptions): CompletionStream;
};

type Call = {
  readonly messages: readonly Message[];
  readonly options: CallOptions;
  readonly warnings: ModelWarning[];
};

function toolOf({ name, description, inputSchema, strict, providerOptions }: FunctionTool): Tool {
  return {
    ...{ name, description, strict },
    inputSchema: inputSchema as JsonSchema,
    // Checked by the router: `destructive` and `cache`.
    ...providerOptions?.signalbox,
  };
}

function toolsOf(
  tools: LanguageModelCall['tools'],
  warnings: ModelWarning[],
): readonly Tool[] | undefined {
  const made = tools?.flatMap((tool) => {
    if (tool.type === 'function') return [toolOf(tool)];
    const details = 'A tier has targets of several vendors. Use a tool with a function.';
    warnings.push({ type: 'unsupported', feature: `provider-defined tool ${tool.id}`, details });
    return [];
  });
  return made === undefined || made.length === 0 ? undefined : made;
}

/** The AI SDK always sets `auto`, so that one does not hide the tier's. */
function toolChoiceOf(choice: LanguageModelCall['toolChoice']): ToolChoice | undefined {
  if (choice === undefined || choice.type === 'auto') return undefined;
  return choice.type === 'tool' ? { name: choice.toolName } : choice.type;
}

/** Without a schema, any object: vendors have no other JSON without one. */
function schemaOf(format: LanguageModelCall['responseFormat']): JsonSchema | undefined {
  if (format?.type !== 'json') return undefined;
  const { schema = { type: 'object' }, description } = format;
  return { ...(description !== undefined && { description }), ...schema };
}

function reasoningOf(
  effort: LanguageModelCall['reasoning'],
  configured: Reasoning | undefined,
): Reasoning | undefined {
  if (effort === undefined || effort === 'provider-default') return configured;
  return { ...configured, effort };
}

/** A call of the AI SDK as a call of the router. */
function toCall(call: LanguageModelCall, defaults: TierModelOptions): Call {
  const {
    prompt,
    tools,
    toolChoice,
    responseFormat,
    reasoning,
    stopSequences: stop,
    maxOutputTokens,
    temperature,
    topP,
    topK,
    presencePenalty,
    frequencyPenalty,
    seed,
    abortSignal: signal,
    headers,
    includeRawChunks,
    providerOptions,
    ...rest
  } = call;
  rest satisfies Record<string, never>;
  const warnings: ModelWarning[] = [...headerWarnings(headers)];
  if (includeRawChunks === true) {
    const details = 'Raw chunks of a vendor are not passed on.';
    warnings.push({ type: 'unsupported', feature: 'includeRawChunks', details });
  }
  const configured = mergedOptions('language', defaults, providerOptions);
  const offered = toolsOf(tools, warnings);
  return {
    messages: messagesOf(prompt, (warning) => warnings.push(warning)),
    options: {
      ...configured,
      ...{ maxOutputTokens, temperature, topP, topK, presencePenalty, frequencyPenalty },
      ...{ stop, seed, signal },
      reasoning: reasoningOf(reasoning, configured.reasoning),
      tools: offered,
      toolChoice: offered === undefined ? undefined : toolChoiceOf(toolChoice),
      schema: schemaOf(responseFormat),
    },
    warnings,
  };
}

/**
 * A tier as a language model of the AI SDK (7): for `generateText`, `streamText`, agents and everything else that takes a
 * model. `options` apply to each call; those of one call are in `providerOptions.signalbox`.
 *
 * A failed call throws the router's `SignalboxError`, which the AI SDK does not retry: the router has. A stream that
 * breaks off after its first content yields the error and ends with the finish reason `interrupted`, also in a tier with
 * `midStream: 'restart'`, since the AI SDK cannot take back what was yielded.
 *
 * @throws SignalboxError `config` for an unknown option
 */
export function tierModel<
  Tier extends string,
  Provider extends string,
  Strategy extends string,
  const Name extends Tier,
>(
  router: Router<Tier, Provider, Strategy>,
  tier: Name,
  options: TierModelOptions<NoInfer<Provider>> = {},
): TierModel<Name> {
  checkNames('language', options, 'tierModel()');
  const plain = router as unknown as PlainRouter;
  return {
    specificationVersion: 'v4',
    provider: 'signalbox',
    modelId: tier,
    supportedUrls: { 'image/*': [/^https?:\/\//] },
    async doGenerate(call) {
      const { messages, options: callOptions, warnings } = toCall(call, options);
      let completion: Completion;
      try {
        completion = await plain.complete(tier, messages, callOptions);
      } catch (error) {
        throw failureOf(error, call.abortSignal);
      }
      const { object } = completion;
      return {
        content: contentOf(completion.content),
        ...(object !== undefined && { structuredOutputText: JSON.stringify(object) }),
        finishReason: finishReasonOf(completion),
        usage: usageOf(completion.usage),
        providerMetadata: { signalbox: metadataOf(completion) },
        response: { id: completion.id, modelId: completion.model.served },
        warnings: [...warnings, ...completion.warnings.map(warningOf)],
      };
    },
    async doStream(call) {
      const { messages, options: callOptions, warnings } = toCall(call, options);
      const stream = plain.stream(tier, messages, callOptions);
      try {
        await stream.started;
      } catch (error) {
        throw failureOf(error, call.abortSignal);
      }
      const reader = stream[Symbol.asyncIterator]();
      const parts = { [Symbol.asyncIterator]: () => reader };
      const chunks = modelStreamParts(tier, parts, warnings, call.abortSignal);
      return { stream: pulledStream(chunks, () => reader.return?.()) };
    },
  };
}
