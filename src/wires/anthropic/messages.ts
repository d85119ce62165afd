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
  ToolResultPart,
} from '../../protocol/message.ts';
import type { ProviderRequest } from '../../protocol/request.ts';
import { isObject } from '../common/read.ts';
import {
  canReplay,
  hoistSystem,
  mergeNeighbours,
  outputParts,
  outputText,
  pairToolResults,
  parseReplayData,
  ToolIds,
  wireMedia,
  withoutBlanks,
  withSoundToolNames,
} from '../common/request.ts';
import type { ClaudeModelSpec } from './models.ts';

type Block = JsonObject;

/** The format of `tool_use.id`: https://platform.claude.com/docs/en/api/messages */
const toolIdRule = {
  accepts: (id: string) => /^[a-zA-Z0-9_-]{1,64}$/.test(id),
  generate: (n: number) => `call_${n}`,
};

const imageTypes = ['image/jpeg', 'image/png', 'image/gif', 'image/webp'];

/** The API has two lifetimes. Other hints get the next longer one. */
export function cacheControl(hint: CacheHint | undefined): JsonObject {
  if (hint === undefined || hint === false) return {};
  const ttl = hint === true ? undefined : hint.ttl;
  return {
    cache_control: {
      type: 'ephemeral',
      ...(ttl !== undefined && { ttl: ttl === '5m' ? '5m' : '1h' }),
    },
  };
}

function unsupported(what: string): SignalboxError {
  return new SignalboxError('unsupported', `Anthropic Messages does not accept ${what}`);
}

function refSource(
  ref: { readonly provider: string; readonly id: string },
  provider: string,
): Block {
  if (ref.provider !== provider) throw unsupported('a file that was uploaded to another provider');
  return { type: 'file', file_id: ref.id };
}

function imageBlock(part: ImagePart | FilePart, provider: string): Block {
  const media = wireMedia(part.source);
  if (media.kind === 'ref') return { type: 'image', source: refSource(media, provider) };
  if (media.kind === 'url') return { type: 'image', source: { type: 'url', url: media.url } };
  if (!imageTypes.includes(media.mediaType))
    throw unsupported(`an image of type ${media.mediaType}`);
  return {
    type: 'image',
    source: { type: 'base64', media_type: media.mediaType, data: media.data },
  };
}

function documentSource(part: FilePart, provider: string): Block {
  const media = wireMedia(part.source);
  if (media.kind === 'ref') return refSource(media, provider);
  if (media.kind === 'url') return { type: 'url', url: media.url };
  if (media.mediaType === 'application/pdf') {
    return { type: 'base64', media_type: media.mediaType, data: media.data };
  }
  if (media.mediaType.startsWith('text/')) {
    const data = Buffer.from(media.data, 'base64').toString('utf8');
    return { type: 'text', media_type: 'text/plain', data };
  }
  throw unsupported(`a file of type ${media.mediaType}`);
}

function mediaBlock(part: ImagePart | FilePart, provider: string): Block {
  const cache = cacheControl(part.cache);
  const isImage =
    part.type === 'image' || wireMedia(part.source).mediaType?.startsWith('image/') === true;
  if (isImage) return { ...imageBlock(part, provider), ...cache };
  return {
    type: 'document',
    source: documentSource(part, provider),
    ...(part.filename !== undefined && { title: part.filename }),
    ...(part.type === 'file' && part.citations === true && { citations: { enabled: true } }),
    ...cache,
  };
}

function textBlock(part: TextPart): Block {
  return { type: 'text', text: part.text, ...cacheControl(part.cache) };
}

function resultBlock(part: ToolResultPart, ids: ToolIds, provider: string): Block {
  const parts = outputParts(part.output);
  const content =
    parts === undefined
      ? outputText(part.output)
      : parts
          .filter((each) => each.type !== 'text' || each.text.trim() !== '')
          .map((each) => (each.type === 'text' ? textBlock(each) : mediaBlock(each, provider)));
  return {
    type: 'tool_result',
    tool_use_id: ids.result(part.id),
    // The API rejects blank text, but accepts a missing `content`.
    ...(content.length > 0 && { content }),
    ...(part.isError === true && { is_error: true }),
    ...cacheControl(part.cache),
  };
}

/**
 * Signed reasoning is sent back unchanged to the provider that issued it. Redacted reasoning also needs the same model.
 */
