import type { Json } from '../../protocol/json.ts';
import type { FilePart, ImagePart, TextPart } from '../../protocol/message.ts';
import type { ToolOutput } from '../agents/tool.ts';
import { ToolError } from '../agents/tool-error.ts';
import type { CallResult, ContentBlock } from './mcp-client.ts';

/** Longer messages of failures are cut: they are for the model. */
const maxErrorLength = 2_000;

type OutputPart = TextPart | ImagePart | FilePart;

/** The images that every vendor accepts: another one would fail the request that has the result. */
const imageTypes: readonly string[] = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'];

const base64 = /^[A-Za-z0-9+/]+={0,2}$/;

const textPart = (text: string): TextPart => ({ type: 'text', text });

/** The image or the PDF; `undefined` if no vendor can read it. */
function mediaPart(data: string, mediaType: string): ImagePart | FilePart | undefined {
  if (!base64.test(data)) return undefined;
  const source = { data, mediaType };
  if (imageTypes.includes(mediaType)) return { type: 'image', source };
  // The only file that vendors accept in the result of a tool.
  return mediaType === 'application/pdf' ? { type: 'file', source } : undefined;
}

function resourcePart(block: Extract<ContentBlock, { type: 'resource' }>): OutputPart {
  const { uri, mimeType = 'application/octet-stream', ...content } = block.resource;
  if ('text' in content) return textPart(content.text);
  return mediaPart(content.blob, mimeType) ?? textPart(`[${mimeType}, not shown: ${uri}]`);
}

/** Formats that no vendor accepts in the result of a tool are named instead. */
function partOf(block: ContentBlock): OutputPart {
  switch (block.type) {
    case 'text':
      return textPart(block.text);
    case 'image':
      return mediaPart(block.data, block.mimeType) ?? textPart(`[${block.mimeType}, not shown]`);
    case 'audio':
      return textPart(`[${block.mimeType}, not shown]`);
    case 'resource_link':
      return textPart(`${block.name}: ${block.uri}`);
    case 'resource':
      return resourcePart(block);
    default:
      // A block of a later protocol.
      return textPart('[unknown content, not shown]');
  }
}

/** The result without what is not for a model, such as `_meta`. */
function shownOf({ content = [], structuredContent }: CallResult): ToolOutput {
  if (content.length === 0) return (structuredContent ?? null) as Json;
  const parts = content.map(partOf);
  const [first] = parts;
  return parts.length === 1 && first?.type === 'text' ? first.text : parts;
}

function messageOf({ content = [] }: CallResult): string {
  const text = content.flatMap((block) => (block.type === 'text' ? [block.text] : [])).join('\n');
  return text === '' ? 'The tool failed.' : text.slice(0, maxErrorLength);
}

/**
 * The result of a tool of an MCP server, for the model. `content` is what servers write for models; `structuredContent` is
 * used if there is none.
 * @throws ToolError if the tool failed, or if the result has more than `maxBytes`
 */
export function toolOutputOf(result: CallResult, maxBytes: number): ToolOutput {
  if (result.isError === true) throw new ToolError(messageOf(result));
  const output = shownOf(result);
  const size = Buffer.byteLength(JSON.stringify(output));
  if (size <= maxBytes) return output;
  throw new ToolError(`The result has ${size} bytes, more than the ${maxBytes} that are allowed.`);
}

/** The server's answer to a call that it rejected as a whole, such as one with invalid arguments. */
export function rejectionOf(error: unknown): ToolError | undefined {
  const isAnswer = error instanceof Error && 'code' in error && typeof error.code === 'number';
  return isAnswer
    ? new ToolError(error.message.slice(0, maxErrorLength), { cause: error })
    : undefined;
}
