import { own } from '../../internal/own.ts';
import type { Json, JsonObject } from '../../protocol/json.ts';
import type { ImagePart, ToolCallPart } from '../../protocol/message.ts';
import { parseClientJson } from './client-json.ts';
import { isObject } from './read.ts';
import { RequestProblem } from './serve.ts';

/** Readers for the fields of a client's request. `null` counts as absent, as many clients send it for that. */

function wrong(path: string, what: string): RequestProblem {
  return new RequestProblem(path, `${path} ${what}`);
}

/** @throws RequestProblem */
export function objectAt(value: unknown, path: string): JsonObject {
  if (!isObject(value)) throw wrong(path, 'must be an object');
  return value;
}

/** @throws RequestProblem */
export function listAt(value: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(path, 'must be a list');
  return value;
}

/** @throws RequestProblem */
export function textAt(value: unknown, path: string): string {
  if (typeof value !== 'string') throw wrong(path, 'must be a string');
  return value;
}

/** @throws RequestProblem */
export function wordAt<const Word extends string>(
  value: unknown,
  path: string,
  words: readonly Word[],
): Word {
  const word = words.find((each) => each === value);
  if (word !== undefined) return word;
  throw wrong(path, `must be one of ${words.map((each) => `"${each}"`).join(', ')}`);
}

/** @throws RequestProblem */
export function optionalText(fields: JsonObject, name: string, path = name): string | undefined {
  const value = own(fields, name) ?? undefined;
  return value === undefined ? undefined : textAt(value, path);
}

/** @throws RequestProblem */
export function optionalNumber(fields: JsonObject, name: string, path = name): number | undefined {
  const value = own(fields, name) ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value !== 'number') throw wrong(path, 'must be a number');
  return value;
}

/** @throws RequestProblem */
export function optionalFlag(fields: JsonObject, name: string, path = name): boolean | undefined {
  const value = own(fields, name) ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value !== 'boolean') throw wrong(path, 'must be true or false');
  return value;
}

/** Most sequences that a vendor accepts, and more. */
const maxStops = 64;

/** Sequences that end an answer: one, or a list. @throws RequestProblem */
export function optionalStops(fields: JsonObject, name: string): readonly string[] | undefined {
  const value = own(fields, name) ?? undefined;
  if (value === undefined) return undefined;
  const list = typeof value === 'string' ? [value] : listAt(value, name);
  if (list.length > maxStops) throw wrong(name, `must have at most ${maxStops} entries`);
  if (list.length === 0) return undefined;
  return list.map((each, index) => textAt(each, `${name}[${index}]`));
}

/** The arguments of a call as its client sends them back: text, which may be no JSON. */
export function toolInputOf(
  text: string,
): Pick<ToolCallPart, 'input'> | Pick<ToolCallPart, 'input' | 'rawInput' | 'invalid'> {
  if (text.trim() === '') return { input: {} };
  try {
    const input = parseClientJson(text);
    if (input !== undefined) return { input: input as Json };
  } catch {
    // The model's mistake, not the client's.
  }
  return { input: text, rawInput: text, invalid: true };
}

/** A web or `data:` URL of an image. @throws RequestProblem */
export function imageAt(url: unknown, path: string, detail?: unknown): ImagePart {
  const text = textAt(url, path);
  if (!/^(?:https?:\/\/|data:)/i.test(text.slice(0, 10))) {
    throw wrong(path, 'must be a URL with https:, http: or data:');
  }
  const known = (['auto', 'low', 'high'] as const).find((each) => each === detail);
  return { type: 'image', source: { url: text }, ...(known !== undefined && { detail: known }) };
}

/** @throws RequestProblem */
export function unsupportedAt(path: string, what: string): RequestProblem {
  return new RequestProblem(path, `${path}: ${what}`);
}
