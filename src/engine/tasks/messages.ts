import { SignalboxError } from '../../errors.ts';
import { mediaProblem } from '../../internal/caller-data.ts';
import { quoted, quotedList } from '../../internal/quoted.ts';
import type { Message, NormalMessage, Part } from '../../protocol/message.ts';
import type { NormalTool, Tool, ToolChoice } from '../../protocol/request.ts';
import { checkJson, toJsonSchema } from '../core/json-schema.ts';

const roles: readonly string[] = ['system', 'user', 'assistant', 'tool'];

const toolTurn = 'a tool turn holds "tool-result" parts, each with the id of its call';

function wrong(path: string, what: string): SignalboxError {
  return new SignalboxError('config', `${path}: ${what}`);
}

/** The fields of a part from outside, which may have any value. */
type Fields = Readonly<Record<string, unknown>>;

/** Checks the fields of a kind of part. @throws SignalboxError `config` */
type Check = (part: Fields, path: string) => void;

function checkStrings(part: Fields, path: string, names: readonly string[]): void {
  for (const name of names) {
    if (typeof part[name] !== 'string') throw wrong(`${path}.${name}`, 'must be a string');
  }
}

function checkOptionalString(part: Fields, path: string, name: string): void {
  if (part[name] !== undefined) checkStrings(part, path, [name]);
}

const opaqueFields = ['wire', 'provider', 'model', 'kind', 'data'];

/** Replay data comes from an answer, and is sent back unchanged. */
function checkOpaque({ opaque }: Fields, path: string): void {
  if (opaque === undefined) return;
  if (typeof opaque !== 'object' || opaque === null) {
    throw wrong(`${path}.opaque`, 'must be an object of an answer, as it came, or left out');
  }
  checkStrings(opaque as Fields, `${path}.opaque`, opaqueFields);
  const { key } = opaque as Fields;
  if (key === undefined || (Number.isInteger(key) && Number(key) >= 0)) return;
  throw wrong(`${path}.opaque.key`, 'must be the index of a key, as it came, or left out');
}

function checkCache({ cache }: Fields, path: string): void {
  if (cache === undefined || typeof cache === 'boolean') return;
  const ttl: unknown = typeof cache === 'object' && cache !== null && Reflect.get(cache, 'ttl');
  if (ttl === undefined || typeof ttl === 'string') return;
  throw wrong(`${path}.cache`, 'must be true, false or { ttl }');
}

const checkText: Check = (part, path) => {
  checkStrings(part, path, ['text']);
  checkOpaque(part, path);
  checkCache(part, path);
};

const checkMedia: Check = (part, path) => {
  const problem = mediaProblem(part.source);
  if (problem !== undefined) throw wrong(`${path}.source`, problem);
  checkOptionalString(part, path, 'filename');
  checkCache(part, path);
};

const checks = {
  text: checkText,
  image: checkMedia,
  audio: checkMedia,
  file: checkMedia,
  reasoning: checkText,
  refusal: checkText,
  'tool-call'(part, path) {
    checkStrings(part, path, ['id', 'name']);
    checkOptionalString(part, path, 'rawInput');
    checkJson(part.input, `${path}.input`);
    checkOpaque(part, path);
  },
  'tool-result'(part, path) {
    checkStrings(part, path, ['id', 'name']);
    checkJson(part.output, `${path}.output`);
    checkCache(part, path);
  },
} as const satisfies Record<Part['type'], Check>;

function isPartType(type: unknown): type is Part['type'] {
  return typeof type === 'string' && Object.hasOwn(checks, type);
}

/** @throws SignalboxError `config` that names the field of a part that adapters cannot read */
function checkPart(part: unknown, path: string): asserts part is Part {
  const type: unknown = typeof part === 'object' && part !== null && Reflect.get(part, 'type');
  if (!isPartType(type)) {
    const types = Object.keys(checks).map((known) => `"${known}"`);
    throw wrong(`${path}.type`, `must be one of ${types.join(', ')}`);
  }
  checks[type](part as Fields, path);
}

/**
 * Adapters drop a result without a call, with a warning. Here nothing else would be left to send.
 * @throws SignalboxError `config` when there are only results, and so no calls
 */
function checkNotOnlyResults(messages: readonly NormalMessage[]): void {
  const isResults = ({ role, content }: NormalMessage): boolean =>
    role === 'system' || content.every(({ type }) => type === 'tool-result');
  if (!messages.every(isResults)) return;
  for (const [index, { content }] of messages.entries()) {
    for (const [at, part] of content.entries()) {
      if (part.type !== 'tool-result') continue;
      const what = `no message before it has the tool call ${quoted(part.id)} of this result; send the assistant message with the call too`;
      throw wrong(`messages[${index}].content[${at}]`, what);
    }
  }
}

