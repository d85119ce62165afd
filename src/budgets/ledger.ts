import { after, isPending } from '../internal/eventually.ts';
import type { CounterState, Eventually, Store } from '../protocol/store.ts';
import type { Cap } from './budget.ts';
import { CallCap, type Spending } from './spending.ts';

/** A cap of a budget, or of a call. */
export type AnyCap = Cap | CallCap;

/** The amount of something under a cap, as it is counted. */
export type AmountUnder = (cap: AnyCap) => number;

/** The first cap without room, and its state without what the reservation had there already. */
export type Refused = { readonly cap: AnyCap; readonly state: CounterState };

type Time = { readonly now: number; readonly expiresAt: number };

/** More than any cap. What a vendor reports may be any number. */
const maxAmount = 1e15;

function whole(amount: number): number {
  return Number.isFinite(amount) ? Math.round(Math.min(Math.max(amount, 0), maxAmount)) : maxAmount;
}

/** A cap that is only counted never refuses. */
export function isOnlyCounted(cap: AnyCap): boolean {
  return !(cap instanceof CallCap) && cap.budget.onExceeded === 'warn';
}

/** A reservation that is open. It is settled once. */
export class Held {
  readonly caps: readonly AnyCap[];
  readonly #store: Store;
  readonly #id: string;
  readonly #spending: Spending;
  #amounts: readonly number[];

  constructor(
    store: Store,
    id: string,
    caps: readonly AnyCap[],
    { amounts, spending }: { readonly amounts: readonly number[]; readonly spending: Spending },
  ) {
    this.#store = store;
    this.#id = id;
    this.caps = caps;
    this.#spending = spending;
    this.#amounts = amounts;
    spending.held += 1;
  }

  /** What is reserved under the cap. */
  amountUnder(cap: AnyCap): number {
    return this.#amounts[this.caps.indexOf(cap)] ?? 0;
  }

  /** Reserves more. If it is refused, the reservation stays as it is. */
  extend(amountUnder: AmountUnder, time: Time): Eventually<Refused | undefined> {
    const before = this.#amounts;
    const amounts = this.caps.map((cap, index) =>
      Math.max(whole(amountUnder(cap)), before[index] ?? 0),
    );
    return after(
      reserveUnder(this.#store, this.#id, this.caps, { amounts, before, time }),
      (no) => {
        if (no === undefined) this.#amounts = amounts;
        return no;
      },
    );
  }

  /** Ends it, and counts what was used. */
  settle(used: AmountUnder, now: number): Eventually<void> {
    const counted: { counter: Cap['counter']; amount: number }[] = [];
    this.#spending.held -= 1;
    for (const [index, cap] of this.caps.entries()) {
      const amount = whole(used(cap));
      if (cap instanceof CallCap) cap.settle(this.#amounts[index] ?? 0, amount);
      else counted.push({ counter: cap.counter, amount });
    }
    if (counted.length === 0) return undefined;
    return this.#store.settle(this.#id, counted, now);
  }
}

type Amounts = {
  readonly amounts: readonly number[];
  /** What is reserved already. */
  readonly before: readonly number[];
  readonly time: Time;
};

/** Reserves under all caps or none. */
function reserveUnder(
  store: Store,
  id: string,
  caps: readonly AnyCap[],
  { amounts, before, time }: Amounts,
): Eventually<Refused | undefined> {
  const taken: { readonly cap: CallCap; readonly more: number }[] = [];
  const giveBack = (): void => {
    for (const { cap, more } of taken) cap.settle(more, 0);
  };
  const shared: Cap[] = [];
  const claims: Parameters<Store['reserve']>[1][number][] = [];
  for (const [index, cap] of caps.entries()) {
    const amount = amounts[index] ?? 0;
    if (cap instanceof CallCap) {
      const had = before[index] ?? 0;
      const more = amount - had;
      if (!cap.reserve(more)) {
        giveBack();
        return { cap, state: { settled: cap.settled, reserved: cap.reserved - had } };
      }
      taken.push({ cap, more });
      continue;
    }
    shared.push(cap);
    const limit = isOnlyCounted(cap) ? Number.POSITIVE_INFINITY : cap.limit;
    claims.push({ counter: cap.counter, amount, limit });
  }
  if (claims.length === 0) return undefined;
  let reserved: ReturnType<Store['reserve']>;
  try {
    reserved = store.reserve(id, claims, time);
  } catch (error) {
    giveBack();
    throw error;
  }
  const decide = (result: Awaited<typeof reserved>): Refused | undefined => {
    if (result.ok) return undefined;
    giveBack();
    const cap = shared[result.refused];
    if (cap === undefined) throw new Error(`the ${store.name} store refused an unknown claim`);
    return { cap, state: result.state };
  };
  if (!isPending(reserved)) return decide(reserved);
  return Promise.resolve(reserved).then(decide, (error: unknown) => {
    giveBack();
    throw error;
  });
}

/** Reserves under all caps or none. */
export function reserve(
  store: Store,
  id: string,
  caps: readonly AnyCap[],
  {
    amountUnder,
    spending,
    time,
  }: { readonly amountUnder: AmountUnder; readonly spending: Spending; readonly time: Time },
): Eventually<Held | Refused> {
  const amounts = caps.map((cap) => whole(amountUnder(cap)));
  return after(
    reserveUnder(store, id, caps, { amounts, before: [], time }),
    (refused) => refused ?? new Held(store, id, caps, { amounts, spending }),
  );
}

/** The state of each cap, in order. */
export function statesOf(
  store: Store,
  caps: readonly AnyCap[],
  now: number,
): Eventually<readonly CounterState[]> {
  const counters = caps.flatMap((cap) => (cap instanceof CallCap ? [] : [cap.counter]));
  if (counters.length === 0) return caps.map(stateOfCall);
  return after(store.read(counters, now), (states) => {
    const next = states.values();
    return caps.map((cap) =>
      cap instanceof CallCap
        ? stateOfCall(cap)
        : (next.next().value ?? { settled: 0, reserved: 0 }),
    );
  });
}

function stateOfCall(cap: AnyCap): CounterState {
  const { settled, reserved } = cap instanceof CallCap ? cap : { settled: 0, reserved: 0 };
  return { settled, reserved };
}
