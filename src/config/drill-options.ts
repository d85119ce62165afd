import * as z from 'zod';
import { dataFlaws } from '../internal/caller-data.ts';
import { once } from '../internal/once.ts';
import { quoted } from '../internal/quoted.ts';
import type { DrillFault, DrillOptions } from '../protocol/drill.ts';
import { issueMessage } from '../validation/wording.ts';
import { defaults } from './defaults.ts';
import { configError, describeIssue, flawProblems, type Problem } from './problems.ts';

const faults = once(() => {
  const milliseconds = z.number().positive();
  const parts = z.int().nonnegative().default(defaults.drillAfterParts);
  return {
    connection: z.strictObject({ type: z.literal('connection') }),
    timeout: z.strictObject({ type: z.literal('timeout') }),
    rate_limited: z.strictObject({
      type: z.literal('rate_limited'),
      retryAfterMs: milliseconds.optional(),
    }),
    server_error: z.strictObject({ type: z.literal('server_error') }),
    overloaded: z.strictObject({ type: z.literal('overloaded') }),
    slow: z.strictObject({
      type: z.literal('slow'),
      delayMs: milliseconds.default(defaults.drillDelayMs),
    }),
    cut: z.strictObject({ type: z.literal('cut'), afterParts: parts }),
    truncated: z.strictObject({ type: z.literal('truncated'), afterParts: parts }),
    invalid_output: z.strictObject({ type: z.literal('invalid_output') }),
  } as const satisfies Record<DrillFault['type'], z.ZodType>;
});

const drillSchema = once(() => {
  const by = faults();
  const fault = z.preprocess(
    (value) => (typeof value === 'string' ? { type: value } : value),
    z.discriminatedUnion('type', [
      by.connection,
      by.timeout,
      by.rate_limited,
      by.server_error,
      by.overloaded,
      by.slow,
      by.cut,
      by.truncated,
      by.invalid_output,
    ]),
  );

  return z
    .strictObject({
      tier: z.string(),
      fault,
      targets: z
        .array(z.string())
        .min(1, 'must contain at least one target; omit it for the default')
        .optional(),
      forMs: z.number().positive(),
      share: z.number().gt(0).max(1).optional(),
      tag: z
        .record(z.string(), z.string())
        .refine((tag) => Object.keys(tag).length > 0, 'must name at least one tag')
        .optional(),
    })
    .refine(({ share, tag }) => share !== undefined || tag !== undefined, {
      path: ['share'],
      message: 'say which calls are drilled: a share of them (0 to 1), or a tag',
    });
});

/** The options of a drill, with the defaults of its fault. */
export type CheckedDrill = Readonly<z.output<ReturnType<typeof drillSchema>>>;

/** A fault with its defaults. */
export type CheckedFault = CheckedDrill['fault'];

/** Lists the fault names for an unknown fault. */
function describeFault(issue: z.core.$ZodIssue): readonly Problem[] {
  if (issue.code !== 'invalid_union' || issue.path[0] !== 'fault') {
    return describeIssue(issue, () => Object.keys(drillSchema().shape));
  }
  return [{ path: ['fault'], message: `must be one of ${Object.keys(faults()).join(', ')}` }];
}

/**
 * Validates the options of a drill and adds defaults. `chain` are the targets of the tier.
 * @throws SignalboxError `config` that lists every problem.
 */
export function checkDrillOptions(options: DrillOptions, chain: readonly string[]): CheckedDrill {
  const flaws = dataFlaws(options).filter(({ kind }) => kind === 'nesting');
  if (flaws.length > 0) throw configError(flawProblems(flaws), 'drill');
  const { data, error } = drillSchema().safeParse(options, { error: issueMessage });
  const problems: Problem[] = (error?.issues ?? []).flatMap(describeFault);
  const known = new Set(chain);
  for (const [index, target] of (data?.targets ?? []).entries()) {
    if (known.has(target)) continue;
    const hint = { name: target, known: chain, otherwise: 'list' } as const;
    problems.push({
      path: ['targets', index],
      message: `the tier does not ask ${quoted(target)}`,
      hint,
    });
  }
  if (data === undefined || problems.length > 0) throw configError(problems, 'drill');
  return data;
}
