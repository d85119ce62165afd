import { SignalboxError } from '../../errors.ts';
import { own } from '../../internal/own.ts';
import type { Warning } from '../../protocol/completion.ts';
import type { Json, JsonObject } from '../../protocol/json.ts';
import type {
  FilePart,
  ImagePart,
  Media,
  NormalMessage,
  Opaque,
  Part,
  TextPart,
  ToolCallPart,
  ToolResultPart,
} from '../../protocol/message.ts';
import type { ProviderRequest } from '../../protocol/request.ts';
import { mediaTypeOf, readDataUrl, soundBase64, soundMediaType } from './media-type.ts';

export function droppedParam(param: string, message: string): Warning {
  return { code: 'dropped-param', param, message };
}

export function adjustedParam(param: string, message: string): Warning {
  return { code: 'adjusted-param', param, message };
}

/**
 * Merges the caller's fields into the vendor's body. The caller's fields win. Objects are merged recursively; lists
 * and all other values are replaced.
 */
export function mergeBody(
  body: JsonObject,
  extra: { readonly [key: string]: Json } | undefined,
): JsonObject {
  if (extra === undefined) return body;
  const merged: Record<string, unknown> = { ...body };
  for (const [key, value] of Object.entries(extra)) {
    const current = own(merged, key);
    merged[key] =
      isPlainObject(current) && isPlainObject(value)
        ? mergeBody(current, value as { readonly [key: string]: Json })
        : value;
  }
  return merged;
}

function isPlainObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Splits off the leading system turns. Three of the four wires send them in a separate field. */
export function hoistSystem(messages: readonly NormalMessage[]): {
  readonly system: readonly TextPart[];
  readonly rest: readonly NormalMessage[];
} {
  const first = messages.findIndex((message) => message.role !== 'system');
  const end = first < 0 ? messages.length : first;
  const system = messages
    .slice(0, end)
    .flatMap((message) => message.content)
    .filter((part) => part.type === 'text');
  return { system, rest: messages.slice(end) };
}

/** Vendors reject blank text with a 400. */
function isBlank(part: Part): boolean {
  return part.type === 'text' && part.text.trim() === '';
}

/** Removes blank text, and turns that are empty without it. */
export function withoutBlanks(messages: readonly NormalMessage[]): readonly NormalMessage[] {
  const isWhole = messages.every(({ content }) => content.length > 0 && !content.some(isBlank));
  if (isWhole) return messages;
  return messages
    .map((message) => ({
      ...message,
      content: message.content.filter((part) => !isBlank(part)),
    }))
    .filter((message) => message.content.length > 0);
}

/** The error for a conversation in which every message is blank. */
export function emptyConversation(): SignalboxError {
  return new SignalboxError('invalid_request', 'there is nothing to send: every message is blank');
}

/**
 * Merges adjacent turns that have the same role, for wires that require alternating turns. `side` returns the role of a
 * message; tool results usually count as the user's.
 */
export function mergeNeighbours(
  messages: readonly NormalMessage[],
  side: (message: NormalMessage) => NormalMessage['role'],
): readonly NormalMessage[] {
  const merged: { role: NormalMessage['role']; content: Part[] }[] = [];
  for (const message of messages) {
    const role = side(message);
    const last = merged.at(-1);
    if (last !== undefined && last.role === role) last.content.push(...message.content);
    else merged.push({ role, content: [...message.content] });
  }
  return merged;
}

export function joinText(parts: readonly Part[]): string {
  return parts
    .filter((part) => part.type === 'text')
    .map((part) => part.text)
    .join('\n\n');
}

/** Whether replay data may be sent to this request's target. Only the provider that issued it can read it. */
export function canReplay(opaque: Opaque, request: ProviderRequest, wire: string): boolean {
  return opaque.wire === wire && opaque.provider === request.provider;
}

/** Replay data that is JSON, without halves of surrogate pairs, whose escapes vendors reject. */
export function parseReplayData({ data }: Opaque): unknown {
  return JSON.parse(data, (_key, value: unknown) =>
    typeof value === 'string' ? value.toWellFormed() : value,
  );
}

