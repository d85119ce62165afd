import * as z from 'zod';
import { isTimeZone } from '../routing/rules.ts';

const count = z.int().nonnegative();
const dollars = z.number().nonnegative();

/** Each attempt is compared with each of them. */
const maxBudgets = 200;

/** US dollars, far below where nano-dollars are not exact any more. */
const maxUsd = 1_000_000;

const budget = z
  .strictObject({
    match: z.record(z.string(), z.string().optional()).optional(),
    by: z.string().min(1).optional(),
    usd: dollars.max(maxUsd).optional(),
    tokens: count.optional(),
    requests: count.optional(),
    per: z.enum(['minute', 'hour', 'day', 'month']),
    timeZone: z
      .string()
      .refine(isTimeZone, 'must be an IANA time zone, such as "Europe/Berlin"')
      .optional(),
    onExceeded: z.enum(['reject', 'downgrade', 'warn']).optional(),
    warnAt: z.array(z.number().gt(0).max(1)).optional(),
    unknownPrice: z
      .union([z.literal('refuse'), z.strictObject({ usdPerMillion: dollars })])
      .optional(),
  })
  .refine(
    ({ usd, tokens, requests }) => [usd, tokens, requests].some((cap) => cap !== undefined),
    'must set at least one of usd, tokens and requests',
  );

/** Budgets by name. */
export const budgets = z
  .record(z.string().min(1), budget)
  .refine(
    (all) => Object.keys(all).length <= maxBudgets,
    `must contain at most ${maxBudgets} budgets`,
  );

/** The options of a budget, for suggestions. */
export const budgetKeys: readonly string[] = Object.keys(budget.shape);

/** `maxUsd` of a call. */
export const callUsd = z.number().positive().max(maxUsd);