/**
 * The messages with every content a list of parts.
 * @throws SignalboxError `config` that names the invalid message
 */
export function normalizeMessages(messages: string | readonly Message[]): readonly NormalMessage[] {
  const list: readonly Message[] =
    typeof messages === 'string' ? [{ role: 'user', content: messages }] : messages;
  if (!Array.isArray(list) || list.length === 0) {
    throw wrong('messages', 'must be a string or a list with at least one message');
  }
  // Not `map`, which skips holes.
  const normal = Array.from(list, (message, index): NormalMessage => {
    const path = `messages[${index}]`;
    if (typeof message !== 'object' || message === null || !roles.includes(message.role)) {
      const known = roles.map((role) => `"${role}"`).join(', ');
      throw wrong(`${path}.role`, `must be one of ${known}`);
    }
    const { role, content } = message;
    if (typeof content === 'string') {
      if (role === 'tool') throw wrong(`${path}.content`, toolTurn);
      return { role, content: [{ type: 'text', text: content }] };
    }
    if (!Array.isArray(content)) {
      throw wrong(`${path}.content`, 'must be a string or a list of parts');
    }
    for (const [at, part] of content.entries()) {
      checkPart(part, `${path}.content[${at}]`);
      if (role === 'tool' && part.type !== 'tool-result') {
        throw wrong(`${path}.content[${at}]`, toolTurn);
      }
    }
    // Copies, because the caller may change its messages while the call is in flight.
    return { role, content: content.map((part) => ({ ...part })) };
  });
  checkNotOnlyResults(normal);
  return normal;
}

/**
 * The tools with plain schemas.
 * @throws SignalboxError `config` for two tools of one name, and for an input that is not an object
 */
export function normalizeTools(
  tools: readonly Tool[] | undefined,
): readonly NormalTool[] | undefined {
  const names = new Set<string>();
  return tools?.map((tool, index) => {
    const path = `tools[${index}]`;
    if (names.has(tool.name))
      throw wrong(`${path}.name`, `there is a tool ${quoted(tool.name)} already`);
    names.add(tool.name);
    const inputSchema = toJsonSchema(tool.inputSchema, `${path}.inputSchema`);
    const { type = 'object' } = inputSchema;
    if (type !== 'object') {
      throw wrong(`${path}.inputSchema`, "must be an object's: every vendor calls tools with one");
    }
    return { ...tool, inputSchema };
  });
}

/** @throws SignalboxError `config` for a choice that the tools do not allow */
export function checkToolChoice(
  choice: ToolChoice | undefined,
  tools: readonly NormalTool[] | undefined,
): void {
  const names = tools?.map(({ name }) => name) ?? [];
  if (choice === 'required' && names.length === 0) {
    throw wrong('toolChoice', '"required" needs tools');
  }
  if (typeof choice !== 'object' || names.includes(choice.name)) return;
  const hint = names.length === 0 ? 'there are no tools' : `there is ${quotedList(names)}`;
  throw wrong('toolChoice.name', `no tool is called ${quoted(choice.name)}; ${hint}`);
}

function isLeaf(value: unknown): value is undefined | null | number | boolean {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return true;
  return typeof Reflect.get(value, 'toJSON') === 'function';
}

/** `seen` has the result for each object, and the object itself while its fields are visited. */
function withoutHalves(value: unknown, seen: Map<unknown, unknown>): unknown {
  if (typeof value === 'string') return value.isWellFormed() ? value : value.toWellFormed();
  if (isLeaf(value)) return value;
  if (seen.has(value)) return seen.get(value);
  seen.set(value, value);
  const sound = Array.isArray(value) ? soundList(value, seen) : soundFields(value as object, seen);
  seen.set(value, sound);
  return sound;
}

function soundList(list: readonly unknown[], seen: Map<unknown, unknown>): readonly unknown[] {
  const sound = list.map((each) => withoutHalves(each, seen));
  return sound.every((each, index) => each === list[index]) ? list : sound;
}

function soundFields(fields: object, seen: Map<unknown, unknown>): object {
  let isSound = true;
  const entries = Object.entries(fields).map(([key, value]): [string, unknown] => {
    const entry: [string, unknown] = [key.toWellFormed(), withoutHalves(value, seen)];
    isSound &&= entry[0] === key && entry[1] === value;
    return entry;
  });
  return isSound ? fields : Object.fromEntries(entries);
}

/**
 * The data with every half of a surrogate pair replaced by U+FFFD. Text that was cut inside an emoji has one, and
 * vendors reject its JSON escape. Returns the same object when there is none.
 */
export function wellFormed<Data>(data: Data): Data {
  return withoutHalves(data, new Map()) as Data;
}
