import type { Warning } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { NormalTool, ProviderRequest } from '../../protocol/request.ts';
import { relaxSchema } from '../common/json-schema.ts';
import { isObject } from '../common/read.ts';
import { adjustedParam, droppedParam, mergeBody } from '../common/request.ts';
import { withObjectRoot } from '../common/root-schema.ts';
import { toContents } from './contents.ts';
import { type GeminiModelSpec, geminiModelSpec, planThinking } from './models.ts';

export type WireRequest = {
  readonly body: JsonObject;
  readonly warnings: readonly Warning[];
};

/** https://ai.google.dev/api/generate-content#generationconfig */
const maxStopSequences = 5;
const maxTemperature = 2;

/** The format of a label's value: https://cloud.google.com/resource-manager/docs/labels-overview#requirements */
const labelValue = /^[a-z0-9_-]{1,63}$/;

function dropped(param: string, why: string): Warning {
  return droppedParam(param, `${param} was dropped: ${why}`);
}

function relaxed(param: string, paths: readonly string[], warnings: Warning[]): void {
  if (paths.length === 0) return;
  warnings.push({
    code: 'schema-relaxed',
    param,
    message: `the vendor does not enforce ${paths.join(', ')}; signalbox checks the answer against them`,
  });
}

/** Converts a tool. The API has no equivalent of `strict` and `cache`. */
function toDeclaration(tool: NormalTool, warnings: Warning[]): JsonObject {
  const { name, description, inputSchema, strict: _strict, cache: _cache, ...more } = tool;
  const { destructive: _destructive, ...rest } = more;
  rest satisfies Record<string, never>;
  const root = withObjectRoot(inputSchema);
  const { schema, relaxed: paths } = relaxSchema(root.schema, 'gemini');
  relaxed(`tools.${name}`, [...root.relaxed, ...paths], warnings);
  // The API rejects an object without properties, so a tool without parameters is sent without a schema.
  const takesNothing = !isObject(schema.properties) || Object.keys(schema.properties).length === 0;
  const isBare = takesNothing && !schema.additionalProperties;
  const isLost = isBare && root.relaxed.length + paths.length > 0;
  const words = [description, isLost ? schema.description : undefined].filter(Boolean);
  return {
    name,
    ...(words.length > 0 && { description: words.join('\n\n') }),
    ...(!isBare && { parametersJsonSchema: schema }),
  };
}

function toToolConfig(choice: ProviderRequest['toolChoice']): JsonObject {
  if (choice === undefined) return {};
  const modes = { auto: 'AUTO', none: 'NONE', required: 'ANY' } as const;
  const functionCallingConfig =
    typeof choice === 'string'
      ? { mode: modes[choice] }
      : { mode: 'ANY', allowedFunctionNames: [choice.name] };
  return { toolConfig: { functionCallingConfig } };
}

type Format = { readonly config: JsonObject; readonly instructions: readonly JsonObject[] };

/** Structured output: enforced if the model supports it, else requested in the prompt. */
function toFormat(
  request: ProviderRequest,
  spec: GeminiModelSpec,
  hasTools: boolean,
  warnings: Warning[],
): Format {
  const { output, toolChoice } = request;
  if (output === undefined) return { config: {}, instructions: [] };
  const isForced = toolChoice === 'required' || typeof toolChoice === 'object';
  const enforced = spec.structuredOutput && (!hasTools || (spec.schemaWithTools && !isForced));
  if (!enforced) {
    const why = hasTools
      ? 'this model does not enforce a schema together with tools'
      : 'this model does not enforce schemas';
    warnings.push(adjustedParam('schema', `${why}; the schema was sent in the prompt`));
    const text = `When you answer, write nothing but one JSON value that this JSON Schema accepts:\n${JSON.stringify(output.schema)}`;
    return { config: {}, instructions: [{ text }] };
  }
  const { schema, relaxed: paths } = relaxSchema(output.schema, 'gemini');
  relaxed('schema', paths, warnings);
  return {
    config: { responseMimeType: 'application/json', responseJsonSchema: schema },
    instructions: [],
  };
}

