import type { Json } from '../protocol/json.ts';
import type {
  Claim,
  Counter,
  CounterState,
  Reservation,
  Store,
  StoredDocument,
} from '../protocol/store.ts';
import { type Expiring, ExpiryQueue } from './expiry-queue.ts';
import { WindowCounter } from './window-counter.ts';

/** What is used of a counter. */
export type Used = { readonly counter: Counter; readonly amount: number };

/** A change that outlives the process. Applied in the same order to an empty store, changes give the same state. */
export type Change =
  | { readonly type: 'settle'; readonly used: readonly Used[]; readonly now: number }
  | {
      readonly type: 'fact';
      readonly key: string;
      readonly value: Json;
      readonly now: number;
      readonly expiresAt: number;
    }
  | {
      readonly type: 'document';
      readonly key: string;
      readonly value: Json;
      readonly version: number;
    };

/** Where changes are written before they are made. */
export interface Journal {
  /** @throws to prevent the change */
  write(change: Change): void;
  close(): void;
}

type OpenReservation = Expiring & {
  readonly id: string;
  readonly counters: readonly WindowCounter[];
  readonly amounts: readonly number[];
};

type Fact = Expiring & { readonly key: string; readonly value: Json };

const zero: CounterState = { settled: 0, reserved: 0 };

function checkAmount(amount: number, key: string): void {
  if (Number.isSafeInteger(amount) && amount >= 0) return;
  throw new RangeError(
    `store: the amount of "${key}" must be a whole number from 0 to ${Number.MAX_SAFE_INTEGER}, not ${String(amount)}`,
  );
}

function checkTime(time: number, name: string): void {
  if (Number.isFinite(time)) return;
  throw new RangeError(`store: ${name} must be epoch milliseconds, not ${String(time)}`);
}

function checkWindow({ key, window }: Counter): void {
  if ('until' in window) checkTime(window.until, `the end of "${key}"`);
  else if (!(window.lastMs > 0 && Number.isFinite(window.lastMs))) {
    throw new RangeError(`store: lastMs of "${key}" must be a positive number of milliseconds`);
  }
}

function checkSum(sum: number, key: string): void {
  if (sum <= Number.MAX_SAFE_INTEGER) return;
  throw new RangeError(`store: the counter "${key}" would exceed ${Number.MAX_SAFE_INTEGER}`);
}

function frozen(value: Json): Json {
  if (typeof value !== 'object' || value === null) return value;
  for (const inner of Object.values(value)) frozen(inner);
  return Object.freeze(value);
}

const byCodeUnit = (a: string, b: string): number => (a < b ? -1 : 1);

/** A copy that nobody can change, as it is after being written and read. */
function copied(value: Json, key: string): Json {
  const text: string | undefined = JSON.stringify(value);
  if (text === undefined) throw new TypeError(`store: the value of "${key}" must be JSON`);
  return frozen(JSON.parse(text));
}

/** A store in the memory of the process. With a journal, its changes are written there first. */
export class MemoryStore implements Store {
  readonly name: string;
  readonly survivesRestart: boolean;
  readonly #journal: Journal | undefined;
  readonly #counters = new Map<string, WindowCounter>();
  readonly #reservations = new Map<string, OpenReservation>();
  readonly #facts = new Map<string, Fact>();
  readonly #documents = new Map<string, StoredDocument>();
  readonly #listeners = new Map<string, Set<() => void>>();
  readonly #counterExpiry = new ExpiryQueue<WindowCounter>();
  readonly #reservationExpiry = new ExpiryQueue<OpenReservation>();
  readonly #factExpiry = new ExpiryQueue<Fact>();
  #isClosed = false;

  constructor(name: string, journal?: Journal) {
    this.name = name;
    this.survivesRestart = journal !== undefined;
    this.#journal = journal;
  }