function reasoningBlock(part: ReasoningPart, request: ProviderRequest): Block | undefined {
  const { opaque } = part;
  if (opaque === undefined || !canReplay(opaque, request, 'anthropic')) return undefined;
  if (opaque.kind === 'signature') {
    return { type: 'thinking', thinking: part.text, signature: opaque.data };
  }
  if (opaque.kind === 'redacted' && opaque.model === request.model) {
    return { type: 'redacted_thinking', data: opaque.data };
  }
  if (opaque.kind !== 'item') return undefined;
  const block: unknown = parseReplayData(opaque);
  return isObject(block) ? block : undefined;
}

function blockOf(part: Part, request: ProviderRequest, ids: ToolIds): Block | undefined {
  switch (part.type) {
    case 'text':
      return textBlock(part);
    case 'refusal':
      return { type: 'text', text: part.text };
    case 'image':
    case 'file':
      return mediaBlock(part, request.provider);
    case 'audio':
      throw unsupported('audio');
    case 'reasoning':
      return reasoningBlock(part, request);
    case 'tool-call': {
      // The API accepts only objects. Invalid arguments are wrapped in one, so that the model sees them.
      const input = isObject(part.input) ? part.input : { input: part.rawInput ?? part.input };
      return { type: 'tool_use', id: ids.call(part.id), name: part.name, input };
    }
    case 'tool-result':
      return resultBlock(part, ids, request.provider);
    default:
      return part satisfies never;
  }
}

/** Later system turns stay if the model accepts them (only after a user turn), else become user turns. */
function adaptSystemTurns(
  messages: readonly NormalMessage[],
  spec: ClaudeModelSpec,
  warnings: Warning[],
): readonly NormalMessage[] {
  return messages.map((message, index) => {
    if (message.role !== 'system') return message;
    const before = messages[index - 1]?.role;
    if (spec.systemTurns && (before === 'user' || before === 'tool')) return message;
    warnings.push({
      code: 'compat',
      message: 'a system message inside the conversation was sent as a user message',
    });
    return { ...message, role: 'user' };
  });
}

/** The API rejects trailing white space in the last assistant turn. */
function trimEnd(blocks: readonly Block[]): readonly Block[] {
  return blocks.map((block, index) =>
    index === blocks.length - 1 && block.type === 'text' && typeof block.text === 'string'
      ? { ...block, text: block.text.trimEnd() }
      : block,
  );
}

export type WireConversation = {
  readonly system: readonly Block[];
  readonly messages: readonly { readonly role: string; readonly content: readonly Block[] }[];
  readonly warnings: readonly Warning[];
};

/**
 * Converts the conversation: system turns separate, alternating turns that start with the user, and the results of each
 * turn's tool calls together.
 * @throws SignalboxError `unsupported` for media the API does not accept, and for a prefilled answer if the model does
 * not accept one; `invalid_request` when there is nothing to send.
 */
export function toMessages(request: ProviderRequest, spec: ClaudeModelSpec): WireConversation {
  const warnings: Warning[] = [];
  const { system, rest } = hoistSystem(withoutBlanks(request.messages));
  const paired = pairToolResults(withSoundToolNames(rest));
  warnings.push(...paired.warnings);
  const ids = new ToolIds(toolIdRule);
  const turns = mergeNeighbours(adaptSystemTurns(paired.messages, spec, warnings), (message) =>
    message.role === 'tool' ? 'user' : message.role,
  );
  const messages = turns
    .map(({ role, content }) => ({
      role,
      content: content
        .map((part) => blockOf(part, request, ids))
        .filter((block) => block !== undefined),
    }))
    .filter(({ content }) => content.length > 0);

  if (messages.length === 0) {
    if (system.length === 0) {
      throw new SignalboxError('invalid_request', 'the conversation is empty: add a user message');
    }
    warnings.push({ code: 'compat', message: 'the system message was sent as a user message' });
    return { system: [], messages: [{ role: 'user', content: system.map(textBlock) }], warnings };
  }
  if (messages[0]?.role === 'assistant') {
    warnings.push({
      code: 'compat',
      message: 'the conversation starts with the assistant; a user message was added before it',
    });
    messages.unshift({ role: 'user', content: [{ type: 'text', text: '(continued)' }] });
  }
  const last = messages.at(-1);
  // A paused turn of server tools also ends with the assistant. It is sent back unchanged.
  const isPrefilled = last?.role === 'assistant' && last.content.at(-1)?.type === 'text';
  if (last !== undefined && isPrefilled) {
    if (!spec.prefill) throw unsupported(`a prefilled answer with ${request.model}`);
    messages[messages.length - 1] = { ...last, content: [...trimEnd(last.content)] };
  }
  return { system: system.map(textBlock), messages, warnings };
}
