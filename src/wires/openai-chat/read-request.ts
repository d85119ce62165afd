import type { JsonObject, JsonSchema } from '../../protocol/json.ts';
import type {
  Message,
  Part,
  ReasoningPart,
  TextPart,
  ToolCallPart,
  ToolResultPart,
} from '../../protocol/message.ts';
import type { Effort, Tool, ToolChoice } from '../../protocol/request.ts';
import {
  imageAt,
  listAt,
  objectAt,
  optionalFlag,
  optionalNumber,
  optionalStops,
  optionalText,
  textAt,
  toolInputOf,
  unsupportedAt,
  wordAt,
} from '../common/client-fields.ts';
import { decodeOpaque } from '../common/client-opaque.ts';
import { isObject, listOf, objectOf, textOf } from '../common/read.ts';
import type { ClientRequest } from '../common/serve.ts';
import { thoughtSignature } from './signatures.ts';

const roles = ['system', 'developer', 'user', 'assistant', 'tool', 'function'] as const;

/** The two formats of `input_audio`, and their media types. */
const audioTypes = { wav: 'audio/wav', mp3: 'audio/mpeg' } as const;

const audioFormats = ['wav', 'mp3'] as const;

function filePart(value: unknown, path: string): Part {
  const file = objectAt(value, path);
  if (textOf(file.file_id) !== undefined) {
    throw unsupportedAt(`${path}.file_id`, 'uploaded files are not supported; send file_data');
  }
  const url = textAt(file.file_data, `${path}.file_data`);
  if (!/^data:/i.test(url.slice(0, 5))) {
    throw unsupportedAt(`${path}.file_data`, 'must be a data: URL with base64');
  }
  const filename = optionalText(file, 'filename', `${path}.filename`);
  return { type: 'file', source: { url }, ...(filename !== undefined && { filename }) };
}

function audioPart(value: unknown, path: string): Part {
  const audio = objectAt(value, path);
  const format = wordAt(audio.format, `${path}.format`, audioFormats);
  const data = textAt(audio.data, `${path}.data`);
  return { type: 'audio', source: { data, mediaType: audioTypes[format] } };
}

/** The parts of a user's content, by their type. */
const readers: Readonly<Record<string, (part: JsonObject, path: string) => Part>> = {
  text: (part, path) => ({ type: 'text', text: textAt(part.text, `${path}.text`) }),
  image_url(part, path) {
    const image = objectAt(part.image_url, `${path}.image_url`);
    return imageAt(image.url, `${path}.image_url.url`, image.detail);
  },
  input_audio: (part, path) => audioPart(part.input_audio, `${path}.input_audio`),
  file: (part, path) => filePart(part.file, `${path}.file`),
  refusal: (part, path) => ({ type: 'refusal', text: textAt(part.refusal, `${path}.refusal`) }),
};

/** The content as parts of these types. @throws RequestProblem */
function contentAt(
  content: unknown,
  path: string,
  types: readonly string[],
): string | readonly Part[] {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) throw unsupportedAt(path, 'must be a string or a list of parts');
  return content.map((each: unknown, index): Part => {
    const at = `${path}[${index}]`;
    const part = objectAt(each, at);
    const type = wordAt(part.type, `${at}.type`, types);
    const read = readers[type];
    if (read === undefined) throw unsupportedAt(`${at}.type`, 'is not supported');
    return read(part, at);
  });
}

/** Text as one string or as parts. @throws RequestProblem */
function textsAt(content: unknown, path: string): string | readonly TextPart[] {
  const parts = contentAt(content, path, ['text']);
  return typeof parts === 'string' ? parts : parts.filter((part) => part.type === 'text');
}

/** Reasoning that comes back with its replay data; without any, its text alone. */
function reasoningOf(message: JsonObject): readonly ReasoningPart[] {
  const signed = listOf(message.reasoning_details).flatMap((each): readonly ReasoningPart[] => {
    const detail = objectOf(each);
    const opaque = decodeOpaque(detail.signature) ?? decodeOpaque(detail.data);
    const text = typeof detail.text === 'string' ? detail.text : '';
    return opaque === undefined ? [] : [{ type: 'reasoning', text, opaque }];
  });
  if (signed.length > 0) return signed;
  const text = textOf(message.reasoning_content) ?? textOf(message.reasoning);
  return text === undefined ? [] : [{ type: 'reasoning', text }];
}

function toolCallAt(value: unknown, path: string): ToolCallPart {
  const call = objectAt(value, path);
  if (call.type === 'custom') throw unsupportedAt(`${path}.type`, 'custom tools are not supported');
  const definition = objectAt(call.function, `${path}.function`);
  const text = textAt(definition.arguments, `${path}.function.arguments`);
  const signature = thoughtSignature(call);
  const opaque = decodeOpaque(signature?.data);
  return {
    type: 'tool-call',
    id: textAt(call.id, `${path}.id`),
    name: textAt(definition.name, `${path}.function.name`),
    ...toolInputOf(text),
    ...(opaque !== undefined && { opaque }),
  };
}

function assistantAt(message: JsonObject, path: string): readonly Part[] {
  const { content, refusal, tool_calls: calls } = message;
  if ((message.function_call ?? null) !== null) {
    throw unsupportedAt(`${path}.function_call`, 'is not supported; use tool_calls');
  }
  const text = content === null || content === undefined ? '' : content;
  const parts = contentAt(text, `${path}.content`, ['text', 'refusal']);
  return [
    ...reasoningOf(message),
    ...(typeof parts === 'string'
      ? parts === ''
        ? []
        : [{ type: 'text', text: parts } as const]
      : parts),
    ...(typeof refusal === 'string' && refusal !== ''
      ? [{ type: 'refusal', text: refusal } as const]
      : []),
    ...(calls === null || calls === undefined
      ? []
      : listAt(calls, `${path}.tool_calls`).map((call, index) =>
          toolCallAt(call, `${path}.tool_calls[${index}]`),
        )),
  ];
}

