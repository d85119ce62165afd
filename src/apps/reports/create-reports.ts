import { SignalboxError } from '../../errors.ts';
import { own } from '../../internal/own.ts';
import { quoted, quotedList } from '../../internal/quoted.ts';
import type { RouterEvent } from '../../protocol/events.ts';
import { Figures, type RequestUnit } from './figures.ts';
import type { ReportBy, ReportRow } from './report-row.ts';
import { SeriesTable } from './series-table.ts';

export type ReportOptions<By extends ReportBy = ReportBy> = {
  /** What reports can be grouped by: `target`, `model`, `tier`, or names of tags. */
  readonly by: readonly By[];
  /** Milliseconds of one window. `since` of a report is rounded down to the start of its window. @default 3_600_000 */
  readonly windowMs?: number | undefined;
  /** The windows that are kept: the latest ones in which something happened. @default 24 */
  readonly maxWindows?: number | undefined;
  /**
   * The most keys in each window, for each of `by`. The others are one row: when there is no room for a new key, those
   * that spent least leave. @default 500
   */
  readonly maxSeries?: number | undefined;
};

export interface Reports<By extends ReportBy = ReportBy> {
  /** Counts an event: `router.on('*', reports.add)`. Events of no interest are ignored. */
  readonly add: (event: RouterEvent) => void;
  /**
   * The rows by `by`, those that cost most first. `none`, `other` and `drill` are last.
   * `by` is one of those of `createReports`, by default its first. `since` is in epoch milliseconds. Only the first `top`
   * keys get rows; the rest is added to `other`.
   * @throws SignalboxError `config` for an unknown `by`, or values that are no numbers
   */
  report<Asked extends By = By>(options?: {
    readonly by?: Asked | undefined;
    readonly since?: number | undefined;
    readonly top?: number | undefined;
  }): readonly ReportRow<Asked>[];
}

/** Longer keys are cut: a tag must not fill the memory. */
const maxKeyLength = 200;

/** A copy without the rest of the text, which a slice would keep in memory. */
function cut(key: string): string {
  return key.length <= maxKeyLength ? key : Buffer.from(key.slice(0, maxKeyLength)).toString();
}

/** How the rows of one `by` are made. */
type Dimension = {
  readonly unit: RequestUnit;
  /** `undefined`: the event has no such tag. `null`: the event does not count. */
  readonly keyOf: (event: CountedEvent) => string | undefined | null;
};

/** The events that have figures. */
const counted = {
  'call-end': true,
  'attempt-end': true,
  failover: true,
  retry: true,
  cost: true,
  feedback: true,
} as const;

type CountedEvent = Extract<RouterEvent, { readonly type: keyof typeof counted }>;

function isCounted(event: RouterEvent): event is CountedEvent {
  return Object.hasOwn(counted, event.type);
}

function targetOf(event: CountedEvent): string | null {
  // The attempts of the call have its requests and times.
  if (event.type === 'call-end') return null;
  return event.type === 'failover' ? event.from : event.target;
}

function modelOf(event: CountedEvent): string | null {
  const target = targetOf(event);
  return target === null ? null : target.slice(target.indexOf('/') + 1);
}

const dimensions = {
  target: { unit: 'attempt', keyOf: targetOf },
  model: { unit: 'attempt', keyOf: modelOf },
  tier: { unit: 'call', keyOf: ({ tier }) => tier },
} as const satisfies Record<string, Dimension>;

function dimensionOf(by: string): Dimension {
  const tag = by.startsWith('tag:') ? by.slice('tag:'.length) : by;
  return own<Dimension>(dimensions, by) ?? { unit: 'call', keyOf: ({ tags }) => own(tags, tag) };
}

/** What was counted by one `by` in one window. */
class Sheet {
  readonly table: SeriesTable;
  none: Figures | undefined;
  drill: Figures | undefined;
  readonly #dimension: Dimension;

  constructor(dimension: Dimension, maxSeries: number) {
    this.#dimension = dimension;
    this.table = new SeriesTable(maxSeries);
  }

  add(event: CountedEvent): void {
    const { unit, keyOf } = this.#dimension;
    const key = keyOf(event);
    if (key === null) return;
    this.#figuresOf(event, key).record(event, unit);
  }

  #figuresOf({ drill }: CountedEvent, key: string | undefined): Figures {
    if (drill !== undefined) {
      this.drill ??= new Figures();
      return this.drill;
    }
    if (key !== undefined) return this.table.take(cut(key));
    this.none ??= new Figures();
    return this.none;
  }
}

/** The sum of some figures; `undefined` without any. */
function sumOf(all: readonly (Figures | undefined)[]): Figures | undefined {
  const known = all.filter((figures) => figures !== undefined);
  if (known.length === 0) return undefined;
  const sum = new Figures();
  for (const figures of known) sum.merge(figures);
  return sum;
}

