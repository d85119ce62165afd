import type {
  CacheHint,
  FilePart,
  ImagePart,
  Media,
  Message,
  Opaque,
  Part,
  TextPart,
  ToolCallPart,
  ToolResultPart,
} from '../../protocol/message.ts';
import type { ClientField } from '../common/client-field.ts';
import { decodeOpaque } from '../common/client-opaque.ts';
import type { RequestProblem } from '../common/serve.ts';
import { readCallReplay } from './call-replay.ts';

/** What the blocks so far say about later ones. */
type Conversation = {
  /** The name of each call, by its id. */
  readonly names: Map<string, string>;
  /** Replay data of the calls of the current message, by their ids. */
  replay: ReadonlyMap<string, Opaque>;
};

/** The hint in a field `cache_control`. Its type is `ephemeral`, with a lifetime. */
export function cacheHint(owner: ClientField): { readonly cache?: CacheHint } {
  const control = owner.at('cache_control');
  if (control.isAbsent) return {};
  const ttl = control.at('ttl').maybe((field) => field.oneOf(['5m', '1h']));
  return { cache: ttl === undefined ? true : { ttl } };
}

function unknownType(type: ClientField, kind: 'block' | 'source'): RequestProblem {
  type.text();
  return type.problem(`a ${kind} of this type is not supported here`);
}

function textPart(block: ClientField): TextPart {
  return { type: 'text', text: block.at('text').text(), ...cacheHint(block) };
}

function imagePart(block: ClientField): ImagePart {
  return { type: 'image', source: imageSource(block.at('source')), ...cacheHint(block) };
}

function imageSource(source: ClientField): Media {
  const type = source.at('type');
  if (type.value === 'url') return { url: source.at('url').url() };
  if (type.value === 'base64') {
    return { data: source.at('data').name(), mediaType: source.at('media_type').name() };
  }
  throw unknownType(type, 'source');
}

function filePart(block: ClientField): FilePart {
  const citations = block.at('citations').maybe((field) => field.at('enabled').maybe(booleanOf));
  return {
    type: 'file',
    source: documentSource(block.at('source')),
    filename: block.at('title').maybe((field) => field.text()),
    ...(citations !== undefined && { citations }),
    ...cacheHint(block),
  };
}

function booleanOf(field: ClientField): boolean {
  return field.boolean();
}

function plainText(text: string): Media {
  return { data: Buffer.from(text), mediaType: 'text/plain' };
}

function documentSource(source: ClientField): Media {
  const type = source.at('type');
  switch (type.value) {
    case 'url':
      return { url: source.at('url').url(), mediaType: 'application/pdf' };
    case 'base64':
      return { data: source.at('data').name(), mediaType: source.at('media_type').name() };
    case 'text':
      return plainText(source.at('data').text());
    case 'content': {
      const content = source.at('content');
      if (typeof content.value === 'string') return plainText(content.value);
      return plainText(content.elements().map(textOnly).join('\n'));
    }
    default:
      throw unknownType(type, 'source');
  }
}

function textOnly(block: ClientField): string {
  const type = block.at('type');
  if (type.value !== 'text') throw unknownType(type, 'block');
  return block.at('text').text();
}

function toolCallPart(block: ClientField, { names, replay }: Conversation): ToolCallPart {
  const id = block.at('id').name();
  const name = block.at('name').name();
  names.set(id, name);
  const opaque = replay.get(id);
  const input = block.at('input').json();
  return { type: 'tool-call', id, name, input, ...(opaque !== undefined && { opaque }) };
}

function toolResultPart(block: ClientField, { names }: Conversation): ToolResultPart {
  const use = block.at('tool_use_id');
  const id = use.name();
  const name = names.get(id);
  if (name === undefined) throw use.problem('no tool_use block before it has this id');
  const isError = block.at('is_error').maybe(booleanOf);
  return {
    type: 'tool-result',
    id,
    name,
    output: toolOutput(block.at('content')),
    ...(isError !== undefined && { isError }),
    ...cacheHint(block),
  };
}