  reserve(
    id: string,
    claims: readonly Claim[],
    { now, expiresAt }: { readonly now: number; readonly expiresAt: number },
  ): Reservation {
    checkTime(expiresAt, 'expiresAt');
    this.#begin(now);
    const old = this.#reservations.get(id);
    for (const [index, { counter, amount, limit }] of claims.entries()) {
      checkWindow(counter);
      checkAmount(amount, counter.key);
      if (!(limit >= 0)) throw new RangeError(`store: the limit of "${counter.key}" must be >= 0`);
      const { settled, reserved } = this.#stateOf(counter.key, now);
      const others = reserved - amountIn(old, this.#counters.get(counter.key));
      let sum = settled + others + amount;
      for (let before = 0; before < index; before++) {
        const claim = claims[before];
        if (claim?.counter.key === counter.key) sum += claim.amount;
      }
      if (sum > limit) return { ok: false, refused: index, state: { settled, reserved: others } };
      checkSum(sum, counter.key);
    }
    const freed = old === undefined ? [] : this.#release(old);
    if (expiresAt > now) this.#open(id, claims, now, expiresAt);
    this.#notify(freed);
    return { ok: true };
  }

  settle(id: string, used: readonly Used[], now: number): void {
    this.#begin(now);
    this.#checkUsed(used, now);
    if (used.some(({ amount }) => amount > 0)) this.#journal?.write({ type: 'settle', used, now });
    const reservation = this.#reservations.get(id);
    const freed = reservation === undefined ? [] : this.#release(reservation);
    this.#count(used, now);
    this.#notify(freed);
  }

  read(counters: readonly Counter[], now: number): readonly CounterState[] {
    this.#begin(now);
    return counters.map((counter) => this.#stateOf(counter.key, now));
  }

  list(
    prefix: string,
    { now, max }: { readonly now: number; readonly max: number },
  ): readonly ({ readonly key: string } & CounterState)[] {
    this.#begin(now);
    const keys = [...this.#counters.keys()]
      .filter((key) => key.startsWith(prefix))
      .sort(byCodeUnit);
    return keys.slice(0, max).map((key) => ({ key, ...this.#stateOf(key, now) }));
  }

  fact(key: string, now: number): Json | undefined {
    this.#begin(now);
    return this.#facts.get(key)?.value;
  }

  setFact(
    key: string,
    value: Json,
    { now, expiresAt }: { readonly now: number; readonly expiresAt: number },
  ): void {
    checkTime(expiresAt, 'expiresAt');
    this.#begin(now);
    const change: Change = { type: 'fact', key, value: copied(value, key), now, expiresAt };
    this.#journal?.write(change);
    this.#setFact(change);
    this.#notify([key]);
  }

  document(key: string): StoredDocument | undefined {
    this.#checkOpen();
    return this.#documents.get(key);
  }

  replaceDocument(key: string, value: Json, version: number | undefined): number | undefined {
    this.#checkOpen();
    const copy = copied(value, key);
    if (this.#documents.get(key)?.version !== version) return undefined;
    const next = (version ?? 0) + 1;
    this.#journal?.write({ type: 'document', key, value: copy, version: next });
    this.#documents.set(key, { value: copy, version: next });
    this.#notify([key]);
    return next;
  }

  watch(key: string, listener: () => void): () => void {
    this.#checkOpen();
    // The same function may watch twice.
    const call = (): void => listener();
    const calls = this.#listeners.get(key) ?? new Set();
    this.#listeners.set(key, calls.add(call));
    return () => {
      calls.delete(call);
      if (calls.size === 0 && this.#listeners.get(key) === calls) this.#listeners.delete(key);
    };
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#listeners.clear();
    this.#journal?.close();
  }

  /** Makes a change that was written before. */
  restore(change: Change): void {
    if (change.type === 'document') {
      this.#documents.set(change.key, {
        value: copied(change.value, change.key),
        version: change.version,
      });
      return;
    }
    this.#begin(change.now);
    if (change.type === 'fact') {
      this.#setFact({ ...change, value: copied(change.value, change.key) });
      return;
    }
    this.#checkUsed(change.used, change.now);
    this.#count(change.used, change.now);
  }

  /** The fewest changes that give the state at `now`, without the reservations. */
  *changes(now: number): Generator<Change> {
    this.#begin(now);
    for (const counter of this.#counters.values()) {
      const { key, window } = counter;
      for (const { at, amount } of counter.amounts(now)) {
        yield { type: 'settle', used: [{ counter: { key, window }, amount }], now: at };
      }
    }
    for (const { key, value, expiresAt } of this.#facts.values()) {
      yield { type: 'fact', key, value, now, expiresAt };
    }
    for (const [key, { value, version }] of this.#documents) {
      yield { type: 'document', key, value, version };
    }
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new Error(`the ${this.name} store is closed`);
  }

  /** Ends what has expired. */
  #begin(now: number): void {
    this.#checkOpen();
    checkTime(now, 'now');
    for (
      let reservation = this.#reservationExpiry.take(now);
      reservation !== undefined;
      reservation = this.#reservationExpiry.take(now)
    ) {
      this.#reservations.delete(reservation.id);
      this.#notify(giveBack(reservation));
    }
    for (
      let counter = this.#counterExpiry.take(now);
      counter !== undefined;
      counter = this.#counterExpiry.take(now)
    ) {
      if (counter.extend(now)) this.#counterExpiry.add(counter);
      else this.#counters.delete(counter.key);
    }
    for (let fact = this.#factExpiry.take(now); fact; fact = this.#factExpiry.take(now)) {
      this.#facts.delete(fact.key);
    }
  }

  #stateOf(key: string, now: number): CounterState {
    const counter = this.#counters.get(key);
    if (counter === undefined) return zero;
    counter.forget(now);
    return { settled: counter.settled, reserved: counter.reserved };
  }

  /** The counter, made if there is none; `undefined` when its window has ended. */
  #counterFor(counter: Counter, now: number): WindowCounter | undefined {
    const known = this.#counters.get(counter.key);
    if (known !== undefined) return known;
    const made = new WindowCounter(counter, now);
    if (made.expiresAt <= now) return undefined;
    this.#counters.set(counter.key, made);
    this.#counterExpiry.add(made);
    return made;
  }

  #open(id: string, claims: readonly Claim[], now: number, expiresAt: number): void {
    const counters: WindowCounter[] = [];
    const amounts: number[] = [];
    for (const { counter, amount } of claims) {
      const made = this.#counterFor(counter, now);
      if (made === undefined) continue;
      made.reserved += amount;
      counters.push(made);
      amounts.push(amount);
    }
    const reservation: OpenReservation = { id, counters, amounts, expiresAt, isGone: false };
    this.#reservations.set(id, reservation);
    this.#reservationExpiry.add(reservation);
  }

  /** Ends a reservation. Returns the keys of its counters. */
  #release(reservation: OpenReservation): readonly string[] {
    this.#reservations.delete(reservation.id);
    this.#reservationExpiry.drop(reservation);
    return giveBack(reservation);
  }

  #checkUsed(used: readonly Used[], now: number): void {
    for (const [index, { counter, amount }] of used.entries()) {
      checkWindow(counter);
      checkAmount(amount, counter.key);
      let sum = amount;
      for (let before = 0; before < index; before++) {
        const each = used[before];
        if (each?.counter.key === counter.key) sum += each.amount;
      }
      const { settled, reserved } = this.#stateOf(counter.key, now);
      checkSum(settled + reserved + sum, counter.key);
    }
  }