function rowsOf<By extends string>(
  by: By,
  sheets: readonly Sheet[],
  top: number,
): readonly ReportRow<By>[] {
  const byKey = new Map<string, Figures>();
  for (const { table } of sheets) {
    for (const [key, figures] of table.rows()) {
      const sum = byKey.get(key) ?? new Figures();
      sum.merge(figures);
      byKey.set(key, sum);
    }
  }
  const ranked = [...byKey].sort(([, one], [, other]) => other.spending - one.spending);
  const rows = ranked.slice(0, top).map(([key, figures]) => {
    const isPartial = sheets.some(({ table }) => table.isPartial(key));
    return figures.toRow<By>({ by, key, kind: 'value', ...(isPartial && { partial: true }) });
  });
  const rest = {
    none: sumOf(sheets.map(({ none }) => none)),
    other: sumOf([
      ...sheets.map(({ table }) => table.other),
      ...ranked.slice(top).map(([, figures]) => figures),
    ]),
    drill: sumOf(sheets.map(({ drill }) => drill)),
  };
  const keys = { none: '(none)', other: '(other)', drill: '(drills)' } as const;
  for (const kind of ['none', 'other', 'drill'] as const) {
    const row = rest[kind]?.toRow<By>({ by, key: keys[kind], kind });
    if (row !== undefined) rows.push(row);
  }
  return rows;
}

function checkNumber(name: string, value: unknown, wanted: 'a positive integer' | 'a number') {
  const isRight =
    wanted === 'a number'
      ? typeof value === 'number' && !Number.isNaN(value)
      : Number.isSafeInteger(value) && Number(value) > 0;
  if (!isRight) throw new SignalboxError('config', `${name}: must be ${wanted}`);
}

function checkOptions({ by, windowMs, maxWindows, maxSeries }: Required<ReportOptions>): void {
  const isList = Array.isArray(by) && by.length > 0;
  if (!isList || by.some((each) => typeof each !== 'string' || each === '')) {
    const wanted = 'a list of "target", "model", "tier" or names of tags';
    throw new SignalboxError('config', `createReports.by: must be ${wanted}`);
  }
  for (const [name, value] of Object.entries({ windowMs, maxWindows, maxSeries })) {
    checkNumber(`createReports.${name}`, value, 'a positive integer');
  }
}

/**
 * Counts the events of a router, for reports by target, model, tier and tags.
 *
 * Memory is bounded by `by.length * maxWindows * maxSeries` rows. A row of a few requests has 0.6 kB,
 * one of thousands about 8 kB, and none more than 40 kB.
 * @throws SignalboxError `config` for invalid options
 */
export function createReports<const By extends ReportBy>(options: ReportOptions<By>): Reports<By> {
  const { by, windowMs = 3_600_000, maxWindows = 24, maxSeries = 500 } = options;
  checkOptions({ by, windowMs, maxWindows, maxSeries });
  const [first] = by;
  const names = [...new Set<string>(by)];
  const sheetsOf = names.map((name) => dimensionOf(name));
  /** By the number of the window, which counts from the epoch. */
  const windows = new Map<number, readonly Sheet[]>();

  function windowAt(at: number): readonly Sheet[] | undefined {
    const index = Math.floor(at / windowMs);
    const known = windows.get(index);
    if (known !== undefined) return known;
    if (windows.size >= maxWindows) {
      const oldest = Math.min(...windows.keys());
      if (index < oldest) return undefined;
      windows.delete(oldest);
    }
    const made = sheetsOf.map((dimension) => new Sheet(dimension, maxSeries));
    windows.set(index, made);
    return made;
  }

  return {
    add(event) {
      if (!isCounted(event)) return;
      for (const sheet of windowAt(event.at) ?? []) sheet.add(event);
    },
    report<Asked extends By = By>({
      by: asked = first as Asked,
      since = Number.NEGATIVE_INFINITY,
      top = Number.MAX_SAFE_INTEGER,
    }: {
      readonly by?: Asked | undefined;
      readonly since?: number | undefined;
      readonly top?: number | undefined;
    } = {}) {
      const position = names.indexOf(asked);
      if (position < 0) {
        const known = quotedList(names);
        const message = `report.by: ${quoted(asked)} is not in createReports.by: ${known}`;
        throw new SignalboxError('config', message);
      }
      checkNumber('report.since', since, 'a number');
      checkNumber('report.top', top, 'a positive integer');
      const from = Math.floor(since / windowMs);
      const sheets = [...windows].flatMap(([index, each]) => {
        const sheet = index >= from ? each[position] : undefined;
        return sheet === undefined ? [] : [sheet];
      });
      return rowsOf(asked, sheets, top);
    },
  };
}
