import { SignalboxError } from '../../errors.ts';
import type { Warning } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { NormalMessage, Part, ToolResultPart } from '../../protocol/message.ts';
import type { NormalTool, ProviderRequest, ToolChoice } from '../../protocol/request.ts';
import {
  canReplay,
  outputParts,
  pairToolResults,
  wireMedia,
  withoutBlanks,
  withSoundToolNames,
} from '../../wires/common/request.ts';
import { withObjectRoot } from '../../wires/common/root-schema.ts';
import { defaultTypes } from './media-urls.ts';
import type { Specification } from './model.ts';

export const wire = 'ai-sdk';

type Warn = (warning: Warning) => void;

type FilePart = Extract<Part, { type: 'image' | 'audio' | 'file' }>;
type WireMedia = ReturnType<typeof wireMedia>;

function unsupported(what: string, specification: Specification): SignalboxError {
  return new SignalboxError(
    'unsupported',
    `specification ${specification} of the AI SDK does not support ${what}`,
  );
}

function taggedData(media: WireMedia): JsonObject {
  switch (media.kind) {
    case 'base64':
      return { type: 'data', data: media.data };
    case 'url':
      return { type: 'url', url: new URL(media.url) };
    default:
      return { type: 'reference', reference: { [media.provider]: media.id } };
  }
}

/** Before v4, `data` is a base64 string or a URL. */
function bareData(media: WireMedia, specification: Specification): unknown {
  if (media.kind === 'base64') return media.data;
  if (media.kind === 'url') return new URL(media.url);
  throw unsupported("a reference to a vendor's file", specification);
}

/** A file in a prompt. @throws SignalboxError `unsupported` when the specification cannot represent it. */
function promptFile(part: FilePart, specification: Specification): JsonObject {
  const media = wireMedia(part.source);
  const mediaType = media.mediaType ?? defaultTypes[part.type];
  const filename = part.type === 'file' ? part.filename : undefined;
  const data = specification === 'v4' ? taggedData(media) : bareData(media, specification);
  return { type: 'file', data, mediaType, ...(filename !== undefined && { filename }) };
}

/** A file in a tool's result. @throws SignalboxError `unsupported` when the specification cannot represent it. */
function resultFile(part: FilePart, specification: Specification): JsonObject {
  if (specification === 'v4') return promptFile(part, specification);
  const media = wireMedia(part.source);
  const mediaType = media.mediaType ?? defaultTypes[part.type];
  const kind = part.type === 'image' ? 'image' : 'file';
  if (media.kind === 'base64') {
    const type = specification === 'v2' ? 'media' : `${kind}-data`;
    return { type, data: media.data, mediaType };
  }
  if (media.kind === 'url' && specification === 'v3')
    return { type: `${kind}-url`, url: media.url };
  throw unsupported("a file by URL or reference in a tool's result", specification);
}

function resultPart(
  { id, name, output, isError }: ToolResultPart,
  specification: Specification,
): JsonObject {
  const parts = outputParts(output);
  const content = parts?.map((part) =>
    part.type === 'text' ? { type: 'text', text: part.text } : resultFile(part, specification),
  );
  const kind = typeof output === 'string' ? 'text' : 'json';
  const result =
    content === undefined
      ? { type: isError === true ? `error-${kind}` : kind, value: output }
      : { type: 'content', value: content };
  return { type: 'tool-result', toolCallId: id, toolName: name, output: result };
}

/** Converts a part. Replay data is included only for the provider that issued it. */
function partOf(
  part: Part,
  request: ProviderRequest,
  specification: Specification,
  warn: Warn,
): readonly JsonObject[] {
  const opaque = 'opaque' in part ? part.opaque : undefined;
  const own =
    opaque !== undefined && canReplay(opaque, request, wire)
      ? { providerOptions: JSON.parse(opaque.data) }
      : {};
  switch (part.type) {
    case 'text':
      return [{ type: 'text', text: part.text, ...own }];
    case 'refusal':
      return [{ type: 'text', text: part.text }];
    case 'reasoning':
      // Reasoning is sent only to the provider that issued it. Others would read it as part of the answer.
      return 'providerOptions' in own ? [{ type: 'reasoning', text: part.text, ...own }] : [];
    case 'tool-call':
      return [
        { type: 'tool-call', toolCallId: part.id, toolName: part.name, input: part.input, ...own },
      ];
    case 'tool-result':
      return [resultPart(part, specification)];
    case 'image':
    case 'audio':
    case 'file':
      return [promptFile(part, specification)];
    default:
      warn({
        code: 'dropped-part',
        message: 'a part of a type that the AI SDK does not support was dropped',
      });
      return part satisfies never;
  }
}

