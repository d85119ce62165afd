import { own } from '../../internal/own.ts';
import { tokenCountOf } from '../../internal/vendor-data.ts';
import type { JsonObject } from '../../protocol/json.ts';
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
