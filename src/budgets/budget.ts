import { own } from '../internal/own.ts';
import type { BudgetPeriod, BudgetSettings, BudgetUnit } from '../protocol/budget.ts';
import type { Tags } from '../protocol/completion.ts';
import type { Counter } from '../protocol/store.ts';
import { createWindows, type WindowAt } from './windows.ts';

/** Under which attempts without the `by` tag are counted. */
const missing = '(none)';

/** A longer value of a tag is shortened, so that it takes little room in a store. */
const maxValueLength = 200;

const units = ['usd', 'tokens', 'requests'] as const satisfies readonly BudgetUnit[];

const nanoPerUsd = 1e9;

/** The whole number that a store counts: nano-dollars, tokens, requests. */
export function countedAmount(unit: BudgetUnit, amount: number): number {
  return unit === 'usd' ? Math.round(amount * nanoPerUsd) : amount;
}

/** The amount in its unit of what a store has counted. */
export function amountOf(unit: BudgetUnit, counted: number): number {
  return unit === 'usd' ? counted / nanoPerUsd : counted;
}

/** One cap of a budget, as it applies to an attempt. */
export type Cap = {
  readonly budget: Budget;
  readonly by?: string;
  readonly unit: BudgetUnit;
  /** As a store counts it. */
  readonly limit: number;
  readonly counter: Counter;
  /** Epoch milliseconds. */
  readonly resetsAt: number;
};

/** What a counter of a budget is for, read from its key. */
type CounterName = { readonly by?: string; readonly unit: BudgetUnit };

/** The value without what would make it longer than a key should be; different values stay different. */
function shortValue(value: string): string {
  if (value.length <= maxValueLength) return value;
  const hash = process.getBuiltinModule('node:crypto').hash('sha256', value);
  return `${value.slice(0, maxValueLength / 2)}…${hash}`;
}

function isUnit(value: unknown): value is BudgetUnit {
  return units.some((unit) => unit === value);
}

/** One budget of a configuration. */
export class Budget {
  readonly name: string;
  readonly per: BudgetPeriod;
  readonly onExceeded: 'reject' | 'downgrade' | 'warn';
  /** Ascending. */
  readonly warnAt: readonly number[];
  /** US dollars per million tokens where the price is unknown; `undefined` when such a target is refused. */
  readonly unknownUsdPerMillion: number | undefined;
  readonly by: string | undefined;
  readonly caps: readonly { readonly unit: BudgetUnit; readonly limit: number }[];
  readonly #match: readonly (readonly [name: string, value: string])[];
  readonly #windowAt: WindowAt;
  /** The latest ones, because calls come close together. */
  #latest:
    | { readonly value: string | undefined; readonly id: string; readonly caps: readonly Cap[] }
    | undefined;

  constructor(name: string, settings: BudgetSettings) {
    const { match = {}, by, per, timeZone = 'UTC', unknownPrice = 'refuse' } = settings;
    this.name = name;
    this.per = per;
    this.onExceeded = settings.onExceeded ?? 'reject';
    this.warnAt = [...(settings.warnAt ?? [])].sort((a, b) => a - b);
    this.unknownUsdPerMillion = unknownPrice === 'refuse' ? undefined : unknownPrice.usdPerMillion;
    this.by = by;
    this.caps = units.flatMap((unit) => {
      const limit = settings[unit];
      return limit === undefined ? [] : [{ unit, limit: countedAmount(unit, limit) }];
    });
    this.#match = Object.entries(match).flatMap(([tag, value]) =>
      value === undefined ? [] : [[tag, value] as const],
    );
    this.#windowAt = createWindows(per, timeZone);
  }

  matches(tags: Tags): boolean {
    return this.#match.every(([tag, value]) => own(tags, tag) === value);
  }

  /** Its caps for an attempt with these tags that begins now. */
  capsFor(tags: Tags, now: number): readonly Cap[] {
    return this.capsOf(this.by === undefined ? undefined : (own(tags, this.by) ?? missing), now);
  }

  /** Its caps for a value of its `by` tag. */
  capsOf(value: string | undefined, now: number): readonly Cap[] {
    const { id, window, resetsAt } = this.#windowAt(now);
    const latest = this.#latest;
    const isSame = latest !== undefined && latest.value === value && latest.id === id;
    if (isSame && latest.caps[0]?.resetsAt === resetsAt) return latest.caps;
    const by = value === undefined ? undefined : shortValue(value);
    const caps = this.caps.map(({ unit, limit }) => ({
      budget: this,
      ...(by !== undefined && { by }),
      unit,
      limit,
      // As JSON, because names and values may be any text.
      counter: { key: JSON.stringify(['budget', this.name, by ?? null, unit, id]), window },
      resetsAt,
    }));
    this.#latest = { value, id, caps };
    return caps;
  }

  /** What the keys of all its counters begin with. */
  get keyPrefix(): string {
    return `${JSON.stringify(['budget', this.name]).slice(0, -1)},`;
  }

  /** What the counter of a key is for; `undefined` when it is not one of the current window. */
  counterNamed(key: string, now: number): CounterName | undefined {
    const parsed: unknown = JSON.parse(key);
    if (!Array.isArray(parsed)) return undefined;
    const [, , by, unit, window]: unknown[] = parsed;
    if (!isUnit(unit) || window !== this.#windowAt(now).id) return undefined;
    // A budget that has gained or lost its `by` has other counters.
    if (typeof by !== (this.by === undefined ? 'object' : 'string')) return undefined;
    return { ...(typeof by === 'string' && { by }), unit };
  }
}
