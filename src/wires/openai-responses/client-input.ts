import type {
  FilePart,
  ImagePart,
  Message,
  Opaque,
  Part,
  RefusalPart,
  TextPart,
  ToolCallPart,
  ToolResultPart,
} from '../../protocol/message.ts';
import type { ClientField } from '../common/client-field.ts';
import { toolInputOf } from '../common/client-fields.ts';
import { decodeOpaque } from '../common/client-opaque.ts';
import type { RequestProblem } from '../common/serve.ts';
import { readCallData } from './call-data.ts';

/** The problem with a type that is not accepted. Its word is shown only if it is like a name: it is the client's. */
export function notSupported(type: ClientField, kind: string, hint = ''): RequestProblem {
  const word = type.text();
  const what = /^[\w-]{1,40}$/.test(word) ? `the ${kind} type ${word}` : `this ${kind} type`;
  return type.problem(`${what} is not supported here${hint}`);
}

type Call = { readonly id: string; readonly name: string; opaque?: Opaque } & Pick<
  ToolCallPart,
  'type' | 'input' | 'rawInput' | 'invalid'
>;

/** Reads the items of a request, in order. Neighbours of one side become one message. */
class InputReader {
  readonly messages: Message[] = [];
  readonly #calls = new Map<string, Call>();
  #last: { readonly role: 'assistant' | 'tool'; readonly content: Part[] } | undefined;

  read(item: ClientField): void {
    const type = item.at('type');
    const word = type.isAbsent ? 'message' : type.text();
    if (word === 'message') this.#message(item);
    else if (word === 'function_call') this.#call(item);
    else if (word === 'function_call_output') this.#output(item);
    else if (word === 'reasoning') this.#reasoning(item);
    else if (word === 'item_reference') checkReference(item);
    else throw notSupported(type, 'item');
  }

  #message(item: ClientField): void {
    const role = item.at('role').oneOf(['user', 'assistant', 'system', 'developer']);
    const content = item.at('content');
    if (role === 'assistant') this.#add(role, answerParts(content));
    else if (role === 'user') this.#push({ role, content: partsOf(content) });
    else this.#push({ role: 'system', content: textParts(content) });
  }

  #call(item: ClientField): void {
    const id = item.at('call_id').name();
    const name = item.at('name').name();
    const call: Call = { type: 'tool-call', id, name, ...toolInputOf(item.at('arguments').text()) };
    this.#calls.set(id, call);
    this.#add('assistant', [call]);
  }

  #output(item: ClientField): void {
    const callId = item.at('call_id');
    const id = callId.name();
    const name = this.#calls.get(id)?.name;
    if (name === undefined) throw callId.problem('no function_call before it has this id');
    const output = item.at('output');
    const result: ToolResultPart = {
      type: 'tool-result',
      id,
      name,
      output: typeof output.value === 'string' ? output.value : output.elements().map(contentPart),
    };
    this.#add('tool', [result]);
  }

  #reasoning(item: ClientField): void {
    const data = item.at('encrypted_content').maybe((field) => field.text()) ?? '';
    const { opaque: encoded, callId } = readCallData(data);
    const opaque = decodeOpaque(encoded);
    if (callId !== undefined) {
      const call = this.#calls.get(callId);
      if (call !== undefined && opaque !== undefined) call.opaque = opaque;
      return;
    }
    const text = reasoningText(item.at('summary')) || reasoningText(item.at('content'));
    if (opaque !== undefined) this.#add('assistant', [{ type: 'reasoning', text, opaque }]);
    else if (text !== '') this.#add('assistant', [{ type: 'reasoning', text }]);
  }

  #push(message: Message): void {
    this.#last = undefined;
    this.messages.push(message);
  }

  #add(role: 'assistant' | 'tool', parts: readonly Part[]): void {
    if (this.#last?.role !== role) {
      const message = { role, content: [] };
      this.#push(message);
      this.#last = message;
    }
    for (const part of parts) this.#last?.content.push(part);
  }
}

/**
 * Answers are not stored. Without reasoning a conversation can go on, but not without a message.
 * @throws RequestProblem
 */
function checkReference(item: ClientField): void {
  const id = item.at('id');
  if (id.name().startsWith('rs_')) return;
  throw id.problem(
    'answers are not stored here: send the item itself, as clients do with "store": false',
  );
}

function reasoningText(parts: ClientField): string {
  const texts = parts.maybe((field) => field.elements().map((each) => each.at('text').text()));
  return texts?.join('\n\n') ?? '';
}

function answerPart(part: ClientField): TextPart | RefusalPart {
  const type = part.at('type');
  if (type.value === 'refusal') return { type: 'refusal', text: part.at('refusal').text() };
  if (type.value === 'output_text' || type.value === 'input_text') return textPart(part);
  throw notSupported(type, 'content');
}

function answerParts(content: ClientField): readonly Part[] {
  if (typeof content.value === 'string') return [{ type: 'text', text: content.value }];
  return content.elements().map(answerPart);
}

function textPart(part: ClientField): TextPart {
  return { type: 'text', text: part.at('text').text() };
}

function textParts(content: ClientField): readonly TextPart[] {
  if (typeof content.value === 'string') return [{ type: 'text', text: content.value }];
  return content.elements().map((part) => {
    const type = part.at('type');
    if (type.value !== 'input_text') throw notSupported(type, 'content');
    return textPart(part);
  });
}

function partsOf(content: ClientField): readonly Part[] {
  if (typeof content.value === 'string') return [{ type: 'text', text: content.value }];
  return content.elements().map(contentPart);
}

function contentPart(part: ClientField): TextPart | ImagePart | FilePart {
  const type = part.at('type');
  if (type.value === 'input_text' || type.value === 'output_text') return textPart(part);
  if (type.value === 'input_image') return imagePart(part);
  if (type.value === 'input_file') return filePart(part);
  throw notSupported(type, 'content');
}

function refuseUpload(part: ClientField): void {
  const id = part.at('file_id');
  if (!id.isAbsent) throw id.problem('files are not stored here: send the data, or a URL');
}

const details = { auto: 'auto', low: 'low', high: 'high', original: 'high' } as const;

function imagePart(part: ClientField): ImagePart {
  refuseUpload(part);
  const detail = part
    .at('detail')
    .maybe((field) => field.oneOf(['auto', 'low', 'high', 'original']));
  return {
    type: 'image',
    source: { url: part.at('image_url').url() },
    ...(detail !== undefined && { detail: details[detail] }),
  };
}

function filePart(part: ClientField): FilePart {
  refuseUpload(part);
  const url = part.at('file_url');
  const filename = part.at('filename').maybe((field) => field.text());
  const source = url.isAbsent ? part.at('file_data') : url;
  return {
    type: 'file',
    source: { url: source.url() },
    ...(filename !== undefined && { filename }),
  };
}

/** @throws RequestProblem */
export function clientMessages(body: ClientField): readonly Message[] {
  const reader = new InputReader();
  const instructions = body.at('instructions').maybe((field) => field.text());
  if (instructions !== undefined) reader.messages.push({ role: 'system', content: instructions });
  const input = body.at('input');
  if (typeof input.value === 'string') {
    reader.messages.push({ role: 'user', content: input.value });
  } else {
    for (const item of input.elements()) reader.read(item);
  }
  return reader.messages;
}
