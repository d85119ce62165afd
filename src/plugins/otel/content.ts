import type { Json } from '../../protocol/json.ts';
import type { Media, NormalMessage, Part, ToolResultPart } from '../../protocol/message.ts';
import type { PluginRequest } from '../../protocol/plugin.ts';
import { genAiContent } from './names.ts';

/** Content as OpenTelemetry's JSON schemas have it, without the bytes of images, audio and files. */
type ContentPart = { readonly type: string; readonly [key: string]: Json };

function mediaPart(modality: string, source: Media): ContentPart {
  const mime_type = source.mediaType ?? null;
  if ('url' in source && !source.url.startsWith('data:')) {
    return { type: 'uri', modality, mime_type, uri: source.url };
  }
  if ('ref' in source) return { type: 'file', modality, mime_type, file_id: source.ref.id };
  return { type: 'blob', modality, mime_type };
}

function resultOf({ output }: ToolResultPart): Json {
  if (!Array.isArray(output)) return output as Json;
  return output.map((each) =>
    typeof each === 'object' && each !== null && 'source' in each
      ? contentPart(each as Part)
      : (each as Json),
  );
}

function contentPart(part: Part): ContentPart {
  switch (part.type) {
    case 'text':
    case 'reasoning':
      return { type: part.type, content: part.text };
    case 'refusal':
      return { type: 'text', content: part.text };
    case 'tool-call':
      return { type: 'tool_call', id: part.id, name: part.name, arguments: part.input };
    case 'tool-result':
      return { type: 'tool_call_response', id: part.id, response: resultOf(part) };
    case 'image':
    case 'audio':
      return mediaPart(part.type, part.source);
    case 'file':
      return mediaPart('document', part.source);
  }
}

function messageOf({ role, content }: NormalMessage) {
  return { role, parts: content.map(contentPart) };
}

const asText = (content: string): ContentPart => ({ type: 'text', content });

/** Attributes with the content of a request, as JSON. */
export function requestContent(
  request: PluginRequest,
  {
    system,
    stop,
  }: { readonly system?: string | undefined; readonly stop?: readonly string[] | undefined },
): Record<string, string | string[]> {
  const attributes: Record<string, string | string[]> = {};
  if (stop !== undefined) attributes[genAiContent.stopSequences] = [...stop];
  if (system !== undefined) {
    attributes[genAiContent.systemInstructions] = JSON.stringify([asText(system)]);
  }
  if (request.kind !== 'chat') {
    const texts = request.kind === 'embed' ? request.values : [request.prompt];
    const parts = texts.map(asText);
    attributes[genAiContent.inputMessages] = JSON.stringify([{ role: 'user', parts }]);
    return attributes;
  }
  attributes[genAiContent.inputMessages] = JSON.stringify(request.messages.map(messageOf));
  if (request.tools !== undefined && request.tools.length > 0) {
    const tools = request.tools.map(({ name, description, inputSchema }) => ({
      type: 'function',
      name,
      description,
      parameters: inputSchema,
    }));
    attributes[genAiContent.toolDefinitions] = JSON.stringify(tools);
  }
  return attributes;
}

/** Attributes with the content of an answer, as far as it came. */
export function answerContent(
  content: readonly Part[],
  finishReason: string | undefined,
): Record<string, string> {
  const finish_reason = finishReason ?? 'error';
  const message = { role: 'assistant', parts: content.map(contentPart), finish_reason };
  return { [genAiContent.outputMessages]: JSON.stringify([message]) };
}
