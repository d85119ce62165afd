import { tokenCountOf } from '../../internal/token-count.ts';

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
