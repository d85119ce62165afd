/** The last time that a `Date` can express. */
const endOfTime = 8.64e15;

/** Epoch milliseconds in the form of ISO 8601. Later times than a `Date` can express become the last one. */
export function timestamp(at: number): string {
  return new Date(Number.isNaN(at) ? 0 : Math.max(0, Math.min(at, endOfTime))).toISOString();
}
