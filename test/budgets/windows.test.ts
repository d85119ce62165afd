import { describe, expect, it } from 'vitest';
import { createWindows } from '../../src/budgets/windows.ts';
import type { BudgetPeriod } from '../../src/protocol/budget.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

const zones = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  // Half and quarter hours.
  'Asia/Kolkata',
  'Asia/Kathmandu',
  // Summer time is half an hour.
  'Australia/Lord_Howe',
  // The clock skips midnight when summer time begins.
  'Africa/Cairo',
  'America/Santiago',
  // The first hour of a day comes twice when summer time ends.
  'America/Havana',
  // Left out 30 December 2011.
  'Pacific/Apia',
] as const;

function endOf(window: { readonly until: number } | { readonly lastMs: number }): number {
  return 'until' in window ? window.until : Number.NaN;
}

/** The local date and time, from a formatter of its own. */
function createLocal(timeZone: string) {
  const format = new Intl.DateTimeFormat('sv-SE', {
    timeZone,
    dateStyle: 'short',
    timeStyle: 'medium',
  });
  return (at: number): string => format.format(at);
}

/** How many characters of `2026-11-30 13:45:00` are the same in a period. */
const lengths = { hour: 13, day: 10, month: 7 } as const;

/** Local clocks show a full hour, and are changed, at full quarters of UTC's. */
const quarterMs = 15 * minuteMs;

/** The times at which the local period changes. */
function changes(
  per: keyof typeof lengths,
  timeZone: string,
  from: number,
  to: number,
): readonly number[] {
  const local = createLocal(timeZone);
  const found: number[] = [];
  let before = local(from);
  for (let at = from + quarterMs; at <= to; at += quarterMs) {
    const now = local(at);
    if (now.slice(0, lengths[per]) !== before.slice(0, lengths[per])) found.push(at);
    before = now;
  }
  return found;
}

/** Days on which clocks change, or that are ordinary. */
const days = [
  '2026-03-28',
  '2026-03-07',
  '2026-04-04',
  '2026-04-24',
  '2026-09-05',
  '2026-10-03',
  '2026-10-24',
  '2026-10-29',
  '2026-10-31',
  '2026-12-31',
  '2024-02-28',
  '2011-12-29',
].map((day) => Date.parse(`${day}T00:00:00Z`));

describe('the windows of a budget', () => {
  it.each(zones.flatMap((zone) => (['hour', 'day'] as const).map((per) => [per, zone] as const)))(
    'change with the local %s of %s, also when the clock changes',
    (per, zone) => {
      for (const from of days) {
        const to = from + 3 * dayMs;
        const expected = changes(per, zone, from, to);
        const windowAt = createWindows(per, zone);
        const found: number[] = [];
        for (let at = endOf(windowAt(from).window); at <= to; at = endOf(windowAt(at).window)) {
          found.push(at);
          // It lasts up to its end, and the next one begins there.
          expect(endOf(windowAt(at - 1).window)).toBe(at);
          expect(windowAt(at).id).not.toBe(windowAt(at - 1).id);
        }
        expect(expected.filter((at) => !found.includes(at))).toEqual([]);
        if (per === 'day') expect(found).toEqual(expected);
        // An hour that comes twice, or is longer than one, has two windows.
        const local = createLocal(zone);
        for (const at of found.filter((each) => !expected.includes(each))) {
          expect(local(at) <= local(at - 1)).toBe(true);
        }
      }
    },
  );

  it.each(zones)('change with the local month of %s', (zone) => {
    const windowAt = createWindows('month', zone);
    for (let month = 0; month < 12; month += 1) {
      const around = Date.UTC(2026, month, 1);
      const [expected] = changes('month', zone, around - dayMs, around + dayMs);
      expect(endOf(windowAt(around - 2 * dayMs).window)).toBe(expected);
      expect(windowAt(around + 2 * dayMs).resetsAt).toBeGreaterThan(around + 20 * dayMs);
    }
  });

  it.each(['hour', 'day', 'month'] as const satisfies readonly BudgetPeriod[])(
    'have the same id for every time of one %s, whenever it is first asked for',
    (per) => {
      let seed = 7;
      const random = (): number => {
        seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
        return seed / 2_147_483_648;
      };
      for (const zone of zones) {
        const inOrder = createWindows(per, zone);
        for (let sample = 0; sample < 40; sample += 1) {
          const at = Date.UTC(2026, 0, 1) + random() * 365 * dayMs;
          const window = createWindows(per, zone)(at);
          expect(inOrder(at)).toEqual(window);
          expect(Number(window.id.split(' ')[1])).toBeLessThanOrEqual(at);
          expect(window.resetsAt).toBeGreaterThan(at);
        }
      }
    },
  );

  it('go back with a clock that is set back', () => {
    const windowAt = createWindows('hour', 'UTC');
    const first = windowAt(10 * hourMs);
    windowAt(20 * hourMs);
    expect(windowAt(10 * hourMs)).toEqual(first);
  });

  it('are rolling for a minute', () => {
    const windowAt = createWindows('minute', 'UTC');
    expect(windowAt(1_000)).toEqual({
      id: 'minute',
      window: { lastMs: minuteMs },
      resetsAt: 1_000 + minuteMs,
    });
  });
});
