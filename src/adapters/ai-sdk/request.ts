import type { Warning } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { NormalMessage, Part, ToolResultPart } from '../../protocol/message.ts';
import type { NormalTool, ProviderRequest, ToolChoice } from '../../protocol/request.ts';
import { outputParts, wireMedia } from '../common/media.ts';
import { isOwn, withoutBlanks } from '../common/messages.ts';
import { pairToolResults } from '../common/tool-turns.ts';

export const wire = 'ai-sdk';

type Say = (warning: Warning) => void;

/** The media types that a URL or a reference of ours may leave out. */
const usualTypes = { image: 'image/*', audio: 'audio/*', file: 'application/pdf' } as const;

function filePart(part: Extract<Part, { type: 'image' | 'audio' | 'file' }>): JsonObject {
  const media = wireMedia(part.source);
  const mediaType = media.mediaType ?? usualTypes[part.type];
  const filename = part.type === 'file' && part.filename !== undefined ? part.filename : undefined;
  const data =
    media.kind === 'base64'
      ? { type: 'data', data: media.data }
      : media.kind === 'url'
        ? { type: 'url', url: new URL(media.url) }
        : { type: 'reference', reference: { [media.provider]: media.id } };
  return { type: 'file', data, mediaType, ...(filename !== undefined && { filename }) };
}

function resultPart({ id, name, output, isError }: ToolResultPart): JsonObject {
  const parts = outputParts(output);
  const value = parts?.map((part) =>
    part.type === 'text' ? { type: 'text', text: part.text } : filePart(part),
  );
  const kind = typeof output === 'string' ? 'text' : 'json';
  const told =
    value === undefined
      ? { type: isError === true ? `error-${kind}` : kind, value: output }
      : { type: 'content', value };
  return { type: 'tool-result', toolCallId: id, toolName: name, output: told };
}

/** A part in the AI SDK's words, with its issuer's own data if this is the issuer. */
function partOf(part: Part, request: ProviderRequest, say: Say): readonly JsonObject[] {
  const opaque = 'opaque' in part ? part.opaque : undefined;
  const own =
    opaque !== undefined && isOwn(opaque, request, wire)
      ? { providerOptions: JSON.parse(opaque.data) }
      : {};
  switch (part.type) {
    case 'text':
      return [{ type: 'text', text: part.text, ...own }];
    case 'refusal':
      return [{ type: 'text', text: part.text }];
    case 'reasoning':
      // Reasoning goes back to its issuer only; elsewhere it would be read as something that was said.
      return 'providerOptions' in own ? [{ type: 'reasoning', text: part.text, ...own }] : [];
    case 'tool-call':
      return [
        { type: 'tool-call', toolCallId: part.id, toolName: part.name, input: part.input, ...own },
      ];
    case 'tool-result':
      return [resultPart(part)];
    case 'image':
    case 'audio':
    case 'file':
      return [filePart(part)];
    default:
      say({ code: 'dropped-part', message: 'a part that the AI SDK has no word for' });
      return part satisfies never;
  }
}

function promptOf(request: ProviderRequest, say: Say): readonly JsonObject[] {
  const { messages, warnings } = pairToolResults(withoutBlanks(request.messages));
  for (const warning of warnings) say(warning);
  return messages.map(({ role, content }: NormalMessage) => {
    if (role === 'system') {
      const text = content.map((part) => (part.type === 'text' ? part.text : '')).join('\n\n');
      return { role, content: text };
    }
    return { role, content: content.flatMap((part) => partOf(part, request, say)) };
  });
}

function toolOf({ name, description, inputSchema, strict }: NormalTool): JsonObject {
  return {
    type: 'function',
    name,
    inputSchema,
    ...(description !== undefined && { description }),
    ...(strict !== undefined && { strict }),
  };
}

function choiceOf(choice: ToolChoice): JsonObject {
  return typeof choice === 'string' ? { type: choice } : { type: 'tool', toolName: choice.name };
}

/** The request in the AI SDK's words. `optionsName` is what the model's provider calls its own options. */
export function toCall(
  request: ProviderRequest,
  optionsName: string,
): { readonly call: JsonObject; readonly warnings: readonly Warning[] } {
  const warnings: Warning[] = [];
  const say: Say = (warning) => warnings.push(warning);
  const {
    provider: _provider,
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
  const lacking = { parallelToolCalls, userId, 'reasoning.budgetTokens': reasoning?.budgetTokens };
  for (const [param, value] of Object.entries(lacking)) {
    if (value === undefined) continue;
    const message = `the AI SDK has no option for it; use providerOptions of this provider`;
    say({ code: 'dropped-param', param, message });
  }
  const call = {
    prompt: promptOf(request, say),
    ...(tools !== undefined && { tools: tools.map(toolOf) }),
    ...(toolChoice !== undefined && { toolChoice: choiceOf(toolChoice) }),
    ...(output !== undefined && {
      responseFormat: { type: 'json', name: output.name, schema: output.schema },
    }),
    ...(reasoning?.effort !== undefined && { reasoning: reasoning.effort }),
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