/** The result of a call that has none. Every wire requires a result for each call. */
const noResult = 'This tool call was not answered.';

function isCall(part: Part): part is ToolCallPart {
  return part.type === 'tool-call';
}

function isCallOrResult(part: Part): boolean {
  return part.type === 'tool-call' || part.type === 'tool-result';
}

function callsOf(message: NormalMessage): readonly ToolCallPart[] {
  return message.role === 'assistant' ? message.content.filter(isCall) : [];
}

function countById(calls: readonly ToolCallPart[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { id } of calls) counts.set(id, (counts.get(id) ?? 0) + 1);
  return counts;
}

/**
 * Moves the results of each assistant turn's tool calls into one `tool` turn directly after it, in the order of the
 * calls. A call without a result gets an error result. A result without a call is dropped. A result is matched to the
 * nearest preceding turn with calls, so later turns may reuse ids. Calls of one turn with the same id get their results in
 * order.
 */
export function pairToolResults(messages: readonly NormalMessage[]): {
  readonly messages: readonly NormalMessage[];
  readonly warnings: readonly Warning[];
} {
  if (!messages.some(({ content }) => content.some(isCallOrResult)))
    return { messages, warnings: [] };
  const paired: NormalMessage[] = [];
  const warnings: Warning[] = [];
  let open:
    | {
        readonly calls: readonly ToolCallPart[];
        readonly counts: ReadonlyMap<string, number>;
        readonly results: Map<string, ToolResultPart[]>;
      }
    | undefined;
  let waiting: NormalMessage[] = [];

  const settle = (): void => {
    if (open !== undefined) {
      const { calls, results } = open;
      const content = calls.map((call): Part => {
        const result = results.get(call.id)?.shift();
        // Some vendors match a result to its call by the name of the tool.
        if (result !== undefined) return { ...result, name: call.name };
        warnings.push({
          code: 'compat',
          message: `the call of tool "${call.name}" has no result; an error result was sent`,
        });
        return {
          type: 'tool-result',
          id: call.id,
          name: call.name,
          output: noResult,
          isError: true,
        } satisfies ToolResultPart;
      });
      paired.push({ role: 'tool', content });
    }
    paired.push(...waiting);
    open = undefined;
    waiting = [];
  };

  for (const message of messages) {
    const calls = callsOf(message);
    if (calls.length > 0) settle();
    const kept = message.content.filter((part) => {
      if (part.type !== 'tool-result') return true;
      const found = open?.results.get(part.id) ?? [];
      const expected = open?.counts.get(part.id) ?? 0;
      if (found.length < expected) open?.results.set(part.id, [...found, part]);
      else {
        warnings.push({
          code: 'dropped-part',
          message: `a result of tool "${part.name}" matches no call before it and was dropped`,
        });
      }
      return false;
    });
    if (kept.length > 0) {
      const turn = { ...message, content: kept };
      if (calls.length > 0) paired.push(turn);
      else waiting.push(turn);
    }
    if (calls.length > 0) open = { calls, counts: countById(calls), results: new Map() };
  }
  settle();
  return { messages: paired, warnings };
}

/** Names of tools that all vendors accept: those of the tools in a request. */
const commonName = /^[a-zA-Z_][a-zA-Z0-9_-]{0,63}$/;

/**
 * Replaces the names in the conversation's calls that vendors would reject, such as those a model made up. `accepted` is
 * the format of the wire's names.
 */
export function withSoundToolNames(
  messages: readonly NormalMessage[],
  accepted: RegExp = commonName,
): readonly NormalMessage[] {
  const isSound = (part: Part): boolean => part.type !== 'tool-call' || accepted.test(part.name);
  if (messages.every(({ content }) => content.every(isSound))) return messages;
  return messages.map((message) => ({
    ...message,
    content: message.content.map((part) =>
      part.type !== 'tool-call' || isSound(part) ? part : { ...part, name: nameFor(part.name) },
    ),
  }));
}

