import { amountOf, type Cap } from '../../budgets/budget.ts';
import {
  type AnyCap,
  Held,
  isOnlyCounted,
  type Refused,
  reserve,
  statesOf,
} from '../../budgets/ledger.ts';
import { CallCap } from '../../budgets/spending.ts';
import { Lines } from '../../budgets/waiting.ts';
import type { ResolvedConfig } from '../../config/resolve.ts';
import { isSignalboxError, SignalboxError } from '../../errors.ts';
import { after, isPending } from '../../internal/eventually.ts';
import { memoryStore } from '../../internal/memory-store.ts';
import { timestamp } from '../../internal/timestamp.ts';
import type { BudgetState } from '../../protocol/budget.ts';
import type { RouterEvents } from '../../protocol/events.ts';
import type { Eventually, Store } from '../../protocol/store.ts';
import {
  type Admission,
  type BudgetKeeper,
  type Engine,
  type SpendingAttempt,
  type SpendingPlan,
  targetLabel,
} from '../core/engine.ts';
import { AttemptBound } from './attempt-bound.ts';
import { BudgetWarnings } from './budget-warnings.ts';
import { type ReservationKeeper, ReservedMoney } from './reserved-money.ts';

/** How long a reservation outlives the deadline of its call, in case that its process is killed. */
const graceMs = 60_000;

/** Most caps in a snapshot, and most values of one budget. */
const maxShown = 1_000;

/** Times that an attempt is refused under one cap after another before it waits. */
const maxRounds = 8;

type Known = Pick<Engine, 'runtime' | 'emitter' | 'pricing'>;

/** The name and what identifies a cap, in errors and events. */
function nameOf(cap: AnyCap): {
  readonly budget: string;
  readonly by?: string;
  readonly resetsAt?: number;
} {
  if (cap instanceof CallCap) return { budget: 'maxUsd' };
  const { budget, by, resetsAt } = cap;
  return { budget: budget.name, ...(by !== undefined && { by }), resetsAt };
}

function eventOf(
  cap: AnyCap,
  settled: number,
  target: string,
  action: RouterEvents['budget-exceeded']['action'],
) {
  const { unit, limit } = cap;
  const amounts = { limit: amountOf(unit, limit), settled: amountOf(unit, settled) };
  return { ...nameOf(cap), unit, ...amounts, target, action };
}

/** See {@link BudgetKeeper}. */
class Keeper implements BudgetKeeper, ReservationKeeper {
  readonly warnings: BudgetWarnings;
  readonly #known: Known;
  readonly #store: Store;
  readonly #isGiven: boolean;
  readonly #lines: Lines;
  #reservations = 0;
  #shown: readonly BudgetState[] = [];
  #config: ResolvedConfig | undefined;

  constructor(known: Known, store: Store, isGiven: boolean) {
    this.#known = known;
    this.#store = store;
    this.#isGiven = isGiven;
    this.#lines = new Lines(store, known.runtime);
    this.warnings = new BudgetWarnings(store, known.runtime);
  }

  now(): number {
    return this.#known.runtime.now();
  }