const userTypes = ['text', 'image_url', 'input_audio', 'file'];

/** `names` has the name of the tool for each id of a call so far. */
function messageAt(value: unknown, path: string, names: Map<string, string>): Message {
  const message = objectAt(value, path);
  const role = wordAt(message.role, `${path}.role`, roles);
  const at = `${path}.content`;
  switch (role) {
    case 'system':
    case 'developer':
      return { role: 'system', content: textsAt(message.content, at) };
    case 'user':
      return { role, content: contentAt(message.content, at, userTypes) };
    case 'assistant': {
      const content = assistantAt(message, path);
      for (const part of content) if (part.type === 'tool-call') names.set(part.id, part.name);
      return { role, content };
    }
    case 'tool': {
      const id = textAt(message.tool_call_id, `${path}.tool_call_id`);
      const output: ToolResultPart['output'] = textsAt(message.content, at);
      const name = names.get(id) ?? 'unknown_tool';
      return { role, content: [{ type: 'tool-result', id, name, output }] };
    }
    case 'function':
      throw unsupportedAt(`${path}.role`, 'functions are not supported; use tools');
    default:
      return role satisfies never;
  }
}

function toolAt(value: unknown, path: string): Tool<string, JsonSchema> {
  const tool = objectAt(value, path);
  if (tool.type !== 'function') throw unsupportedAt(`${path}.type`, 'must be "function"');
  const definition = objectAt(tool.function, `${path}.function`);
  const at = `${path}.function`;
  const description = optionalText(definition, 'description', `${at}.description`);
  const strict = optionalFlag(definition, 'strict', `${at}.strict`);
  return {
    name: textAt(definition.name, `${at}.name`),
    inputSchema: objectAt(definition.parameters ?? {}, `${at}.parameters`),
    ...(description !== undefined && { description }),
    ...(strict !== undefined && { strict }),
  };
}

function toolChoiceAt(choice: unknown): ToolChoice {
  if (!isObject(choice)) return wordAt(choice, 'tool_choice', ['auto', 'none', 'required']);
  if (choice.type !== 'function') {
    throw unsupportedAt('tool_choice.type', 'must be "function"');
  }
  const { name } = objectAt(choice.function, 'tool_choice.function');
  return { name: textAt(name, 'tool_choice.function.name') };
}

/** The schema of the answer. `json_object` is any object. */
function schemaAt(format: unknown): JsonSchema | undefined {
  if (format === undefined || format === null) return undefined;
  const { type, json_schema: named } = objectAt(format, 'response_format');
  const kinds = ['text', 'json_object', 'json_schema'] as const;
  const kind = wordAt(type, 'response_format.type', kinds);
  if (kind === 'text') return undefined;
  if (kind === 'json_object') return { type: 'object' };
  const { schema } = objectAt(named, 'response_format.json_schema');
  return objectAt(schema, 'response_format.json_schema.schema');
}

const efforts = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'] as const;

/** The numbers of the request, and what the router calls them. A later name is the newer one, and wins. */
const numbers = [
  ['max_tokens', 'maxOutputTokens'],
  ['max_completion_tokens', 'maxOutputTokens'],
  ['temperature', 'temperature'],
  ['top_p', 'topP'],
  ['frequency_penalty', 'frequencyPenalty'],
  ['presence_penalty', 'presencePenalty'],
  ['seed', 'seed'],
] as const;

function checkForms(body: JsonObject): void {
  const count = optionalNumber(body, 'n');
  if (count !== undefined && count !== 1) {
    throw unsupportedAt('n', 'only one answer per request is supported');
  }
  if ((body.functions ?? body.function_call ?? null) !== null) {
    throw unsupportedAt('functions', 'is not supported; use tools');
  }
}

/** Reads a client's request of Chat Completions. Fields that the router has no option for are ignored. */
export function readChatRequest(body: JsonObject): ClientRequest {
  checkForms(body);
  const names = new Map<string, string>();
  const list = listAt(body.messages, 'messages');
  if (list.length === 0) throw unsupportedAt('messages', 'must not be empty');
  const messages = list.map((each, index) => messageAt(each, `messages[${index}]`, names));
  const options: {
    -readonly [Name in keyof ClientRequest['options']]: ClientRequest['options'][Name];
  } = {};
  for (const [name, option] of numbers) {
    const value = optionalNumber(body, name);
    if (value !== undefined) options[option] = value;
  }
  const stop = optionalStops(body, 'stop');
  if (stop !== undefined) options.stop = stop;
  const tools = body.tools ?? undefined;
  if (tools !== undefined) {
    const offered = listAt(tools, 'tools').map((each, index) => toolAt(each, `tools[${index}]`));
    if (offered.length > 0) options.tools = offered;
  }
  if ((body.tool_choice ?? null) !== null) options.toolChoice = toolChoiceAt(body.tool_choice);
  const parallel = optionalFlag(body, 'parallel_tool_calls');
  if (parallel !== undefined && options.tools !== undefined) options.parallelToolCalls = parallel;
  const schema = schemaAt(body.response_format);
  if (schema !== undefined) options.schema = schema;
  if ((body.reasoning_effort ?? null) !== null) {
    const effort: Effort = wordAt(body.reasoning_effort, 'reasoning_effort', efforts);
    options.reasoning = { effort };
  }
  const user = optionalText(body, 'user');
  if (user !== undefined && user !== '') options.userId = user;
  return {
    model: textAt(body.model, 'model'),
    messages,
    options,
    stream: optionalFlag(body, 'stream') === true,
  };
}