function toSampling(request: ProviderRequest, warnings: Warning[]): JsonObject {
  const { temperature, topP, topK, frequencyPenalty, presencePenalty, seed } = request;
  const { maxOutputTokens, stop } = request;
  if (temperature !== undefined && temperature > maxTemperature) {
    warnings.push(adjustedParam('temperature', `temperature was lowered to ${maxTemperature}`));
  }
  if (stop !== undefined && stop.length > maxStopSequences) {
    warnings.push(
      adjustedParam('stop', `only the first ${maxStopSequences} stop sequences were sent`),
    );
  }
  return {
    ...(maxOutputTokens !== undefined && { maxOutputTokens }),
    ...(temperature !== undefined && { temperature: Math.min(temperature, maxTemperature) }),
    ...(topP !== undefined && { topP }),
    ...(topK !== undefined && { topK }),
    ...(frequencyPenalty !== undefined && { frequencyPenalty }),
    ...(presencePenalty !== undefined && { presencePenalty }),
    ...(seed !== undefined && { seed }),
    ...(stop !== undefined &&
      stop.length > 0 && { stopSequences: stop.slice(0, maxStopSequences) }),
  };
}

/**
 * Converts the request to the body of the REST API. The model is part of the path, not of the body.
 * @throws SignalboxError `unsupported` or `invalid_request` for a conversation that the API cannot represent.
 */
export function toWireRequest(request: ProviderRequest): WireRequest {
  const {
    provider: _provider,
    key: _key,
    model,
    messages: _messages,
    tools,
    toolChoice,
    parallelToolCalls,
    output: _output,
    reasoning,
    // The API caches implicitly.
    cache: _cache,
    userId,
    maxOutputTokens: _maxOutputTokens,
    temperature: _temperature,
    topP: _topP,
    topK: _topK,
    frequencyPenalty: _frequencyPenalty,
    presencePenalty: _presencePenalty,
    stop: _stop,
    seed: _seed,
    extraBody,
    ...rest
  } = request;
  rest satisfies Record<string, never>;
  const spec = geminiModelSpec(model);
  const warnings: Warning[] = [];

  const conversation = toContents(request, spec);
  warnings.push(...conversation.warnings);
  const requested = tools ?? [];
  const offered = spec.tools ? requested : [];
  if (offered.length < requested.length) {
    warnings.push(dropped('tools', 'this model does not support tools'));
  }
  if (offered.length === 0 && (toolChoice === 'required' || typeof toolChoice === 'object')) {
    warnings.push(dropped('toolChoice', 'there are no tools'));
  }
  if (parallelToolCalls === false && offered.length > 0) {
    warnings.push(
      dropped('parallelToolCalls', 'the model decides how many tools it calls at once'),
    );
  }
  const labelled = userId !== undefined && labelValue.test(userId);
  if (userId !== undefined && !labelled) {
    warnings.push(
      dropped('userId', 'a label may contain only lower-case letters, digits, "_" and "-"'),
    );
  }
  const format = toFormat(request, spec, offered.length > 0, warnings);
  const plan = planThinking(reasoning, spec);
  warnings.push(...plan.warnings);
  const generationConfig = {
    ...toSampling(request, warnings),
    ...format.config,
    ...(plan.thinkingConfig !== undefined && { thinkingConfig: plan.thinkingConfig }),
  };
  const body = {
    ...withInstructions(conversation, format.instructions, spec),
    ...(offered.length > 0 && {
      tools: [{ functionDeclarations: offered.map((tool) => toDeclaration(tool, warnings)) }],
      ...toToolConfig(toolChoice),
    }),
    ...(Object.keys(generationConfig).length > 0 && { generationConfig }),
    ...(labelled && { labels: { user_id: userId } }),
  };
  return { body: mergeBody(body, extraBody), warnings };
}

/** Adds instructions to the system instruction, or to the last turn if the model has no system instruction. */
function withInstructions(
  { system, contents }: ReturnType<typeof toContents>,
  instructions: readonly JsonObject[],
  spec: GeminiModelSpec,
): JsonObject {
  const parts = spec.systemInstruction ? [...system, ...instructions] : system;
  const last = contents.at(-1);
  const moved = spec.systemInstruction || last === undefined ? [] : instructions;
  return {
    contents:
      moved.length === 0 || last === undefined
        ? contents
        : [...contents.slice(0, -1), { ...last, parts: [...last.parts, ...moved] }],
    ...(parts.length > 0 && { systemInstruction: { parts } }),
  };
}
