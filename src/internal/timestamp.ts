/** The latest time that a `Date` can represent. */
const maxDateMs = 8.64e15;

/** Formats epoch milliseconds as ISO 8601. Clamps times that a `Date` cannot represent. */
export function timestamp(at: number): string {
  return new Date(Number.isNaN(at) ? 0 : Math.max(0, Math.min(at, maxDateMs))).toISOString();
}
