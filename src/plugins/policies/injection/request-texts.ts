import type { Json } from '../../../protocol/json.ts';
import type { FilePart, NormalMessage, ToolResultPart } from '../../../protocol/message.ts';
import type { PluginRequest } from '../../../protocol/plugin.ts';
import type { TextSource } from './rules.ts';

export type RequestText = {
  readonly text: string;
  readonly source: TextSource;
  /** Whether it came after the model's last turn. */
  readonly isNew: boolean;
};

/** Of all texts of a request together, the newest first. The rest is not read. */
const maxCharacters = 200_000;
const maxDepth = 50;

const textual = /^(?:text\/|application\/(?:json|xml|yaml|x-yaml|javascript|xhtml\+xml))/i;

/** The text of a file that contains text. */
function textOfFile({ source }: FilePart): string {
  if (!('data' in source) || !textual.test(source.mediaType)) return '';
  const { data } = source;
  // Four characters of base64 are three bytes.
  const bytes =
    typeof data === 'string'
      ? Buffer.from(data.slice(0, maxCharacters * 2), 'base64')
      : Buffer.from(data.buffer, data.byteOffset, Math.min(data.byteLength, maxCharacters));
  return bytes.toString('utf8');
}

/** All strings in the value, up to `left` characters. */
function stringsIn(value: Json, left: number, depth = 0): string {
  if (typeof value === 'string') return value.slice(0, left);
  if (typeof value !== 'object' || value === null || depth > maxDepth) return '';
  const found: string[] = [];
  let rest = left;
  for (const each of Array.isArray(value) ? value : Object.values(value)) {
    if (rest <= 0) break;
    const text = stringsIn(each, rest, depth + 1);
    rest -= text.length;
    if (text !== '') found.push(text);
  }
  return found.join('\n');
}

function textOfResult({ output }: ToolResultPart): string {
  if (!Array.isArray(output)) return stringsIn(output as Json, maxCharacters);
  const texts = output.map((each) => {
    const isFile =
      typeof each === 'object' && each !== null && 'type' in each && each.type === 'file';
    return isFile && 'source' in each
      ? textOfFile(each as FilePart)
      : stringsIn(each as Json, maxCharacters);
  });
  return texts.join('\n');
}

/** The texts of a message that the model or your application has not written, the last first. */
function* textsOf({ role, content }: NormalMessage): Generator<Omit<RequestText, 'isNew'>> {
  for (const part of content.toReversed()) {
    if (part.type === 'tool-result') yield { text: textOfResult(part), source: 'untrusted' };
    if (part.type === 'file') yield { text: textOfFile(part), source: 'untrusted' };
    if (part.type !== 'text') continue;
    if (role === 'user') yield { text: part.text, source: 'user' };
    if (role === 'tool') yield { text: part.text, source: 'untrusted' };
  }
}

/** What users, tools and documents wrote into the request, the newest first. */
export function* requestTexts(request: PluginRequest): Generator<RequestText> {
  if (request.kind === 'image') {
    yield { text: request.prompt.slice(0, maxCharacters), source: 'user', isNew: true };
  }
  if (request.kind !== 'chat') return;
  let left = maxCharacters;
  let isNew = true;
  for (const message of request.messages.toReversed()) {
    if (message.role === 'assistant') isNew = false;
    for (const { text, source } of textsOf(message)) {
      if (left <= 0) return;
      const read = text.slice(0, left);
      left -= read.length;
      if (read !== '') yield { text: read, source, isNew };
    }
  }
}
