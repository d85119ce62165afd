import type {
  Message,
  Part,
  ReasoningPart,
  TextPart,
  ToolCallPart,
  ToolResultPart,
} from '../../protocol/message.ts';
import type { ClientField } from '../common/client-field.ts';
import { decodeOpaque } from '../common/client-opaque.ts';
import { listOf, objectOf, textOf } from '../common/read.ts';
import { thoughtSignature } from './signatures.ts';

const roles = ['system', 'developer', 'user', 'assistant', 'tool', 'function'] as const;

/** The two formats of `input_audio`, and their media types. */
const audioTypes = { wav: 'audio/wav', mp3: 'audio/mpeg' } as const;

function textPart(part: ClientField): TextPart {
  return { type: 'text', text: part.at('text').text() };
}

function imagePart(part: ClientField): Part {
  const image = part.at('image_url');
  const { value: detail } = image.at('detail');
  const known = (['auto', 'low', 'high'] as const).find((each) => each === detail);
  return {
    type: 'image',
    source: image.at('url').source(),
    ...(known !== undefined && { detail: known }),
  };
}

function audioPart(part: ClientField): Part {
  const audio = part.at('input_audio');
  const format = audio.at('format').oneOf(['wav', 'mp3']);
  return {
    type: 'audio',
    source: { data: audio.at('data').name(), mediaType: audioTypes[format] },
  };
}

function filePart(part: ClientField): Part {
  const file = part.at('file');
  const id = file.at('file_id');
  if (!id.isAbsent) throw id.problem('uploaded files are not supported: send file_data');
  const data = file.at('file_data');
  if (!/^data:/i.test(data.text().slice(0, 5)))
    throw data.problem('must be a data: URL with base64');
  const filename = file.at('filename').maybe((field) => field.text());
  return { type: 'file', source: data.source(), ...(filename !== undefined && { filename }) };
}

const userParts = {
  text: textPart,
  image_url: imagePart,
  input_audio: audioPart,
  file: filePart,
} as const;

function userContent(content: ClientField): string | readonly Part[] {
  if (typeof content.value === 'string') return content.value;
  return content
    .elements()
    .map((part) =>
      userParts[part.at('type').oneOf(['text', 'image_url', 'input_audio', 'file'])](part),
    );
}

/** Text as one string or as parts. */
function textContent(content: ClientField): string | readonly TextPart[] {
  if (typeof content.value === 'string') return content.value;
  return content.elements().map((part) => {
    part.at('type').oneOf(['text']);
    return textPart(part);
  });
}

function answerPart(part: ClientField): Part {
  const type = part.at('type').oneOf(['text', 'refusal']);
  if (type === 'text') return textPart(part);
  return { type, text: part.at('refusal').text() };
}

function answerContent(content: ClientField): readonly Part[] {
  const { value } = content;
  if (content.isAbsent || value === '') return [];
  return typeof value === 'string'
    ? [{ type: 'text', text: value }]
    : content.elements().map(answerPart);
}

/** Reasoning that comes back with its replay data; without any, its text alone. */
function reasoningOf(message: ClientField): readonly ReasoningPart[] {
  const fields = message.object();
  const signed = listOf(fields.reasoning_details).flatMap((each): readonly ReasoningPart[] => {
    const detail = objectOf(each);
    const opaque = decodeOpaque(detail.signature) ?? decodeOpaque(detail.data);
    const text = typeof detail.text === 'string' ? detail.text : '';
    return opaque === undefined ? [] : [{ type: 'reasoning', text, opaque }];
  });
  if (signed.length > 0) return signed;
  const text = textOf(fields.reasoning_content) ?? textOf(fields.reasoning);
  return text === undefined ? [] : [{ type: 'reasoning', text }];
}

function toolCallOf(call: ClientField): ToolCallPart {
  const type = call.at('type');
  if (type.value === 'custom') throw type.problem('custom tools are not supported');
  const definition = call.at('function');
  const opaque = decodeOpaque(thoughtSignature(call.object())?.data);
  return {
    type: 'tool-call',
    id: call.at('id').name(),
    name: definition.at('name').name(),
    ...definition.at('arguments').toolInput(),
    ...(opaque !== undefined && { opaque }),
  };
}

function assistantParts(message: ClientField): readonly Part[] {
  const former = message.at('function_call');
  if (!former.isAbsent) throw former.problem('is not supported: use tool_calls');
  const refusal = message.at('refusal').maybe((field) => field.text()) ?? '';
  return [
    ...reasoningOf(message),
    ...answerContent(message.at('content')),
    ...(refusal === '' ? [] : [{ type: 'refusal', text: refusal } as const]),
    ...(message.at('tool_calls').maybe((calls) => calls.elements().map(toolCallOf)) ?? []),
  ];
}

/** `names` has the name of the tool for each id of a call so far. */
function messageOf(message: ClientField, names: Map<string, string>): Message {
  const role = message.at('role').oneOf(roles);
  const content = message.at('content');
  switch (role) {
    case 'system':
    case 'developer':
      return { role: 'system', content: textContent(content) };
    case 'user':
      return { role, content: userContent(content) };
    case 'assistant': {
      const parts = assistantParts(message);
      for (const part of parts) if (part.type === 'tool-call') names.set(part.id, part.name);
      return { role, content: parts };
    }
    case 'tool': {
      const callId = message.at('tool_call_id');
      const id = callId.name();
      const name = names.get(id);
      if (name === undefined) throw callId.problem('no tool call before it has this id');
      const output: ToolResultPart['output'] = textContent(content);
      return { role, content: [{ type: 'tool-result', id, name, output }] };
    }
    case 'function':
      throw message.at('role').problem('functions are not supported: use tools');
    default:
      return role satisfies never;
  }
}

/** @throws RequestProblem */
export function clientMessages(body: ClientField): readonly Message[] {
  const messages = body.at('messages');
  const list = messages.elements();
  if (list.length === 0) throw messages.problem('must not be empty');
  const names = new Map<string, string>();
  return list.map((message) => messageOf(message, names));
}
