import { linearPattern } from '../../internal/linear-pattern.ts';
import type { Json, JsonSchema } from '../../protocol/json.ts';
import type { StandardSchema } from '../../protocol/standard-schema.ts';
import { plainValidator } from '../../validation/json-schema.ts';
import { type BuiltInScorer, builtIn, type ScorerOptions } from './scorer.ts';

type CaseOptions = ScorerOptions & {
  /** @default false */
  readonly ignoreCase?: boolean | undefined;
};

type JsonRecord = { readonly [key: string]: Json };

function isRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isScalar(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

/** The texts in `expected`: one, or a list. */
function textsOf(expected: unknown): readonly string[] {
  const list = Array.isArray(expected) ? expected : [expected];
  return list.filter(isScalar).map(String);
}

function isTexts(expected: unknown): boolean {
  if (!Array.isArray(expected)) return isScalar(expected);
  return expected.length > 0 && expected.every(isScalar);
}

function folded(text: string, { ignoreCase = false }: CaseOptions): string {
  return ignoreCase ? text.trim().toLowerCase() : text.trim();
}

/** Whether `value` has everything that `part` has: fields of objects may be more, lists are equal. */
function contains(value: unknown, part: unknown): boolean {
  if (isRecord(part)) {
    if (!isRecord(value)) return false;
    return Object.entries(part).every(
      ([name, each]) => Object.hasOwn(value, name) && contains(value[name], each),
    );
  }
  if (!Array.isArray(part)) return Object.is(value, part);
  if (!Array.isArray(value) || value.length !== part.length) return false;
  return part.every((each, index) => contains(value[index], each));
}

function isEqual(left: unknown, right: unknown): boolean {
  return contains(left, right) && contains(right, left);
}

/** JSON in a text, as in a column of a CSV file, or in a block of Markdown as models write it. */
function jsonIn(text: string): unknown {
  const block = /^```\w*\n([\s\S]*)\n```$/.exec(text.trim());
  try {
    return JSON.parse(block?.[1] ?? text);
  } catch {
    return undefined;
  }
}

/** `expected`, which is a text where it comes from a CSV file. */
function structured(expected: unknown): unknown {
  return typeof expected === 'string' ? jsonIn(expected) : expected;
}

/**
 * 1 if the text is `expected`, or one of a list, apart from white space around it. An object or a list of objects is
 * compared with the answer as JSON.
 */
export const exact: BuiltInScorer<CaseOptions> = builtIn<CaseOptions>({
  name: 'exact',
  check: ({ expected }) => (expected === undefined ? 'exact needs "expected"' : undefined),
  score({ text, object }, { expected }, options) {
    if (!isTexts(expected)) return isEqual(object ?? jsonIn(text), expected) ? 1 : 0;
    const given = folded(text, options);
    return textsOf(expected).some((each) => folded(each, options) === given) ? 1 : 0;
  },
});

/** The share of the texts in `expected`, one or a list, that are in the answer. */
export const includes: BuiltInScorer<CaseOptions> = builtIn<CaseOptions>({
  name: 'includes',
  check: ({ expected }) =>
    isTexts(expected) ? undefined : 'includes needs "expected": a text, or a list of texts',
  score({ text }, { expected }, options) {
    const given = folded(text, options);
    const texts = textsOf(expected);
    return texts.filter((each) => given.includes(folded(each, options))).length / texts.length;
  },
});

type MatchesOptions = ScorerOptions & {
  /** In RE2 syntax. @default the case's `expected` */
  readonly pattern?: string | undefined;
};

/** 1 if a part of the text matches the regular expression in `expected`, which is in RE2 syntax. Needs `re2js`. */
export const matches: BuiltInScorer<MatchesOptions> = builtIn<MatchesOptions>({
  name: 'matches',
  check({ expected }, { pattern = expected }) {
    if (typeof pattern !== 'string') return 'matches needs "expected": a regular expression';
    try {
      linearPattern(pattern);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : 'matches: the pattern cannot be used';
    }
  },
  score: ({ text }, { expected }, { pattern = expected }) =>
    linearPattern(String(pattern)).test(text) ? 1 : 0,
});

type JsonSchemaOptions = ScorerOptions & {
  /** @default the case's `expected` */
  readonly schema?: JsonSchema | undefined;
};

function validatorOf(schema: unknown): StandardSchema | undefined {
  try {
    return isRecord(schema) ? plainValidator(schema) : undefined;
  } catch {
    return undefined;
  }
}

/** 1 if the answer is JSON that is valid by the JSON Schema in `expected`. */
export const jsonSchema: BuiltInScorer<JsonSchemaOptions> = builtIn<JsonSchemaOptions>({
  name: 'jsonSchema',
  check: ({ expected }, { schema = structured(expected) }) =>
    validatorOf(schema) === undefined ? 'jsonSchema needs "expected": a JSON Schema' : undefined,
  score({ text, object }, { expected }, { schema = structured(expected) }) {
    const value = object ?? jsonIn(text);
    const result =
      value === undefined ? undefined : validatorOf(schema)?.['~standard'].validate(value);
    // Plain JSON Schema is validated at once.
    return result !== undefined && 'issues' in result && result.issues !== undefined
      ? 0
      : result === undefined
        ? 0
        : 1;
  },
});

type NumericOptions = ScorerOptions & {
  /** How far off the number may be. @default 0 */
  readonly tolerance?: number | undefined;
  /** The same as a share of the expected number, such as 0.01. @default 0 */
  readonly relative?: number | undefined;
};

const numbers = /[-+]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:e[-+]?\d+)?/gi;
/** The minus of typography, which models write in formulas. */
const minusSign = '\u2212';

