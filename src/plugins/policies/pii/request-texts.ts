import type { Json, JsonSchema } from '../../../protocol/json.ts';
import type {
  FilePart,
  Media,
  NormalMessage,
  Part,
  ToolResultPart,
} from '../../../protocol/message.ts';
import type { PluginRequest } from '../../../protocol/plugin.ts';
import type { NormalTool } from '../../../protocol/request.ts';

/** Returns a text of a request, changed or not. `label` names what the text is, such as the key of a JSON value. */
export type MapText = (text: string, label?: string) => string;

/** A value without its fields that are unchanged, so that an untouched request stays the same object. */
function changed<Value extends object>(value: Value, changes: Partial<Value>): Value {
  const names = Object.keys(changes) as (keyof Value)[];
  const isSame = names.every((name) => value[name] === changes[name]);
  return isSame ? value : { ...value, ...changes };
}

function mapList<Item>(items: readonly Item[], map: (item: Item) => Item): readonly Item[] {
  const mapped = items.map(map);
  return mapped.every((item, index) => item === items[index]) ? items : mapped;
}

/** All strings of a value, its keys, and numbers that are personal data as a whole. */
export function mapJson(value: Json, map: MapText, label?: string): Json {
  if (typeof value === 'string') return map(value, label);
  if (typeof value === 'number') {
    const text = String(value);
    const mapped = text.length < 7 ? text : map(text, label);
    return mapped === text ? value : mapped;
  }
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return mapList(value, (item: Json) => mapJson(item, map, label));
  const entries = Object.entries(value as Readonly<Record<string, Json>>);
  const mapped = entries.map(([key, item]): [string, Json] => [map(key), mapJson(item, map, key)]);
  const isSame = mapped.every(
    ([key, item], index) => key === entries[index]?.[0] && item === entries[index]?.[1],
  );
  return isSame ? value : Object.fromEntries(mapped);
}

/** Keywords whose values are names or syntax. */
const syntaxKeywords = new Set([
  '$ref',
  '$id',
  '$schema',
  '$anchor',
  'type',
  'format',
  'pattern',
  'required',
]);

/** The texts of a JSON Schema: descriptions, titles, examples, permitted values. */
function mapSchema(schema: JsonSchema, map: MapText): JsonSchema {
  const mapValue = (value: unknown, keyword?: string): unknown => {
    if (keyword !== undefined && syntaxKeywords.has(keyword) && typeof value !== 'object')
      return value;
    if (typeof value === 'string') return map(value);
    if (Array.isArray(value)) {
      return keyword === 'required' || keyword === 'type'
        ? value
        : mapList(value, (item) => mapValue(item));
    }
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value);
    const mapped = entries.map(([key, item]): [string, unknown] => [key, mapValue(item, key)]);
    return mapped.every(([, item], index) => item === entries[index]?.[1])
      ? value
      : Object.fromEntries(mapped);
  };
  return mapValue(schema) as JsonSchema;
}

const textType = /^(?:text\/|application\/(?:json|xml|yaml|x-ndjson|csv|[\w.-]+\+(?:json|xml))\b)/i;

/** The content of a file of text. Its bytes are read as UTF-8. */
function mapMedia(source: Media, map: MapText): Media {
  if (!('data' in source) || !textType.test(source.mediaType)) return source;
  const { data } = source;
  const bytes = typeof data === 'string' ? Buffer.from(data, 'base64') : Buffer.from(data);
  const text = bytes.toString('utf8');
  const mapped = map(text);
  if (mapped === text) return source;
  const result = Buffer.from(mapped, 'utf8');
  return {
    ...source,
    data: typeof data === 'string' ? result.toString('base64') : new Uint8Array(result),
  };
}

function mapFile(part: FilePart, map: MapText): FilePart {
  const { filename } = part;
  return changed<FilePart>(part, {
    source: mapMedia(part.source, map),
    ...(filename !== undefined && { filename: map(filename) }),
  });
}

type ResultPart = Exclude<ToolResultPart['output'], Json>[number];

function isPartList(output: ToolResultPart['output']): output is readonly ResultPart[] {
  const isPart = (item: unknown): boolean => {
    if (typeof item !== 'object' || item === null) return false;
    const type: unknown = Reflect.get(item, 'type');
    if (type === 'text') return typeof Reflect.get(item, 'text') === 'string';
    return (type === 'image' || type === 'file') && typeof Reflect.get(item, 'source') === 'object';
  };
  return Array.isArray(output) && output.length > 0 && output.every(isPart);
}

function mapOutput(output: ToolResultPart['output'], map: MapText): ToolResultPart['output'] {
  return isPartList(output)
    ? (mapList(output, (part) => mapPart(part, map) as ResultPart) as ToolResultPart['output'])
    : mapJson(output as Json, map);
}

/** The texts of a part. What is opaque stays as it is. */
function mapPart(part: Part, map: MapText): Part {
  switch (part.type) {
    case 'text':
    case 'reasoning':
    case 'refusal':
      return changed<typeof part>(part, { text: map(part.text) });
    case 'file':
      return mapFile(part, map);
    case 'tool-call': {
      const { rawInput } = part;
      return changed<typeof part>(part, {
        input: mapJson(part.input, map),
        ...(rawInput !== undefined && { rawInput: map(rawInput) }),
      });
    }
    case 'tool-result':
      return changed<typeof part>(part, { output: mapOutput(part.output, map) });
    case 'image':
    case 'audio':
      return part;
  }
}

function mapTool(tool: NormalTool, map: MapText): NormalTool {
  const { description } = tool;
  return changed<NormalTool>(tool, {
    inputSchema: mapSchema(tool.inputSchema, map),
    ...(description !== undefined && { description: map(description) }),
  });
}

function mapMessage(message: NormalMessage, map: MapText): NormalMessage {
  return changed<NormalMessage>(message, {
    content: mapList(message.content, (part) => mapPart(part, map)),
  });
}

/** All texts of a request, in the order in which a model reads them: system prompt, messages, tools, schema. */
export function mapTexts(request: PluginRequest, map: MapText): PluginRequest {
  if (request.kind === 'image')
    return changed<typeof request>(request, { prompt: map(request.prompt) });
  if (request.kind === 'embed') {
    return changed<typeof request>(request, {
      values: mapList(request.values, (value) => map(value)),
    });
  }
  const { system, messages, tools, schema } = request;
  return changed<typeof request>(request, {
    ...(system !== undefined && { system: map(system) }),
    messages: mapList(messages, (message) => mapMessage(message, map)),
    ...(tools !== undefined && { tools: mapList(tools, (tool) => mapTool(tool, map)) }),
    ...(schema !== undefined && { schema: mapSchema(schema, map) }),
  });
}
