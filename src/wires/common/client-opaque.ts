import type { Opaque } from '../../protocol/message.ts';
import { parseClientJson } from './client-json.ts';
import { isObject, listOf, textOf } from './read.ts';

/** Tells our replay data from a vendor's, and its format from a later one. */
const prefix = 'sb1.';

/** More than the longest encrypted reasoning, and less than a body. */
const maxLength = 1_000_000;

/** Replay data that is one token: base64, or an id. */
const token = /^[!-~]+$/;

/** The names of wires, providers and models. */
const name = /^[^\s\p{Cc}]{1,200}$/u;

const maxKey = 1_000;

/** Where the wires of Chat Completions may put reasoning that comes back. */
const reasoningFields: readonly string[] = ['reasoning_content', 'reasoning'];

function parsed(data: string): unknown {
  try {
    return parseClientJson(data);
  } catch {
    return undefined;
  }
}

function isFlat(value: unknown): boolean {
  return (
    isObject(value) &&
    Object.values(value).every((each) => typeof each !== 'object' || each === null)
  );
}

/** Encrypted reasoning is an object of the Responses API, or the `reasoning_details` of Chat Completions. */
function isEncrypted(data: string): boolean {
  const value = parsed(data);
  if (!Array.isArray(value))
    return isObject(value) && textOf(value.encrypted_content) !== undefined;
  return listOf(value).every(
    (each) => isFlat(each) && isObject(each) && /^reasoning\./.test(textOf(each.type) ?? ''),
  );
}

/**
 * What data of each kind looks like. Whatever else a client sends under its name would reach the vendor unseen by
 * plugins. `item` is any item of a vendor: a client could make up messages, or refer to those of others.
 */
const isSound: Readonly<Record<Opaque['kind'], (data: string) => boolean>> = {
  signature: (data) => token.test(data),
  redacted: (data) => token.test(data),
  'thought-signature': (data) => token.test(data),
  encrypted: isEncrypted,
  'reasoning-content': (data) => reasoningFields.includes(data),
  item: () => false,
};

function isKind(kind: unknown): kind is Opaque['kind'] {
  return typeof kind === 'string' && Object.hasOwn(isSound, kind);
}

/** Replay data as one string of printable ASCII for a client, which sends it back; `undefined` if a client may not have it. */
export function encodeOpaque(opaque: Opaque | undefined): string | undefined {
  if (opaque === undefined || !isSound[opaque.kind](opaque.data)) return undefined;
  const { wire, provider, key = null, model, kind, data } = opaque;
  const fields = JSON.stringify([wire, provider, key, model, kind, data]);
  const text = prefix + Buffer.from(fields).toString('base64url');
  return text.length > maxLength ? undefined : text;
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && name.test(value);
}

/**
 * Replay data that a client sent back. It may be forged, so it is only what its vendor reads as opaque: `undefined` for
 * anything else.
 */
export function decodeOpaque(text: unknown): Opaque | undefined {
  if (typeof text !== 'string' || !text.startsWith(prefix) || text.length > maxLength) {
    return undefined;
  }
  const fields = parsed(Buffer.from(text.slice(prefix.length), 'base64url').toString('utf8'));
  if (!Array.isArray(fields) || fields.length !== 6) return undefined;
  const [wire, provider, key, model, kind, data]: readonly unknown[] = fields;
  if (!isName(wire) || !isName(provider) || !isName(model) || !isKind(kind)) return undefined;
  if (typeof data !== 'string' || !isSound[kind](data)) return undefined;
  const isKey = Number.isInteger(key) && Number(key) >= 0 && Number(key) < maxKey;
  if (key !== null && !isKey) return undefined;
  return { wire, provider, ...(isKey && { key: Number(key) }), model, kind, data };
}