/** The last number in a text: an answer ends with its result. One that is too large for a number is none. */
function numberIn(text: string): number | undefined {
  const last = text.replaceAll(minusSign, '-').match(numbers)?.at(-1)?.replaceAll(',', '');
  return numberOf(last);
}

function numberOf(value: unknown): number | undefined {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}

/** The expected number and its tolerance: `3.14`, or `{ value: 3.14, tolerance: 0.01 }`. */
function expectedNumber(expected: unknown): {
  readonly value?: number;
  readonly tolerance?: number;
} {
  const { value = expected, tolerance } = isRecord(expected)
    ? expected
    : { value: expected, tolerance: undefined };
  const number = numberOf(value);
  const given = numberOf(tolerance);
  return {
    ...(number !== undefined && { value: number }),
    ...(given !== undefined && { tolerance: given }),
  };
}

/** 1 if the last number in the answer is `expected`, within the tolerance. */
export const numeric: BuiltInScorer<NumericOptions> = builtIn<NumericOptions>({
  name: 'numeric',
  check: ({ expected }) =>
    expectedNumber(expected).value === undefined
      ? 'numeric needs "expected": a number, or { value, tolerance }'
      : undefined,
  score({ text, object }, { expected }, { tolerance = 0, relative = 0 }) {
    const wanted = expectedNumber(expected);
    const found = numberOf(object) ?? numberIn(text);
    if (wanted.value === undefined || found === undefined) return 0;
    const allowed = Math.max(wanted.tolerance ?? tolerance, relative * Math.abs(wanted.value));
    // The difference of two decimals is rarely exact.
    const rounding = Number.EPSILON * 4 * Math.max(Math.abs(found), Math.abs(wanted.value));
    return Math.abs(found - wanted.value) <= allowed + rounding ? 1 : 0;
  },
});

/** The tool calls in `expected`: one, or a list, which may be empty. */
function expectedCalls(expected: unknown): readonly JsonRecord[] | undefined {
  const value = structured(expected);
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  const calls = list.filter(isRecord).filter(({ name }) => typeof name === 'string');
  return calls.length === list.length ? calls : undefined;
}

/**
 * The share of the tool calls in `expected` (`{ name, arguments }`, or a list) that the answer has. Its arguments may be
 * more than those expected. With an empty list, the answer must call no tool.
 */
export const toolCall: BuiltInScorer<ScorerOptions> = builtIn<ScorerOptions>({
  name: 'toolCall',
  check: ({ expected }) =>
    expectedCalls(expected) === undefined
      ? 'toolCall needs "expected": { name, arguments }, or a list of these'
      : undefined,
  score({ toolCalls }, { expected }) {
    const wanted = expectedCalls(expected) ?? [];
    if (wanted.length === 0) return toolCalls.length === 0 ? 1 : 0;
    const left = [...toolCalls];
    let found = 0;
    for (const { name, arguments: input = {} } of wanted) {
      const index = left.findIndex((each) => each.name === name && contains(each.input, input));
      if (index < 0) continue;
      left.splice(index, 1);
      found += 1;
    }
    return found / wanted.length;
  },
});
