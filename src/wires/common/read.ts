import { own } from '../../internal/own.ts';
import { tokenCountOf } from '../../internal/vendor-data.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { Watch } from '../../protocol/provider.ts';
import { type AnswerHeaders, checkedRequestId } from '../../transport/answer.ts';
import { checkCount } from '../../transport/answer-bound.ts';

/** Readers for bodies of unknown shape. A value of an unexpected type counts as absent. */

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object, or an empty one. */
export function objectOf(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}

/** The list, or an empty one. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The string, unless it is empty. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** No real answer has this many parts. */
const maxIndex = 100_000;

/** The number, if it is a valid index of a part in an answer. */
export function indexOf(value: unknown): number | undefined {
  const isIndex = Number.isInteger(value) && Number(value) >= 0 && Number(value) <= maxIndex;
  return isIndex ? Number(value) : undefined;
}

/** The number, if it is finite and not negative. */
export function countOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined;
}

/** Reads the token counts of one usage object and records whether any is implausible. */
export class TokenCounts {
  /** Whether a reported count is impossible: negative, fractional, or absurdly large. */
  isDoubtful = false;

  /** The count, or `undefined` when it is missing or implausible. */
  of(value: unknown): number | undefined {
    if (typeof value !== 'number') return undefined;
    const count = tokenCountOf(value);
    if (count === undefined) this.isDoubtful = true;
    return count;
  }

  /** Marks the usage as estimated when a count was implausible. */
  get certainty(): { readonly estimated?: true } {
    return this.isDoubtful ? { estimated: true } : {};
  }
}

/** Vendors report about twenty counts at most. */
const maxKinds = 100;

/** Usage objects have two levels. */
const maxUsageDepth = 4;

function mergedCount(before: unknown, later: unknown, depth: number): unknown {
  if (later === null || later === undefined) return before;
  if (isObject(later) && depth < maxUsageDepth) {
    return mergeCounts(isObject(before) ? before : undefined, later, depth + 1);
  }
  const known = tokenCountOf(before);
  const count = tokenCountOf(later);
  // A count that cannot be right does not replace one that can.
  if (known !== undefined && typeof later === 'number') return Math.max(known, count ?? 0);
  return later;
}

/**
 * Merges the usage of a later event into the earlier usage. Counts are cumulative, so a later one that is missing, zero
 * or smaller does not replace an earlier one.
 */
export function mergeCounts(before: JsonObject | undefined, later: unknown, depth = 1): JsonObject {
  if (before === undefined) return objectOf(later);
  const merged: Record<string, unknown> = { ...before };
  for (const [name, value] of Object.entries(objectOf(later))) {
    merged[name] = mergedCount(own(merged, name), value, depth);
  }
  return merged;
}

/**
 * Limits the size of a usage object merged from many events. Each event copies it, so an unbounded one gets slow.
 * @throws SignalboxError `invalid_response`
 */
export function checkUsage(usage: JsonObject | undefined): void {
  if (usage !== undefined) checkCount(Object.keys(usage).length, 'kinds of usage', maxKinds);
}

/** The field names that an object of a vendor's answer is known to have. */
export type Shape = {
  /** By name: the shape of the object, or of each object of the list, in that field. `true` for anything. */
  readonly fields: ReadonlyMap<string, Shape | true>;
  /** The known values of its field `type`. Absent if any are. */
  readonly types?: ReadonlySet<string>;
};

function wordsIn(words: string): readonly string[] {
  return words.split(/\s+/).filter((word) => word !== '');
}

/** `names` and `types` are separated by spaces. Only the fields in `inner` are looked into. */
export function shape(
  names: string,
  inner: Readonly<Record<string, Shape>> = {},
  types?: string,
): Shape {
  const fields = new Map<string, Shape | true>(Object.entries(inner));
  for (const name of wordsIn(types === undefined ? names : `type ${names}`)) fields.set(name, true);
  return {
    fields,
    ...(types !== undefined && { types: new Set(wordsIn(types)) }),
  };
}

/** Most elements of a list that are looked at. */
const maxElements = 64;

/** Most names of one answer that are reported. */
const maxNames = 32;

/** A longer name is not one. */
const maxNameLength = 64;

const nameLike = /^[A-Za-z][\w.:-]*$/;

/**
 * Finds the names in an answer that its wire is not known to have, and reports the path of each once, such as
 * `choices[].delta.mood` or `type=response.mood.delta`. Nothing else of the answer is passed on; a name that is unlike
 * one, or repeats a credential, is reported as `?`. Does not look into what is unknown.
 */
export class ShapeCheck {
  readonly #report: Watch['unknownName'];
  readonly #headers: AnswerHeaders;
  #reported: Set<string> | undefined;

  constructor(watch: Watch, headers: AnswerHeaders) {
    this.#report = watch.unknownName?.bind(watch);
    this.#headers = headers;
  }

  check(answer: unknown, known: Shape): void {
    if (this.#report !== undefined) this.#look(answer, known, '');
  }

  #look(value: unknown, known: Shape, path: string): void {
    if (typeof value !== 'object' || value === null) return;
    if (Array.isArray(value)) {
      const length = Math.min(value.length, maxElements);
      for (let index = 0; index < length; index++) this.#look(value[index], known, `${path}[]`);
      return;
    }
    const type: unknown = Reflect.get(value, 'type');
    if (typeof type === 'string' && known.types?.has(type) === false) {
      this.#add(`${prefixed(path)}type=`, type);
      return;
    }
    for (const name of Object.keys(value)) {
      const field = known.fields.get(name);
      if (field === undefined) this.#add(prefixed(path), name);
      else if (field !== true) this.#look(Reflect.get(value, name), field, prefixed(path) + name);
    }
  }

  #add(before: string, name: string): void {
    this.#reported ??= new Set();
    if (this.#reported.size >= maxNames) return;
    const shown = this.#shown(name);
    const path = before + shown;
    if (this.#reported.has(path)) return;
    this.#reported.add(path);
    this.#report?.(path, shown);
  }

  #shown(name: string): string {
    const isName = name.length <= maxNameLength && nameLike.test(name);
    return (isName ? checkedRequestId(name, this.#headers) : undefined) ?? '?';
  }
}

function prefixed(path: string): string {
  return path === '' ? '' : `${path}.`;
}
