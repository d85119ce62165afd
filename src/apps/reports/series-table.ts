import { Figures } from './figures.ts';

/** The part of a full table that leaves at once: sorting for each new key would be slow. */
const foldedShare = 0.25;

type Series = {
  readonly figures: Figures;
  /** The most that the key may have spent before it got this row. */
  readonly missed: number;
};

/**
 * The figures of at most `maxSeries` keys. A new key always gets a row. When the table is full, the quarter that spent
 * least is merged into `other`, so that a heavy spender that comes late replaces small ones that came early.
 *
 * A key that comes back counts as if it had spent before as much as the largest that ever left. So a key that spent more
 * than the share `4 / (3 maxSeries)` of everything always has a row, and a row lacks at most that share.
 */
export class SeriesTable {
  readonly #maxSeries: number;
  readonly #series = new Map<string, Series>();
  /** What was merged away. */
  #other: Figures | undefined;
  /** The most that a key without a row may have spent. */
  #missed = 0;

  constructor(maxSeries: number) {
    this.#maxSeries = maxSeries;
  }

  get other(): Figures | undefined {
    return this.#other;
  }

  /** The row of the key, which is made if there is none. */
  take(key: string): Figures {
    const known = this.#series.get(key);
    if (known !== undefined) return known.figures;
    if (this.#series.size >= this.#maxSeries) this.#fold();
    const figures = new Figures();
    this.#series.set(key, { figures, missed: this.#missed });
    return figures;
  }

  /** Whether a part of the key may be in `other`. */
  isPartial(key: string): boolean {
    return (this.#series.get(key)?.missed ?? this.#missed) > 0;
  }

  *rows(): Generator<readonly [key: string, figures: Figures]> {
    for (const [key, { figures }] of this.#series) yield [key, figures];
  }

  #fold(): void {
    const most = ({ figures, missed }: Series): number => figures.spending + missed;
    const ranked = [...this.#series].sort(([, one], [, other]) => most(one) - most(other));
    const other = this.#other ?? new Figures();
    this.#other = other;
    const count = Math.max(Math.floor(this.#maxSeries * foldedShare), 1);
    for (const [key, series] of ranked.slice(0, count)) {
      other.merge(series.figures);
      this.#missed = Math.max(this.#missed, most(series));
      this.#series.delete(key);
    }
  }
}
