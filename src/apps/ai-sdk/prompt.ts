import type { Json } from '../../protocol/json.ts';
import type {
  AudioPart,
  CacheHint,
  FilePart,
  ImagePart,
  Media,
  Message,
  Opaque,
  Part,
  TextPart,
  ToolResultPart,
} from '../../protocol/message.ts';
import type {
  ModelWarning,
  PromptFile,
  PromptMessage,
  PromptPart,
  PromptToolResult,
  ProviderOptions,
} from './specification.ts';

type Warn = (warning: ModelWarning) => void;

/** What a part carries for the router. The router checks it, since it may have been in a browser. */
type Carried = { readonly opaque?: Opaque; readonly cache?: CacheHint };

function carried(options: ProviderOptions | undefined): Carried {
  return (options?.signalbox ?? {}) as Carried;
}

function cacheOf(options: ProviderOptions | undefined): Pick<Carried, 'cache'> {
  const { cache } = carried(options);
  return cache === undefined ? {} : { cache };
}

function opaqueOf(options: ProviderOptions | undefined): Pick<Carried, 'opaque'> {
  const { opaque } = carried(options);
  return opaque === undefined ? {} : { opaque };
}

function unsupportedPart(feature: string): ModelWarning {
  return { type: 'unsupported', feature, details: 'The router has no such part. It was dropped.' };
}

function mediaOf(
  data: Exclude<PromptFile['data'], { type: 'text' }>,
  mediaType: string,
): Media | undefined {
  if (data.type === 'data') return { data: data.data, mediaType };
  if (data.type === 'url') return { url: data.url.href, mediaType };
  const [provider] = Object.entries(data.reference);
  if (provider === undefined) return undefined;
  return { ref: { provider: provider[0], id: provider[1] }, mediaType };
}

/** A file, as the router's part for its media type. The AI SDK may give only the first half of the type. */
function fileOf(
  { data, mediaType, filename, providerOptions }: PromptFile,
  warn: Warn,
): readonly (TextPart | ImagePart | AudioPart | FilePart)[] {
  const cache = cacheOf(providerOptions);
  if (data.type === 'text') return [{ type: 'text', text: data.text, ...cache }];
  const source = mediaOf(data, mediaType.includes('/') ? mediaType : `${mediaType}/*`);
  if (source === undefined) {
    warn(unsupportedPart('a file reference without a provider'));
    return [];
  }
  if (/^image\b/.test(mediaType)) return [{ type: 'image', source, ...cache }];
  if (/^audio\b/.test(mediaType)) return [{ type: 'audio', source }];
  return [{ type: 'file', source, ...(filename !== undefined && { filename }), ...cache }];
}

function contentOutput(
  value: Extract<PromptToolResult['output'], { type: 'content' }>['value'],
  warn: Warn,
): ToolResultPart['output'] {
  const parts = value.flatMap((item): readonly (TextPart | ImagePart | FilePart)[] => {
    if (item.type === 'text') return [{ type: 'text', text: item.text }];
    if (item.type === 'file') {
      return fileOf(item, warn).map((part) =>
        part.type === 'audio' ? { type: 'file', source: part.source } : part,
      );
    }
    warn(unsupportedPart(`a part "${item.type}" of a tool's result`));
    return [];
  });
  return parts.length > 0 ? parts : '';
}

/** The router reads a list of objects with these types as parts. */
const partTypes: readonly unknown[] = ['text', 'image', 'file'] satisfies Part['type'][];

function jsonOutput(value: unknown): Json {
  const looksLikeParts =
    Array.isArray(value) &&
    value.some((each) => partTypes.includes(typeof each === 'object' && each?.type));
  return looksLikeParts ? JSON.stringify(value) : ((value ?? null) as Json);
}

function toolOutput(
  output: PromptToolResult['output'],
  warn: Warn,
): Pick<ToolResultPart, 'output' | 'isError'> {
  switch (output.type) {
    case 'text':
      return { output: output.value };
    case 'json':
      return { output: jsonOutput(output.value) };
    case 'error-text':
      return { output: output.value, isError: true };
    case 'error-json':
      return { output: jsonOutput(output.value), isError: true };
    case 'execution-denied':
      return { output: output.reason ?? 'The user denied this tool call.', isError: true };
    case 'content':
      return { output: contentOutput(output.value, warn) };
    default:
      warn(unsupportedPart("a tool's result of an unknown type"));
      output satisfies never;
      return { output: null };
  }
}

function partOf(part: PromptPart, warn: Warn): readonly Part[] {
  const { providerOptions: options } = part;
  switch (part.type) {
    case 'text':
      return [{ type: 'text', text: part.text, ...opaqueOf(options), ...cacheOf(options) }];
    case 'reasoning':
      return [{ type: 'reasoning', text: part.text, ...opaqueOf(options) }];
    case 'file':
      return fileOf(part, warn);
    case 'tool-call': {
      const { toolCallId: id, toolName: name, input } = part;
      return [{ type: 'tool-call', id, name, input: (input ?? {}) as Json, ...opaqueOf(options) }];
    }
    case 'tool-result': {
      const { toolCallId: id, toolName: name, output } = part;
      return [{ type: 'tool-result', id, name, ...toolOutput(output, warn), ...cacheOf(options) }];
    }
    // Belongs to a tool that a vendor runs: there are none.
    case 'tool-approval-response':
      return [];
    case 'reasoning-file':
    case 'custom':
      warn(unsupportedPart(`a part "${part.type}"`));
      return [];
    default:
      warn(unsupportedPart('a part of an unknown type'));
      return part satisfies never;
  }
}

/** The cache hint of a message applies to its end. */
function withCache(parts: readonly Part[], options: ProviderOptions | undefined): readonly Part[] {
  const { cache } = carried(options);
  const last = parts.at(-1);
  if (cache === undefined || last === undefined) return parts;
  return [...parts.slice(0, -1), { cache, ...last } as Part];
}

/** Converts a prompt of the AI SDK. What the router has no part for is dropped with a warning. */
export function messagesOf(prompt: readonly PromptMessage[], warn: Warn): readonly Message[] {
  return prompt.flatMap((message): readonly Message[] => {
    const { providerOptions } = message;
    if (message.role === 'system') {
      const text: TextPart = { type: 'text', text: message.content, ...cacheOf(providerOptions) };
      return [{ role: 'system', content: [text] }];
    }
    const parts = withCache(
      message.content.flatMap((part) => partOf(part, warn)),
      providerOptions,
    );
    // A result in the answer is that of a call that was denied at once. It belongs behind the answer.
    const content = parts.filter(({ type }) => message.role === 'tool' || type !== 'tool-result');
    const results = parts.filter((part) => !content.includes(part));
    return [
      ...(content.length > 0 ? [{ role: message.role, content }] : []),
      ...(results.length > 0 ? [{ role: 'tool' as const, content: results }] : []),
    ];
  });
}
