import type { TagOptions } from './completion.ts';

export type Weekday = 'mon' | 'tue' | 'wed' | 'thu' | 'fri' | 'sat' | 'sun';

/** The conditions of a rule. All of them must hold. Without any, the rule matches every call. */
export type RuleConditions<TierName extends string = string> = {
  /** The call is made to one of these tiers. @default any */
  readonly tiers?: readonly TierName[] | undefined;
  /** The call has all of these tags, those of the router and the tier included. */
  readonly tags?: TagOptions | undefined;
  /** Estimated tokens of the request: messages, `system` and tools. Both bounds are exclusive. */
  readonly inputTokens?:
    | { readonly above?: number | undefined; readonly below?: number | undefined }
    | undefined;
  /** Whether the call has tools. */
  readonly tools?: boolean | undefined;
  /** Whether the messages have images. */
  readonly images?: boolean | undefined;
  /** Whether the messages have files. */
  readonly files?: boolean | undefined;
  /** Whether the call has a `schema`. */
  readonly schema?: boolean | undefined;
  /**
   * A regular expression in the syntax of RE2, searched in the first 8,000 characters of the user's text: that of all
   * messages of the role `user`, of the values of `embed`, or the prompt of `image`. Needs the package `re2js`.
   */
  readonly matches?: string | undefined;
  /** `HH:MM-HH:MM` in the time zone; the end is excluded. `22:00-06:00` is a night, and belongs to its first day. */
  readonly hours?: string | undefined;
  readonly weekdays?: readonly Weekday[] | undefined;
  /** IANA name, such as `Europe/Berlin`. @default 'UTC' */
  readonly timeZone?: string | undefined;
};