  reserve(attempt: SpendingAttempt): Eventually<Admission> {
    const caps = this.#capsFor(attempt.plan);
    if (caps.length === 0) return { type: 'free' };
    const bound = new AttemptBound(this.#known.pricing, attempt.plan, attempt.turns);
    const unpriced = caps.find((cap) => bound.isUnknownUnder(cap));
    if (unpriced !== undefined) return this.#refusedUnpriced(attempt, unpriced);
    const ahead = attempt.hasWaited ? undefined : this.#waitedFor(attempt, caps);
    if (ahead !== undefined) {
      const state = { settled: 0, reserved: Number.POSITIVE_INFINITY };
      return this.#decide(attempt, bound, bound.outputTokens, { cap: ahead, state });
    }
    const admitted = this.guarded(() => this.#reserve(attempt, caps, bound, bound.outputTokens, 0));
    if (!attempt.hasWaited) return admitted;
    return after(admitted, (admission) => {
      if (admission.type !== 'reserved') this.#lines.passOn(caps);
      return admission;
    });
  }

  hasRoom(plan: SpendingPlan): Eventually<boolean> {
    const caps = this.#capsFor(plan);
    if (caps.length === 0) return true;
    const bound = new AttemptBound(this.#known.pricing, plan, []);
    if (caps.some((cap) => bound.isUnknownUnder(cap) || this.#lines.isWaitedFor(cap))) return false;
    return this.guarded(() =>
      after(statesOf(this.#store, caps, this.now()), (states) =>
        caps.every((cap, index) => {
          const { settled = 0, reserved = 0 } = states[index] ?? {};
          const sum = settled + reserved + bound.amountUnder(cap, bound.outputTokens);
          return isOnlyCounted(cap) || sum <= cap.limit;
        }),
      ),
    );
  }

  snapshot({ budgets }: ResolvedConfig): readonly BudgetState[] {
    const now = this.now();
    const rows = budgets.map((budget) => {
      const listed = this.guarded(() => this.#store.list(budget.keyPrefix, { now, max: maxShown }));
      return after(listed, (counters): readonly BudgetState[] => {
        const used = new Map(counters.map((each) => [each.key, each]));
        const named = counters.flatMap(({ key }) => budget.counterNamed(key, now) ?? []);
        const values = new Set(budget.by === undefined ? [undefined] : named.map(({ by }) => by));
        return [...values].flatMap((by) =>
          budget.capsOf(by, now).map((cap) => stateShown(cap, used.get(cap.counter.key))),
        );
      });
    });
    const pending = rows.filter(isPending);
    if (pending.length > 0) {
      // A snapshot cannot wait: the next one has what is read now.
      Promise.all(rows).then(
        (read) => {
          this.#shown = read.flat().slice(0, maxShown);
        },
        () => undefined,
      );
      return this.#shown;
    }
    return (rows as readonly (readonly BudgetState[])[]).flat().slice(0, maxShown);
  }

  /** Runs an operation of the store. @throws SignalboxError `store_failed` */
  guarded<Value>(operation: () => Eventually<Value>): Eventually<Value> {
    const failed = (cause: unknown): never => {
      if (cause instanceof SignalboxError) throw cause;
      const message = `the ${this.#store.name} store of the budgets failed; see cause`;
      throw new SignalboxError('store_failed', message, { cause });
    };
    try {
      const value = operation();
      return isPending(value) ? Promise.resolve(value).catch(failed) : value;
    } catch (error) {
      return failed(error);
    }
  }

  emitStoreError(error: unknown): void {
    this.#known.emitter.emit({
      type: 'store-error',
      at: Math.round(this.now()),
      callId: null,
      tier: null,
      tags: this.#config?.tags ?? {},
      store: this.#store.name,
      error,
    });
  }

  configure(config: ResolvedConfig): void {
    this.#config = config;
    if (!this.#isGiven) warnOfMemory(config);
  }

  emitExceeded(
    { plan, emit }: SpendingAttempt,
    { cap, state }: Refused,
    action: RouterEvents['budget-exceeded']['action'],
  ): void {
    emit('budget-exceeded', eventOf(cap, state.settled, plan.target.id, action));
  }

  errorOf(target: string, refused: Refused | undefined, what: string): SignalboxError {
    const name = refused === undefined ? { budget: 'maxUsd' } : nameOf(refused.cap);
    const { resetsAt } = name;
    const until = resetsAt === undefined ? '' : `; it resets at ${timestamp(resetsAt)}`;
    const message = `over budget "${name.budget}": ${what}${until}`;
    return new SignalboxError('budget_exceeded', message, {
      target,
      ...name,
      ...(resetsAt !== undefined && {
        retryAfterMs: Math.max(0, Math.ceil(resetsAt - this.now())),
      }),
    });
  }

  /** The error of an attempt that was not sent. */
  #notSent({ target }: SpendingPlan, refused: Refused, what: string): SignalboxError {
    const error = this.errorOf(target.id, refused, what);
    return error.with({ message: `${targetLabel(target)}: ${error.message}` });
  }

  /** The caps of its call, then those of the budgets that its tags match. */
  #capsFor({ call, tags }: SpendingPlan): readonly AnyCap[] {
    const { spending, config, drill } = call;
    const now = this.now();
    // A drill must not use up what its users may spend.
    const budgets = drill === undefined ? config.budgets.filter((each) => each.matches(tags)) : [];
    return [...(spending?.caps ?? []), ...budgets.flatMap((each) => each.capsFor(tags, now))];
  }

  /** The first cap under which others wait already. */
  #waitedFor({ plan }: SpendingAttempt, caps: readonly AnyCap[]): AnyCap | undefined {
    if (plan.call.spending?.isAwaited === true) return undefined;
    return caps.find((cap) => !isOnlyCounted(cap) && this.#lines.isWaitedFor(cap));
  }

  #refusedUnpriced(attempt: SpendingAttempt, cap: AnyCap): Admission {
    const refused = { cap, state: { settled: 0, reserved: 0 } };
    const what = 'the price is unknown; set prices, or unknownPrice of the budget';
    this.emitExceeded(attempt, refused, 'passed-over');
    return { type: 'refused', error: this.#notSent(attempt.plan, refused, what), next: 'never' };
  }

  #reserve(
    attempt: SpendingAttempt,
    caps: readonly AnyCap[],
    bound: AttemptBound,
    outputTokens: number,
    round: number,
  ): Eventually<Admission> {
    const { plan, scope } = attempt;
    const { spending } = plan.call;
    if (spending === undefined) return { type: 'free' };
    const now = this.now();
    const expiresAt = now + scope.remainingMs() + graceMs;
    const amountUnder = (cap: AnyCap): number => bound.amountUnder(cap, outputTokens);
    this.#reservations += 1;
    const id = `${plan.call.id} ${this.#reservations}`;
    const made = reserve(this.#store, id, caps, {
      amountUnder,
      spending,
      time: { now, expiresAt },
    });
    return after(made, (result): Eventually<Admission> => {
      if (result instanceof Held) {
        const held = { held: result, bound, outputTokens };
        const reserved = new ReservedMoney(this, attempt, held, expiresAt);
        const isLowered = outputTokens < bound.outputTokens && bound.isUnlimited;
        if (!isLowered) return { type: 'reserved', reserved };
        const message = `lowered to ${outputTokens}: the budget has no room for more`;
        const warning = { code: 'adjusted-param', param: 'maxOutputTokens', message } as const;
        return { type: 'reserved', reserved, lowered: { maxOutputTokens: outputTokens, warning } };
      }
      const fitting = this.#fitting(attempt, bound, outputTokens, result);
      if (fitting === undefined || round >= maxRounds) {
        return this.#decide(attempt, bound, outputTokens, result);
      }
      if (bound.isUnlimited) this.emitExceeded(attempt, result, 'limited');
      return this.#reserve(attempt, caps, bound, fitting, round + 1);
    });
  }

  /** Output tokens to begin with although there may be more, since nothing else is reserved and there is no room for all. */
  #fitting(
    { isHedge, plan }: SpendingAttempt,
    bound: AttemptBound,
    outputTokens: number,
    { cap, state: { settled, reserved } }: Refused,
  ): number | undefined {
    const isDowngrade = !(cap instanceof CallCap) && cap.budget.onExceeded === 'downgrade';
    if (isHedge || reserved > 0 || (isDowngrade && !plan.isLastResort)) return undefined;
    const fitting = bound.fittingUnder(cap, cap.limit - settled);
    return fitting !== undefined && fitting < outputTokens ? fitting : undefined;
  }

  /** What follows when there is no room. */
  #decide(
    attempt: SpendingAttempt,
    bound: AttemptBound,
    outputTokens: number,
    refused: Refused,
  ): Admission {
    const { plan, isHedge, scope } = attempt;
    const { cap, state } = refused;
    const amount = bound.amountUnder(cap, outputTokens);
    const left = cap.limit - state.settled;
    const fitting = bound.fittingUnder(cap, left);
    const mayFitLater = amount <= left || fitting !== undefined;
    const isDowngrade = !(cap instanceof CallCap) && cap.budget.onExceeded === 'downgrade';
    const isPassedOver = isHedge || (isDowngrade && !plan.isLastResort);
    const mayWait = mayFitLater && state.reserved > 0 && plan.call.spending?.isAwaited !== true;
    if (isPassedOver) {
      this.emitExceeded(attempt, refused, 'passed-over');
      const error = this.#notSent(plan, refused, describe(cap, state, amount));
      return { type: 'refused', error, next: mayFitLater ? 'later' : 'never' };
    }
    if (mayWait) {
      const least = fitting === undefined ? amount : bound.leastUnder(cap);
      const room = (): Promise<void> =>
        this.#lines.wait(cap, { amount, least }, scope).catch((error: unknown) => {
          if (!isSignalboxError(error, 'timeout')) throw error;
          const what = `not sent, waited for room in budget "${nameOf(cap).budget}"`;
          throw error.with({ message: `${targetLabel(plan.target)}: ${what}; ${error.message}` });
        });
      return { type: 'wait', room };
    }
    this.emitExceeded(attempt, refused, isDowngrade ? 'passed-over' : 'rejected');
    const error = this.#notSent(plan, refused, describe(cap, state, amount));
    return { type: 'refused', error, ...(isDowngrade && { next: 'never' }) };
  }
}

