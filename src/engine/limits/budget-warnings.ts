import { amountOf, type Cap } from '../../budgets/budget.ts';
import { type AnyCap, statesOf } from '../../budgets/ledger.ts';
import { CallCap } from '../../budgets/spending.ts';
import { after } from '../../internal/eventually.ts';
import type { Runtime } from '../../protocol/runtime.ts';
import type { Eventually, Store } from '../../protocol/store.ts';
import type { SpendingAttempt } from '../core/engine.ts';

/** Counters whose warnings are remembered. Of more, the oldest may warn again. */
const maxRemembered = 10_000;

/** A budget that only warns is exceeded at the whole of it. */
function sharesOf({ budget }: Cap): readonly number[] {
  return budget.onExceeded === 'warn' ? [...budget.warnAt, 1] : budget.warnAt;
}

/** Warns when budgets are spent to some share of them; once for each in a process. */
export class BudgetWarnings {
  readonly #store: Store;
  readonly #runtime: Runtime;
  /** How many of the shares were warned of, by the key of the counter. */
  readonly #warned = new Map<string, number>();

  constructor(store: Store, runtime: Runtime) {
    this.#store = store;
    this.#runtime = runtime;
  }

  /** Something was spent under these caps. */
  check(caps: readonly AnyCap[], attempt: SpendingAttempt): Eventually<void> {
    const warning = caps.filter(
      (cap): cap is Cap =>
        !(cap instanceof CallCap) &&
        (cap.budget.warnAt.length > 0 || cap.budget.onExceeded === 'warn'),
    );
    if (warning.length === 0) return undefined;
    return after(statesOf(this.#store, warning, this.#runtime.now()), (states) => {
      for (const [index, cap] of warning.entries()) {
        this.#warn(cap, states[index]?.settled ?? 0, attempt);
      }
    });
  }

  #warn(cap: Cap, settled: number, { plan, emit }: SpendingAttempt): void {
    const { budget, by, unit, limit, resetsAt, counter } = cap;
    const shares = sharesOf(cap);
    const reached = shares.filter((share) => settled >= share * limit).length;
    // What is spent in a rolling window falls again: then it warns again.
    const before = Math.min(
      this.#warned.get(counter.key) ?? 0,
      'lastMs' in counter.window ? reached : shares.length,
    );
    this.#remember(counter.key, Math.max(before, reached));
    const fields = {
      budget: budget.name,
      ...(by !== undefined && { by }),
      unit,
      limit: amountOf(unit, limit),
      settled: amountOf(unit, settled),
      resetsAt,
    };
    for (const [index, share] of shares.entries()) {
      if (index < before || index >= reached) continue;
      if (index < budget.warnAt.length) {
        emit('budget-warning', { ...fields, share });
      } else {
        const exceeded = { ...fields, target: plan.target.id, action: 'warned' } as const;
        emit('budget-exceeded', exceeded);
      }
    }
  }

  #remember(key: string, count: number): void {
    this.#warned.delete(key);
    this.#warned.set(key, count);
    if (this.#warned.size <= maxRemembered) return;
    const [oldest] = this.#warned.keys();
    if (oldest !== undefined) this.#warned.delete(oldest);
  }
}
