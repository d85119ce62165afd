import type { Json } from './json.ts';

/** At once where the data is in the process, as a promise where it is elsewhere. */
export type Eventually<T> = T | PromiseLike<T>;

/**
 * What is used up in a window of time. Amounts are whole numbers from 0 to `Number.MAX_SAFE_INTEGER`, such as
 * nano-dollars or tokens, and so is the sum of what a counter holds. A key always has the same window.
 *
 * - `until`: one window, which ends then (epoch milliseconds). The next one is another counter, with another key. From
 *   then on its state is zero, and what is settled under it is forgotten.
 * - `lastMs`: a rolling window. An amount is forgotten that long after it was settled. A store may keep the amounts of a
 *   sixtieth of the window together, and forget all of them with the latest: never too early.
 */
export type Counter = {
  readonly key: string;
  readonly window: { readonly until: number } | { readonly lastMs: number };
};

/** What a reservation wants of a counter. */
export type Claim = {
  readonly counter: Counter;
  readonly amount: number;
  /** The most that may be settled and reserved together. `Infinity`: it is counted and never refused. */
  readonly limit: number;
};

/** Whole numbers in the unit of the counter. */
export type CounterState = {
  /** Used for good. */
  readonly settled: number;
  /** Of the open reservations that have not expired. */
  readonly reserved: number;
};

/**
 * `refused` is the position of the first claim for which there is no room. `state` is that of its counter, without the
 * reservation that would have been replaced.
 */
export type Reservation =
  | { readonly ok: true }
  | { readonly ok: false; readonly refused: number; readonly state: CounterState };

/** A document with the version under which it may be replaced. */
export type StoredDocument = { readonly value: Json; readonly version: number };

/**
 * What routers share, and what survives a restart: counters with reservations, facts that expire, documents. It knows
 * nothing of budgets or targets. `storeContract` of `signalbox/testing` checks an implementation.
 *
 * Times are finite numbers, epoch milliseconds of the caller's clock. Values are copied when they are stored; those that
 * are returned must not be changed. An amount, a limit or a time that is not valid is an error. Every operation is atomic, and an operation that throws or rejects
 * has changed nothing. A change is kept as well as the store keeps anything when its method returns, or when the returned
 * promise resolves.
 */
export interface Store {
  /** `memory`, `file`, … for messages. */
  readonly name: string;
  /** Whether what was settled is still there after a restart of the process. */
  readonly survivesRestart: boolean;

  /**
   * Reserves all claims or none. Claims of the same counter add up. Under an `id` that is open already it replaces that reservation, whose amounts do not
   * count against the new ones; if it is refused, the open one stays. From `expiresAt` on, a reservation that its maker
   * did not end, such as that of a killed process, no longer counts.
   */
  reserve(
    id: string,
    claims: readonly Claim[],
    time: { readonly now: number; readonly expiresAt: number },
  ): Eventually<Reservation>;
  /**
   * Ends a reservation, expired or not, and counts what was used: more or less than was reserved, nothing without
   * `used`. A counter that the reservation does not have is counted too. Called once for each id; a store whose client may send
   * a command twice counts it once.
   */
  settle(
    id: string,
    used: readonly { readonly counter: Counter; readonly amount: number }[],
    now: number,
  ): Eventually<void>;
  /** The state of each counter, in order. One that nobody has used is zero. */
  read(counters: readonly Counter[], now: number): Eventually<readonly CounterState[]>;
  /** The counters whose key begins so and whose window has not ended: the first `max` by key. Those that are zero may be missing. */
  list(
    prefix: string,
    options: { readonly now: number; readonly max: number },
  ): Eventually<readonly ({ readonly key: string } & CounterState)[]>;

  /** A fact that has not expired. */
  fact(key: string, now: number): Eventually<Json | undefined>;
  /** Replaces the fact of that key, also by one that expires earlier. One that is expired already removes it. */
  setFact(
    key: string,
    value: Json,
    time: { readonly now: number; readonly expiresAt: number },
  ): Eventually<void>;

  document(key: string): Eventually<StoredDocument | undefined>;
  /**
   * Replaces the document if it still has that version, `undefined` if there is none yet. Returns the new version, or
   * `undefined` when another writer was first.
   */
  replaceDocument(
    key: string,
    value: Json,
    version: number | undefined,
  ): Eventually<number | undefined>;

  /**
   * Calls `listener` after the fact or the document of that key has changed, or room became free under the counter of
   * that key (a reservation ended, became smaller, or expired as far as the store notices). It may also be called for
   * nothing. Returns a function that ends it. What the listener throws is ignored.
   */
  watch(key: string, listener: () => void): () => void;
  /** Releases files and connections. Later operations throw or reject. */
  close(): Eventually<void>;
}
