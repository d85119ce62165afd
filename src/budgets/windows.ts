import type { BudgetPeriod } from '../protocol/budget.ts';
import type { Counter } from '../protocol/store.ts';

const minuteMs = 60_000;
const hourMs = 3_600_000;

/** No local time is further from UTC, not even on a day that a zone left out. */
const furthestMs = 40 * hourMs;

/** A window of time in which a budget is spent. */
type BudgetWindow = {
  /** Part of the keys of its counters: another window has another one. */
  readonly id: string;
  readonly window: Counter['window'];
  /** Epoch milliseconds at which what is spent now is forgotten. */
  readonly resetsAt: number;
};

/** The window at a time in epoch milliseconds. */
export type WindowAt = (now: number) => BudgetWindow;

type Span = { readonly start: number; readonly end: number };

/** The window of the last 60 seconds. */
function lastMinute(now: number): BudgetWindow {
  return { id: 'minute', window: { lastMs: minuteMs }, resetsAt: now + minuteMs };
}

/** Local time as if it were UTC, in epoch milliseconds. */
function createLocalClock(timeZone: string): (at: number) => number {
  let format: Intl.DateTimeFormat | undefined;
  return (at) => {
    format ??= new Intl.DateTimeFormat('en-US', {
      timeZone,
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
      hourCycle: 'h23',
    });
    const parts: Record<string, number> = {};
    for (const { type, value } of format.formatToParts(at)) parts[type] = Number(value);
    const { year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
    return (
      Date.UTC(year, month - 1, day, hour, minute, second) + (at - Math.floor(at / 1000) * 1000)
    );
  };
}

/** The first time in `(from, to]` at which `holds`, which then holds up to `to`. */
function firstTime(from: number, to: number, holds: (at: number) => boolean): number {
  let before = from;
  let after = to;
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (holds(middle)) after = middle;
    else before = middle;
  }
  return after;
}

/** The hour of local time, which a change of the clock ends if it is not at its full hour. */
function hourAt(now: number, local: (at: number) => number): Span {
  const offset = local(now) - now;
  const start = now - ((((now + offset) % hourMs) + hourMs) % hourMs);
  const end = start + hourMs;
  const isSame = (at: number): boolean => local(at) - at === offset;
  return {
    start: isSame(start) ? start : firstTime(start, now, isSame),
    end: isSame(end - 1) ? end : firstTime(now, end - 1, (at) => !isSame(at)),
  };
}

/** When a local date begins: its midnight, or what there is instead when the clock skips it. */
function startOf(date: number, local: (at: number) => number): number {
  return firstTime(date - furthestMs, date + furthestMs, (at) => local(at) >= date);
}

/** The local days or months. `dateOf` returns the midnight, as if it were UTC, of the period `by` periods later. */
function datesAt(
  now: number,
  local: (at: number) => number,
  dateOf: (year: number, month: number, day: number, by: number) => number,
): Span {
  const today = new Date(local(now));
  const [year, month, day] = [today.getUTCFullYear(), today.getUTCMonth(), today.getUTCDate()];
  const boundary = (by: number): number => startOf(dateOf(year, month, day, by), local);
  // A clock that is set back past midnight shows the day before again: the new day has begun nonetheless.
  let by = 0;
  while (now >= boundary(by + 1)) by += 1;
  return { start: boundary(by), end: boundary(by + 1) };
}

const spans = {
  hour: hourAt,
  day: (now, local) =>
    datesAt(now, local, (year, month, day, by) => Date.UTC(year, month, day + by)),
  month: (now, local) => datesAt(now, local, (year, month, _, by) => Date.UTC(year, month + by, 1)),
} as const satisfies Record<
  Exclude<BudgetPeriod, 'minute'>,
  (now: number, local: (at: number) => number) => Span
>;

/** The windows of a period in an IANA time zone. The latest one is kept until it ends. */
export function createWindows(per: BudgetPeriod, timeZone: string): WindowAt {
  if (per === 'minute') return lastMinute;
  const local = createLocalClock(timeZone);
  let span: Span = { start: 0, end: 0 };
  let current: BudgetWindow | undefined;
  return (given) => {
    const now = Math.floor(given);
    if (current !== undefined && now >= span.start && now < span.end) return current;
    span = spans[per](now, local);
    const { start, end } = span;
    current = { id: `${per} ${start}`, window: { until: end }, resetsAt: end };
    return current;
  };
}