function promptOf(
  request: ProviderRequest,
  specification: Specification,
  warn: Warn,
): readonly JsonObject[] {
  const { messages, warnings } = pairToolResults(
    withSoundToolNames(withoutBlanks(request.messages)),
  );
  for (const warning of warnings) warn(warning);
  return messages.map(({ role, content }: NormalMessage) => {
    if (role === 'system') {
      const text = content.map((part) => (part.type === 'text' ? part.text : '')).join('\n\n');
      return { role, content: text };
    }
    return { role, content: content.flatMap((part) => partOf(part, request, specification, warn)) };
  });
}

function toolOf({ name, description, inputSchema, strict }: NormalTool, warn: Warn): JsonObject {
  const { schema, relaxed } = withObjectRoot(inputSchema);
  if (relaxed.length > 0) {
    const message = `most vendors reject ${relaxed.join(', ')} at the root of a tool's schema; it was added to the description`;
    warn({ code: 'schema-relaxed', param: `tools.${name}`, message });
  }
  return {
    type: 'function',
    name,
    inputSchema: schema,
    ...(description !== undefined && { description }),
    ...(strict !== undefined && { strict }),
  };
}

function choiceOf(choice: ToolChoice): JsonObject {
  return typeof choice === 'string' ? { type: choice } : { type: 'tool', toolName: choice.name };
}

/**
 * Converts the request to call options of an AI SDK specification. `optionsName` is the key of the model's provider in
 * `providerOptions`.
 */
export function toCall(
  request: ProviderRequest,
  optionsName: string,
  specification: Specification,
): { readonly call: JsonObject; readonly warnings: readonly Warning[] } {
  const warnings: Warning[] = [];
  const warn: Warn = (warning) => warnings.push(warning);
  const {
    provider: _provider,
    key: _key,
    model: _model,
    messages: _messages,
    tools,
    toolChoice,
    parallelToolCalls,
    output,
    reasoning,
    cache: _cache,
    userId,
    extraBody,
    maxOutputTokens,
    temperature,
    topP,
    topK,
    frequencyPenalty,
    presencePenalty,
    stop,
    seed,
    ...rest
  } = request;
  rest satisfies Record<string, never>;
  const hasEffort = specification === 'v4';
  const unsupported = {
    parallelToolCalls,
    userId,
    'reasoning.budgetTokens': reasoning?.budgetTokens,
    ...(!hasEffort && { 'reasoning.effort': reasoning?.effort }),
  };
  for (const [param, value] of Object.entries(unsupported)) {
    if (value === undefined) continue;
    const message =
      "the model's specification has no option for it; use providerOptions of this provider";
    warn({ code: 'dropped-param', param, message });
  }
  const call = {
    prompt: promptOf(request, specification, warn),
    ...(tools !== undefined && { tools: tools.map((tool) => toolOf(tool, warn)) }),
    ...(toolChoice !== undefined && { toolChoice: choiceOf(toolChoice) }),
    ...(output !== undefined && {
      responseFormat: { type: 'json', name: output.name, schema: output.schema },
    }),
    ...(hasEffort && reasoning?.effort !== undefined && { reasoning: reasoning.effort }),
    ...(extraBody !== undefined && { providerOptions: { [optionsName]: extraBody } }),
    ...(maxOutputTokens !== undefined && { maxOutputTokens }),
    ...(temperature !== undefined && { temperature }),
    ...(topP !== undefined && { topP }),
    ...(topK !== undefined && { topK }),
    ...(frequencyPenalty !== undefined && { frequencyPenalty }),
    ...(presencePenalty !== undefined && { presencePenalty }),
    ...(stop !== undefined && { stopSequences: stop }),
    ...(seed !== undefined && { seed }),
  };
  return { call, warnings };
}
