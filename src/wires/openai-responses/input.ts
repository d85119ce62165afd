import { SignalboxError } from '../../errors.ts';
import type { Warning } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type {
  CacheHint,
  FilePart,
  ImagePart,
  NormalMessage,
  Part,
  ReasoningPart,
  TextPart,
  ToolCallPart,
  ToolResultPart,
} from '../../protocol/message.ts';
import type { ProviderRequest } from '../../protocol/request.ts';
import { outputParts, outputText, wireMedia } from '../common/media.ts';
import { canReplay } from '../common/messages.ts';
import type { ToolIds } from '../common/tool-ids.ts';
import { cacheBreakpoint } from '../openai-shared/params.ts';
import { readEncryptedReasoning, wire } from './opaque.ts';

/** What is needed to convert the messages of one request. */
export type InputContext = {
  readonly request: ProviderRequest;
  readonly ids: ToolIds;
  /** Whether the model accepts `prompt_cache_breakpoint`. */
  readonly cacheBreakpoints: boolean;
  /** Whether the model can reason. Other models reject reasoning items, even those of the same provider. */
  readonly mayReason: boolean;
  readonly warn: (warning: Warning) => void;
};

function breakpoint(hint: CacheHint | undefined, context: InputContext): JsonObject {
  return context.cacheBreakpoints ? cacheBreakpoint(hint) : {};
}

function unsupported(what: string): SignalboxError {
  return new SignalboxError('unsupported', `openai cannot take ${what}`);
}

/** The id of an uploaded file, which is valid only for the provider it was uploaded to. */
function ownId(
  ref: { readonly provider: string; readonly id: string },
  context: InputContext,
): string {
  if (ref.provider === context.request.provider) return ref.id;
  throw unsupported(`a file that was uploaded to "${ref.provider}"`);
}

function image(part: ImagePart, context: InputContext): JsonObject {
  const media = wireMedia(part.source);
  const source =
    media.kind === 'ref'
      ? { file_id: ownId(media, context) }
      : {
          image_url:
            media.kind === 'url' ? media.url : `data:${media.mediaType};base64,${media.data}`,
        };
  return {
    type: 'input_image',
    detail: part.detail ?? 'auto',
    ...source,
    ...breakpoint(part.cache, context),
  };
}

function file(part: FilePart, context: InputContext): JsonObject {
  const media = wireMedia(part.source);
  const extra = breakpoint(part.cache, context);
  if (media.kind === 'ref') return { type: 'input_file', file_id: ownId(media, context), ...extra };
  if (media.kind === 'url') return { type: 'input_file', file_url: media.url, ...extra };
  const file_data = `data:${media.mediaType};base64,${media.data}`;
  // The API rejects file data without a name.
  return { type: 'input_file', filename: part.filename ?? 'file', file_data, ...extra };
}

function text(part: TextPart, context: InputContext): JsonObject {
  return { type: 'input_text', text: part.text, ...breakpoint(part.cache, context) };
}

function content(part: TextPart | ImagePart | FilePart, context: InputContext): JsonObject {
  if (part.type === 'image') return image(part, context);
  return part.type === 'file' ? file(part, context) : text(part, context);
}

function dropped(part: Part, role: string): Warning {
  return {
    code: 'dropped-part',
    message: `openai does not accept a part of type ${part.type} in a turn with role ${role}; it was dropped`,
  };
}

function userItem(message: NormalMessage, context: InputContext): readonly JsonObject[] {
  const parts = message.content.flatMap((part) => {
    if (part.type === 'text' || part.type === 'image' || part.type === 'file') {
      return [content(part, context)];
    }
    if (part.type === 'audio') throw unsupported('audio on the Responses wire; use openaiChat()');
    context.warn(dropped(part, message.role));
    return [];
  });
  return parts.length === 0 ? [] : [{ role: 'user', content: parts }];
}

function toolCall(part: ToolCallPart, context: InputContext): JsonObject {
  // Invalid arguments are sent back inside valid JSON, because servers parse them.
  const input = part.invalid === true ? { invalid: part.rawInput ?? part.input } : part.input;
  return {
    type: 'function_call',
    call_id: context.ids.call(part.id),
    name: part.name,
    arguments: JSON.stringify(input),
  };
}

function toolResult(part: ToolResultPart, context: InputContext): JsonObject {
  const parts = outputParts(part.output);
  const output = parts?.map((each) => content(each, context)) ?? outputText(part.output);
  return {
    type: 'function_call_output',
    call_id: context.ids.result(part.id),
    // The wire has no flag for failed tool calls.
    output: part.isError === true && typeof output === 'string' ? `Error: ${output}` : output,
  };
}

function reasoning(part: ReasoningPart, context: InputContext): readonly JsonObject[] {
  const { opaque } = part;
  if (opaque === undefined || !context.mayReason || !canReplay(opaque, context.request, wire))
    return [];
  const encrypted = readEncryptedReasoning(opaque);
  if (encrypted === undefined) return [];
  const summary = part.text === '' ? [] : [{ type: 'summary_text', text: part.text }];
  return [{ type: 'reasoning', ...encrypted, summary }];
}

function ownPhase({ opaque }: TextPart, context: InputContext): JsonObject {
  const matches = opaque?.kind === 'item' && canReplay(opaque, context.request, wire);
  return matches ? { phase: opaque.data } : {};
}

function assistantItems(message: NormalMessage, context: InputContext): readonly JsonObject[] {
  const items: JsonObject[] = [];
  for (const part of message.content) {
    if (part.type === 'text') {
      const content = [{ type: 'output_text', text: part.text }];
      items.push({ role: 'assistant', ...ownPhase(part, context), content });
    } else if (part.type === 'refusal') {
      items.push({ role: 'assistant', content: [{ type: 'refusal', refusal: part.text }] });
    } else if (part.type === 'reasoning') {
      items.push(...reasoning(part, context));
    } else if (part.type === 'tool-call') {
      items.push(toolCall(part, context));
    } else {
      context.warn(dropped(part, message.role));
    }
  }
  // The API rejects a reasoning item without the item that follows it.
  const last = items.findLastIndex((item) => item.type !== 'reasoning');
  return items.slice(0, last + 1);
}

/** Converts one turn to input items. Tool calls must already be paired with their results. */
export function inputItems(message: NormalMessage, context: InputContext): readonly JsonObject[] {
  if (message.role === 'assistant') return assistantItems(message, context);
  if (message.role === 'tool') {
    return message.content
      .filter((part) => part.type === 'tool-result')
      .map((part) => toolResult(part, context));
  }
  if (message.role === 'user') return userItem(message, context);
  const parts = message.content
    .filter((part) => part.type === 'text')
    .map((part) => text(part, context));
  return parts.length === 0 ? [] : [{ role: 'developer', content: parts }];
}
