import type * as z from 'zod';
import { quotedList } from '../internal/quoted.ts';

/** What a value must be, by the schema's name of its type. */
const types: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  null: 'null',
};

/** The types of JSON. A union of all of them accepts any JSON. */
const jsonTypes = ['string', 'number', 'boolean', 'null', 'array', 'record'];

function sizeProblem(origin: string, bound: string): string {
  if (bound === 'at least 1' && (origin === 'array' || origin === 'string')) {
    return 'must not be empty';
  }
  if (origin === 'array') return `must have ${bound} elements`;
  return origin === 'string' ? `must have ${bound} characters` : `must be ${bound}`;
}

function typeProblem(expected: string, input: unknown): string {
  const isFractional = expected === 'number' && typeof input === 'number';
  const wanted = isFractional ? 'a finite number' : (types[expected] ?? 'something else');
  return input === undefined ? `is missing; it must be ${wanted}` : `must be ${wanted}`;
}

/** The types that the alternatives of a union expect, without those that accept the type and reject the content. */
function expectedTypes(errors: readonly (readonly z.core.$ZodIssue[])[]): readonly string[] {
  return errors.flatMap(([issue]) =>
    issue?.code === 'invalid_type' && issue.path.length === 0 ? [issue.expected] : [],
  );
}

/** The alternatives of a union in words, each once: `true or false, or an object`. */
function unionProblem(errors: readonly (readonly z.core.$ZodIssue[])[]): string {
  const found = expectedTypes(errors);
  if (jsonTypes.every((type) => found.includes(type))) return 'must be JSON';
  const wanted = errors.flatMap(([issue]) => issue?.message.replace(/^must be /, '') ?? []);
  return `must be ${[...new Set(wanted)].join(', or ')}`;
}

/** Describes a problem of a value in the words of the other messages. For the option `error` of a schema's parser. */
export function issueMessage(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return typeProblem(issue.expected, issue.input);
    case 'invalid_value':
      return `must be one of ${quotedList(issue.values.map(String))}`;
    case 'too_small':
      return sizeProblem(
        issue.origin,
        `${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}`,
      );
    case 'too_big':
      return sizeProblem(
        issue.origin,
        `${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}`,
      );
    case 'invalid_union':
      return unionProblem(issue.errors);
    default:
      return 'is not valid';
  }
}

/**
 * The issues of the alternative that the value was probably meant for: the one that accepts its type. A union has no
 * issues below the value itself otherwise.
 */
export function meantIssues(issue: z.core.$ZodIssue): readonly z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const meant = issue.errors.filter((issues) =>
    issues.every(({ code, path }) => path.length > 0 || code === 'unrecognized_keys'),
  );
  const [issues] = meant;
  if (meant.length !== 1 || issues === undefined) return [issue];
  return issues.flatMap((each) =>
    meantIssues({ ...each, path: [...issue.path, ...each.path] } as z.core.$ZodIssue),
  );
}
