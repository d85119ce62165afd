import * as z from 'zod';
import { configError, describeIssue, type Problem } from '../../config/problems.ts';
import type { Locate } from '../../internal/document-positions.ts';
import { once } from '../../internal/once.ts';
import type { CallDefaults } from '../../protocol/call-options.ts';
import type { JsonSchema } from '../../protocol/json.ts';
import { issueMessage } from '../../validation/wording.ts';
import type { EvalCase } from './eval-case.ts';
import type { Scorer } from './scorer.ts';

/** Cases whose answers are scored, and the tier whose targets are asked. */
export type Suite = {
  /** Unique among the suites. Also the name of its directory of results. */
  readonly name: string;
  readonly tier: string;
  /** Set either `cases` or `file`. */
  readonly cases?: readonly EvalCase[] | undefined;
  /** A file of cases: `.yaml`, `.json`, `.jsonl` or `.csv`, relative to the working directory. */
  readonly file?: string | undefined;
  /** The score of an answer is the weighted mean of theirs. */
  readonly scorers: readonly Scorer[];
  /** How often each target is asked each case: more than once against chance. @default 1 */
  readonly samples?: number | undefined;
  /** The least drop of the mean score that is a regression, from 0 to 1. @default 0.02 */
  readonly minEffect?: number | undefined;
  /** Options of the calls, such as `system`, `temperature` or `schema`. */
  readonly options?: (CallDefaults & { readonly schema?: JsonSchema | undefined }) | undefined;
};

/** More cases than anyone pays for, and few enough to keep in memory. */
const maxCases = 10_000;
const maxSamples = 100;

/** Names are parts of paths, tags and reports. */
const name = z
  .string()
  .regex(
    /^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,99}$/u,
    'must be 1 to 100 letters, digits, " ", ".", "_" or "-"',
  );

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null;

/** The schema of one case. */
const caseSchema = once(() =>
  z
    .strictObject({
      id: z
        .string()
        .regex(/^\P{C}{1,200}$/u, 'must be 1 to 200 characters, without control characters')
        .optional(),
      prompt: z.string().min(1).optional(),
      messages: z.array(z.custom(isObject, 'must be a message')).min(1).optional(),
      expected: z.unknown().optional(),
      tools: z.array(z.custom(isObject, 'must be a tool')).optional(),
      tags: z.record(z.string(), z.string()).optional(),
      weight: z.number().positive().optional(),
      answer: z.string().optional(),
      label: z.number().min(0).max(1).optional(),
    })
    .superRefine((each, context) => {
      const issue = (message: string): void => context.addIssue({ code: 'custom', message });
      if ((each.prompt === undefined) === (each.messages === undefined)) {
        issue('must have either "prompt" or "messages"');
      }
      if ((each.answer === undefined) !== (each.label === undefined)) {
        issue('"answer" and "label" belong together: an answer, and how a person graded it');
      }
    }),
);

const caseNames = [
  ...['id', 'prompt', 'messages', 'expected', 'tools', 'tags', 'weight', 'answer', 'label'],
];

const suiteSchema = once(() =>
  z
    .strictObject({
      name,
      tier: z.string().min(1),
      cases: z.array(z.unknown()).min(1).max(maxCases).optional(),
      file: z.string().min(1).optional(),
      scorers: z
        .array(
          z.custom(
            (scorer) =>
              typeof scorer === 'function' ||
              typeof Reflect.get(Object(scorer), 'score') === 'function',
            'must be a scorer, such as exact or judge({ … }), or a function',
          ),
        )
        .min(1),
      samples: z.int().min(1).max(maxSamples).optional(),
      minEffect: z.number().min(0).max(1).optional(),
      options: z.custom(isObject, 'must be an object').optional(),
    })
    .superRefine(({ cases, file, scorers }, context) => {
      for (const [index, scorer] of scorers.entries()) {
        const weight: unknown = Reflect.get(Object(scorer), 'weight') ?? 1;
        if (typeof weight === 'number' && weight > 0 && Number.isFinite(weight)) continue;
        const path = ['scorers', index, 'weight'];
        context.addIssue({ code: 'custom', message: 'must be a number above 0', path });
      }
      if ((cases === undefined) !== (file === undefined)) return;
      context.addIssue({ code: 'custom', message: 'must have either "cases" or "file"' });
    }),
);

const suiteNames = ['name', 'tier', 'cases', 'file', 'scorers', 'samples', 'minEffect', 'options'];

function messageOf(issue: z.core.$ZodRawIssue): string {
  if (issue.code === 'custom') return issue.message ?? 'is not valid';
  if (issue.code === 'invalid_format') return issue.message ?? 'is not valid';
  return issueMessage(issue);
}

/** What is wrong with data, by its schema. */
function problemsOf(
  schema: z.ZodType,
  names: readonly string[],
  data: unknown,
): readonly Problem[] {
  const { error } = schema.safeParse(data, { error: messageOf });
  return (error?.issues ?? []).flatMap((issue) => describeIssue(issue, () => names));
}

/** What is wrong with a case. */
export function caseProblems(data: unknown): readonly Problem[] {
  return problemsOf(caseSchema(), caseNames, data);
}

/** @throws SignalboxError `config` that lists every problem of the suite with its path */
export function checkSuite(data: unknown, locate?: Locate): asserts data is Suite {
  const found = problemsOf(suiteSchema(), suiteNames, data);
  const cases: unknown = Reflect.get(Object(data), 'cases');
  const inCases = (Array.isArray(cases) ? cases.slice(0, maxCases) : []).flatMap((each, index) =>
    caseProblems(each).map((problem) => ({ ...problem, path: ['cases', index, ...problem.path] })),
  );
  const problems = [...found, ...inCases];
  if (problems.length > 0) throw configError(problems, 'suite', locate);
}

/** How many cases a file may have. */
export function caseCountProblem(count: number): string | undefined {
  if (count === 0) return 'has no cases';
  return count > maxCases ? `has more than ${maxCases} cases` : undefined;
}

/**
 * Defines a suite for `createEvals`. A `file` is read when the suite is run.
 * @throws SignalboxError `config` that lists every problem with its path
 */
export function defineSuite(suite: Suite): Suite {
  checkSuite(suite);
  return suite;
}