function toolOutput(content: ClientField): ToolResultPart['output'] {
  if (content.isAbsent) return '';
  if (typeof content.value === 'string') return content.value;
  return content.elements().map((block): TextPart | ImagePart | FilePart => {
    const type = block.at('type');
    switch (type.value) {
      case 'text':
        return textPart(block);
      case 'image':
        return imagePart(block);
      case 'document':
        return filePart(block);
      case 'search_result':
        return searchResult(block);
      // The client has loaded the tools that it names.
      case 'tool_reference':
        return { type: 'text', text: `Tool ${block.at('tool_name').name()} is available.` };
      default:
        throw unknownType(type, 'block');
    }
  });
}

function searchResult(block: ClientField): TextPart {
  const lines = [
    block.at('title').text(),
    block.at('source').text(),
    ...block.at('content').elements().map(textOnly),
  ];
  return { type: 'text', text: lines.join('\n'), ...cacheHint(block) };
}

/** Reasoning without replay data of ours is that of another API: no vendor takes it back. */
function reasoningPart(text: string, data: unknown): readonly Part[] {
  const opaque = decodeOpaque(data);
  return opaque === undefined ? [] : [{ type: 'reasoning', text, opaque }];
}

function partsOf(block: ClientField, conversation: Conversation): readonly Part[] {
  const type = block.at('type');
  switch (type.value) {
    case 'text':
      return [textPart(block)];
    case 'image':
      return [imagePart(block)];
    case 'document':
      return [filePart(block)];
    case 'search_result':
      return [searchResult(block)];
    case 'tool_use':
      return [toolCallPart(block, conversation)];
    case 'tool_result':
      return [toolResultPart(block, conversation)];
    case 'thinking':
      return reasoningPart(block.at('thinking').text(), block.at('signature').value);
    case 'redacted_thinking':
      return reasoningPart('', block.at('data').value);
    default:
      throw unknownType(type, 'block');
  }
}

/** The replay data of the calls in a message, which is in blocks next to them. */
function replayOf(blocks: readonly ClientField[]): ReadonlyMap<string, Opaque> {
  const replay = new Map<string, Opaque>();
  for (const block of blocks) {
    if (block.at('type').value !== 'redacted_thinking') continue;
    const { value } = block.at('data');
    const found = typeof value === 'string' ? readCallReplay(value) : undefined;
    const opaque = decodeOpaque(found?.opaque);
    if (found !== undefined && opaque !== undefined) replay.set(found.id, opaque);
  }
  return replay;
}

/** Tool results of a user's message are messages of their own. */
function splitResults(parts: readonly Part[]): readonly Message[] {
  const messages: { readonly role: 'user' | 'tool'; readonly content: Part[] }[] = [];
  for (const part of parts) {
    const role = part.type === 'tool-result' ? 'tool' : 'user';
    const last = messages.at(-1);
    if (last?.role === role) last.content.push(part);
    else messages.push({ role, content: [part] });
  }
  return messages;
}

function messagesOf(message: ClientField, conversation: Conversation): readonly Message[] {
  const role = message.at('role').oneOf(['user', 'assistant', 'system']);
  const content = message.at('content');
  if (typeof content.value === 'string') return [{ role, content: content.value }];
  if (role === 'system') return [{ role, content: content.elements().map(systemPart) }];
  const blocks = content.elements();
  conversation.replay = replayOf(blocks);
  const parts = blocks.flatMap((block) => partsOf(block, conversation));
  return role === 'user' ? splitResults(parts) : [{ role, content: parts }];
}

function systemPart(block: ClientField): TextPart {
  const type = block.at('type');
  if (type.value !== 'text') throw unknownType(type, 'block');
  return textPart(block);
}

/** The messages of a request, with its system prompt. */
export function clientMessages(body: ClientField): readonly Message[] {
  const system = body.at('system').maybe((field): Message => {
    const { value } = field;
    const content = typeof value === 'string' ? value : field.elements().map(systemPart);
    return { role: 'system', content };
  });
  const conversation: Conversation = { names: new Map(), replay: new Map() };
  const messages = body
    .at('messages')
    .elements()
    .flatMap((message) => messagesOf(message, conversation));
  const all = system === undefined ? messages : [system, ...messages];
  return all.filter(({ content }) => content.length > 0);
}