function describe(cap: AnyCap, { settled }: Refused['state'], amount: number): string {
  const of = (counted: number): number => amountOf(cap.unit, counted);
  return `${of(settled)} of ${of(cap.limit)} ${cap.unit} are spent, and the attempt may need ${of(amount)}`;
}

function stateShown(
  { budget, by, unit, limit, resetsAt }: Cap,
  used: { readonly settled: number; readonly reserved: number } | undefined,
): BudgetState {
  const { settled = 0, reserved = 0 } = used ?? {};
  return {
    name: budget.name,
    ...(by !== undefined && { by }),
    unit,
    limit: amountOf(unit, limit),
    settled: amountOf(unit, settled),
    reserved: amountOf(unit, reserved),
    left: amountOf(unit, Math.max(0, limit - settled - reserved)),
    resetsAt,
  };
}

let hasWarned = false;

/** What a restart forgets must not be longer than its users expect. Once in a process. */
function warnOfMemory({ budgets }: ResolvedConfig): void {
  const long = budgets.find(({ per }) => per === 'day' || per === 'month');
  if (long === undefined || hasWarned) return;
  hasWarned = true;
  const message = `budget "${long.name}" is kept in memory: after a restart of the process its ${long.per} begins again. Set "store" of createRouter: fileStore() of signalbox/store, or memoryStore() to accept that.`;
  process.emitWarning(message, { code: 'SIGNALBOX_BUDGET_STORE', type: 'SignalboxWarning' });
}

/** The budgets of a router, in a store; without one in memory. */
export function createBudgetKeeper(known: Known, store: Store | undefined): BudgetKeeper {
  return new Keeper(known, store ?? memoryStore(), store !== undefined);
}
