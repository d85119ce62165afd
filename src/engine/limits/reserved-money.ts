import { type AnyCap, type Held, isOnlyCounted, type Refused } from '../../budgets/ledger.ts';
import type { SignalboxError } from '../../errors.ts';
import { after, isPending } from '../../internal/eventually.ts';
import type { RouterEvents } from '../../protocol/events.ts';
import type { Eventually } from '../../protocol/store.ts';
import type { Usage } from '../../protocol/usage.ts';
import type { Reserved, SpendingAttempt } from '../core/engine.ts';
import type { AttemptBound } from './attempt-bound.ts';
import type { BudgetWarnings } from './budget-warnings.ts';

/** More tokens to reserve for an answer that is longer than was reserved: an eighth of it, and at least these. */
const leastMore = 64;

/** What a reservation needs of the keeper that made it. */
export interface ReservationKeeper {
  readonly warnings: BudgetWarnings;
  now(): number;
  /** Runs an operation of the store. @throws SignalboxError `store_failed` */
  guarded<Value>(operation: () => Eventually<Value>): Eventually<Value>;
  emitExceeded(
    attempt: SpendingAttempt,
    refused: Refused,
    action: RouterEvents['budget-exceeded']['action'],
  ): void;
  emitStoreError(error: unknown): void;
  /** The error of an attempt, without the name of its target in the message. */
  errorOf(target: string, refused: Refused | undefined, what: string): SignalboxError;
}

/** The reservation of one attempt. */
export class ReservedMoney implements Reserved {
  readonly #keeper: ReservationKeeper;
  readonly #attempt: SpendingAttempt;
  readonly #bound: AttemptBound;
  readonly #held: Held;
  readonly #expiresAt: number;
  nextCheck: number;
  #isExtending = false;
  #exceeded: Refused | undefined;

  constructor(
    keeper: ReservationKeeper,
    attempt: SpendingAttempt,
    { held, bound, outputTokens }: { held: Held; bound: AttemptBound; outputTokens: number },
    expiresAt: number,
  ) {
    this.#keeper = keeper;
    this.#attempt = attempt;
    this.#bound = bound;
    this.#held = held;
    this.#expiresAt = expiresAt;
    // A token is at least about one character.
    this.nextCheck = outputTokens;
  }

  progress(usage: Usage, characters: number): Eventually<'go on' | 'cut'> {
    if (this.#isExtending) return 'go on';
    const used = (cap: AnyCap): number => this.#bound.usedUnder(cap, usage);
    const isCovered = this.#held.caps.every(
      (cap) => isOnlyCounted(cap) || used(cap) <= this.#held.amountUnder(cap),
    );
    const { outputTokens } = usage;
    if (isCovered) {
      this.nextCheck = characters + Math.max(leastMore, this.#covered(outputTokens) - outputTokens);
      return 'go on';
    }
    const more = outputTokens + Math.max(leastMore, Math.ceil(outputTokens / 8));
    const grown = { ...usage, outputTokens: more, totalTokens: usage.inputTokens + more };
    const { keeper, expiresAt } = { keeper: this.#keeper, expiresAt: this.#expiresAt };
    this.#isExtending = true;
    const amountUnder = (cap: AnyCap): number => this.#bound.usedUnder(cap, grown);
    const time = { now: keeper.now(), expiresAt };
    const extended = keeper.guarded(() => this.#held.extend(amountUnder, time));
    return after(extended, (refused) => {
      this.#isExtending = false;
      this.nextCheck = characters + more - outputTokens;
      if (refused === undefined) return 'go on';
      this.#exceeded = refused;
      keeper.emitExceeded(this.#attempt, refused, 'cut');
      return 'cut';
    });
  }

  /** Output tokens that the reservation has room for, at least. */
  #covered(from: number): number {
    let most = from;
    for (let step = this.nextCheck; step >= 1; step = Math.floor(step / 2)) {
      const fits = this.#held.caps.every(
        (cap) => this.#bound.amountUnder(cap, most + step) <= this.#held.amountUnder(cap),
      );
      if (fits) most += step;
    }
    return most;
  }

  cutError(): SignalboxError {
    const { id } = this.#attempt.plan.target;
    return this.#keeper.errorOf(id, this.#exceeded, 'the answer was cut');
  }

  settle(billed?: { readonly usage: Usage; readonly usd: number | null }): Eventually<void> {
    const keeper = this.#keeper;
    const used = (cap: AnyCap): number => {
      if (billed === undefined) return 0;
      return this.#bound.billedUnder(cap, billed) ?? this.#held.amountUnder(cap);
    };
    try {
      const settled = this.#held.settle(used, keeper.now());
      const warn = (): Eventually<void> =>
        billed === undefined ? undefined : keeper.warnings.check(this.#held.caps, this.#attempt);
      const failed = (error: unknown): void => keeper.emitStoreError(error);
      if (!isPending(settled)) {
        const warned = warn();
        return isPending(warned) ? Promise.resolve(warned).catch(failed) : undefined;
      }
      return Promise.resolve(settled).then(warn).catch(failed);
    } catch (error) {
      keeper.emitStoreError(error);
      return undefined;
    }
  }
}
