import { configError, type Problem } from '../../config/problems.ts';
import type { Message } from '../../protocol/message.ts';
import type { EvalCase, IdentifiedCase } from './eval-case.ts';
import { casesOf, readSuiteFile } from './read-suite.ts';
import { type NamedScorer, namedScorer } from './scorer.ts';
import { checkSuite, type Suite } from './suite.ts';

/** A case that targets are asked. */
export type AskedCase = IdentifiedCase & {
  /** Changes with everything that its score depends on. */
  readonly hash: string;
};

/** A suite that can be run. */
export type LoadedSuite = {
  readonly name: string;
  readonly tier: string;
  readonly samples: number;
  readonly minEffect: number;
  readonly options: NonNullable<Suite['options']>;
  readonly scorers: readonly NamedScorer[];
  readonly cases: readonly AskedCase[];
  /** The cases with a label, which are not asked. */
  readonly labelled: readonly IdentifiedCase[];
  /** Changes with everything that its results depend on. */
  readonly fingerprint: string;
};

const defaultMinEffect = 0.02;

/** The same text for the same data, whatever the order of its fields. Functions are left out. */
function canonical(value: unknown): string {
  return (
    JSON.stringify(value, (_, each: unknown) => {
      if (typeof each !== 'object' || each === null) return each;
      // A Standard Schema is code: what it accepts cannot be read.
      if ('~standard' in each) return 'schema';
      if (ArrayBuffer.isView(each)) {
        return Buffer.from(each.buffer, each.byteOffset, each.byteLength).toString('base64');
      }
      if (Array.isArray(each)) return each;
      return Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)));
    }) ?? 'undefined'
  );
}

const hashLength = 12;

function hashOf(...values: readonly unknown[]): string {
  const { hash } = process.getBuiltinModule('node:crypto');
  return hash('sha256', values.map(canonical).join('\n'), 'hex').slice(0, hashLength);
}

function contentOf({ prompt, messages, expected, tools, answer }: EvalCase): unknown {
  return { prompt, messages, expected, tools, answer };
}

/** What `router.complete` takes. */
export function messagesOf({ prompt, messages }: EvalCase): string | readonly Message[] {
  return prompt ?? messages ?? '';
}

/** Different names for the scorers: a second one of the same name gets a number. */
function withUniqueNames(scorers: readonly NamedScorer[]): readonly NamedScorer[] {
  const counts = new Map<string, number>();
  return scorers.map((scorer) => {
    const count = (counts.get(scorer.name) ?? 0) + 1;
    counts.set(scorer.name, count);
    return count === 1 ? scorer : { ...scorer, name: `${scorer.name} ${count}` };
  });
}

/**
 * Loads a suite: reads its file, gives every case an id, and checks that the scorers can score it.
 * @throws SignalboxError `config` that lists every problem with where it is
 */
export async function loadSuite(given: Suite | string): Promise<LoadedSuite> {
  const suite = typeof given === 'string' ? await readSuiteFile(given) : given;
  // `defineSuite` is not called by all.
  if (typeof given !== 'string') checkSuite(suite);
  const { name, tier, samples = 1, minEffect = defaultMinEffect, options = {} } = suite;
  const scorers = withUniqueNames(suite.scorers.map(namedScorer));
  const problems: Problem[] = [];
  const places = new Map<string, string>();
  const asked: AskedCase[] = [];
  const labelled: IdentifiedCase[] = [];
  const basis = { options, scorers: scorers.map((each) => [each.name, each.weight, each.options]) };
  for (const { data, place } of await casesOf(suite)) {
    const each = { ...data, id: data.id ?? `case-${hashOf(contentOf(data))}` };
    const report = (message: string): void => {
      problems.push({ path: [place], message });
    };
    const same = places.get(each.id);
    if (same !== undefined && data.id === undefined) report(`is the same case as ${same}`);
    else if (same !== undefined) report(`has the id ${each.id} of ${same}; ids must be unique`);
    places.set(each.id, place);
    for (const scorer of scorers) {
      if (each.label !== undefined && scorer.kind !== 'judge') continue;
      const problem = scorer.check?.(each);
      if (problem !== undefined) report(problem);
    }
    if (each.label !== undefined) labelled.push(each);
    else asked.push({ ...each, hash: hashOf(contentOf(each), basis) });
  }
  if (asked.length === 0) problems.push({ path: [], message: 'has only labelled cases' });
  if (problems.length > 0) throw configError(problems, `suite "${name}"`);
  const labels = labelled.map((each) => [each.id, each.label, contentOf(each)]);
  const ids = asked.map(({ id, hash, weight }) => [id, hash, weight]);
  const fingerprint = hashOf({ tier, samples, minEffect }, ids, labels);
  return { name, tier, samples, minEffect, options, scorers, cases: asked, labelled, fingerprint };
}
