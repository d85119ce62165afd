import type { TagOptions } from './completion.ts';

/** `minute` is the last 60 seconds; the others are those of the calendar in `timeZone`. */
export type BudgetPeriod = 'minute' | 'hour' | 'day' | 'month';

/** What a cap counts. `requests` are those that were billed. */
export type BudgetUnit = 'usd' | 'tokens' | 'requests';

/** A budget. Set at least one of `usd`, `tokens` and `requests`; each is a cap of its own. */
export type BudgetSettings = {
  /** Only attempts with all of these tags. @default every attempt */
  readonly match?: TagOptions | undefined;
  /**
   * The name of a tag. Each of its values has the whole budget. Attempts without the tag share that of `(none)`.
   * @default one budget for all
   */
  readonly by?: string | undefined;
  /** US dollars. */
  readonly usd?: number | undefined;
  /** Tokens of requests and answers together. */
  readonly tokens?: number | undefined;
  /** Requests that were billed, retries and hedges included. */
  readonly requests?: number | undefined;
  readonly per: BudgetPeriod;
  /** IANA name, such as `Europe/Berlin`. Without effect for `minute`. @default 'UTC' */
  readonly timeZone?: string | undefined;
  /**
   * `reject`: the call fails with `budget_exceeded`. While only requests in flight leave no room, it waits for them, up to
   * its deadline. `downgrade`: targets that do not fit are passed over; the call fails when none fits. `warn`: only events.
   * @default 'reject'
   */
  readonly onExceeded?: 'reject' | 'downgrade' | 'warn' | undefined;
  /** Shares of the cap, such as `[0.5, 0.8]`, at which `budget-warning` is emitted. @default [] */
  readonly warnAt?: readonly number[] | undefined;
  /**
   * For `usd`: what a target of unknown price does. `refuse`: it is not used, except under `warn`. Or the US dollars per
   * million tokens, of requests and answers, to count instead.
   * @default 'refuse'
   */
  readonly unknownPrice?: 'refuse' | { readonly usdPerMillion: number } | undefined;
};

/** Current state of one cap. Amounts are in its unit. */
export type BudgetState = {
  readonly name: string;
  /** The value of the budget's `by` tag. Absent without `by`. */
  readonly by?: string;
  readonly unit: BudgetUnit;
  readonly limit: number;
  /** What was billed. */
  readonly settled: number;
  /** The most that requests in flight may cost. */
  readonly reserved: number;
  /** `limit` without `settled` and `reserved`, at least 0. */
  readonly left: number;
  /** Epoch milliseconds at which all of it is available again, if nothing else is spent. */
  readonly resetsAt: number;
};