  #count(used: readonly Used[], now: number): void {
    for (const { counter, amount } of used) this.#counterFor(counter, now)?.add(amount, now);
  }

  #setFact({ key, value, now, expiresAt }: Extract<Change, { type: 'fact' }>): void {
    const old = this.#facts.get(key);
    if (old !== undefined) this.#factExpiry.drop(old);
    this.#facts.delete(key);
    if (expiresAt <= now) return;
    const fact: Fact = { key, value, expiresAt, isGone: false };
    this.#facts.set(key, fact);
    this.#factExpiry.add(fact);
  }

  #notify(keys: readonly string[]): void {
    if (this.#listeners.size === 0) return;
    for (const key of keys) {
      for (const call of [...(this.#listeners.get(key) ?? [])]) {
        try {
          call();
        } catch {
          // A listener must not break the operation of another caller.
        }
      }
    }
  }
}

/** Takes the amounts of a reservation off its counters. Returns their keys. */
function giveBack({ counters, amounts }: OpenReservation): readonly string[] {
  for (const [index, counter] of counters.entries()) counter.reserved -= amounts[index] ?? 0;
  return counters.map(({ key }) => key);
}

function amountIn(
  reservation: OpenReservation | undefined,
  counter: WindowCounter | undefined,
): number {
  if (reservation === undefined) return 0;
  const { counters, amounts } = reservation;
  return counters.reduce((sum, each, i) => (each === counter ? sum + (amounts[i] ?? 0) : sum), 0);
}

/** A store in memory, bounded by what has not expired. What was used is forgotten with the process. */
export function memoryStore(): Store {
  return new MemoryStore('memory');
}
