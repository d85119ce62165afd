import { tokenCountOf } from '../../internal/token-count.ts';

/** Reads the token counts of one usage object, and notes whether one of them cannot be right. */
export class TokenCounts {
  /** Whether a number was reported that no answer can have taken: negative, fractional, or absurdly large. */
  isDoubtful = false;

  /** The count; `undefined` where none is reported, and for one that cannot be right. */
  of(value: unknown): number | undefined {
    if (typeof value !== 'number') return undefined;
    const count = tokenCountOf(value);
    if (count === undefined) this.isDoubtful = true;
    return count;
  }

  /** Says that the usage is not to be taken as the vendor's exact word. */
  get certainty(): { readonly estimated?: true } {
    return this.isDoubtful ? { estimated: true } : {};
  }
}