function nameFor(name: string): string {
  const sound = name.slice(0, 63).replaceAll(/[^a-zA-Z0-9_-]+/g, '_');
  if (commonName.test(sound)) return sound;
  return sound === '' ? 'unknown_tool' : `_${sound}`;
}

/** The format a wire requires for the ids of tool calls. */
export type ToolIdRule = {
  readonly accepts: (id: string) => boolean;
  /** The `n`th generated id, counted from 1. */
  readonly generate: (n: number) => string;
};

/**
 * Maps the tool call ids of one conversation to ids that the wire accepts. Replaces ids that the wire would reject or
 * that an earlier turn uses. The same input gives the same ids.
 */
export class ToolIds {
  readonly #rule: ToolIdRule;
  readonly #used = new Set<string>();
  readonly #latest = new Map<string, string>();
  /** The ids of the calls without a result so far. */
  readonly #unanswered = new Map<string, string[]>();
  #generated = 0;

  constructor(rule: ToolIdRule) {
    this.#rule = rule;
  }

  /** The id for a call. It is unique in the conversation, even when the caller repeats an id. */
  call(id: string): string {
    const wireId = this.#rule.accepts(id) && !this.#used.has(id) ? id : this.#fresh();
    this.#used.add(wireId);
    this.#latest.set(id, wireId);
    const unanswered = this.#unanswered.get(id);
    if (unanswered === undefined) this.#unanswered.set(id, [wireId]);
    else unanswered.push(wireId);
    return wireId;
  }

  /** The id assigned to the first call with this id that has no result yet, else to the latest. */
  result(id: string): string {
    return this.#unanswered.get(id)?.shift() ?? this.#latest.get(id) ?? id;
  }

  #fresh(): string {
    let id: string;
    do id = this.#rule.generate(++this.#generated);
    while (this.#used.has(id));
    return id;
  }
}

/** Media in the forms that wires accept: base64, a URL, or the vendor's id of an uploaded file. */
export type WireMedia =
  | { readonly kind: 'base64'; readonly data: string; readonly mediaType: string }
  | { readonly kind: 'url'; readonly url: string; readonly mediaType: string | undefined }
  | {
      readonly kind: 'ref';
      readonly provider: string;
      readonly id: string;
      readonly mediaType: string | undefined;
    };

/** Converts bytes and `data:` URLs to base64, with the media type as vendors spell it. */
export function wireMedia(source: Media): WireMedia {
  const mediaType = source.mediaType === undefined ? undefined : soundMediaType(source.mediaType);
  if ('ref' in source) return { kind: 'ref', ...source.ref, mediaType };
  if ('url' in source) {
    const inline = readDataUrl(source.url, source.mediaType);
    return inline === undefined
      ? { kind: 'url', url: source.url, mediaType }
      : { kind: 'base64', ...inline };
  }
  if (typeof source.data !== 'string') {
    const data = Buffer.from(source.data).toString('base64');
    return { kind: 'base64', data, mediaType: mediaTypeOf(source.mediaType, data) };
  }
  const data = readDataUrl(source.data)?.data ?? soundBase64(source.data);
  return { kind: 'base64', data, mediaType: mediaTypeOf(source.mediaType, data) };
}

const outputPartTypes: readonly unknown[] = ['text', 'image', 'file'];

/** The parts of a tool's output, or `undefined` when it is plain JSON. */
export function outputParts(
  output: Json | readonly (TextPart | ImagePart | FilePart)[],
): readonly (TextPart | ImagePart | FilePart)[] | undefined {
  const isPartList = (
    value: typeof output,
  ): value is readonly (TextPart | ImagePart | FilePart)[] =>
    Array.isArray(value) &&
    value.length > 0 &&
    value.every(
      (each) => typeof each === 'object' && each !== null && outputPartTypes.includes(each.type),
    );
  return isPartList(output) ? output : undefined;
}

/** A tool's plain output as text. */
export function outputText(output: Json | readonly (TextPart | ImagePart | FilePart)[]): string {
  return typeof output === 'string' ? output : JSON.stringify(output);
}
