import type { LoadedSuite } from './loaded-suite.ts';
import type {
  AnswerRecord,
  FailureRecord,
  GivenUpRecord,
  RunHeader,
  RunRecord,
  ScoreRecord,
} from './run-record.ts';
import type { CaseResult, JudgeResult, RunResult, TargetResult } from './run-result.ts';
import { scoreInterval } from './statistics/intervals.ts';
import { judgeAgreement } from './statistics/judge-agreement.ts';

/** Fewer labelled cases say little: with 9 of 10, the agreement may be anything from 60 to 98 %. */
export const minLabelled = 10;

const decimals = 1e6;

/** Without the noise of sums of decimals, for files that are compared. */
function rounded(value: number, factor: number = decimals): number {
  return Math.round(value * factor) / factor;
}

function sum(values: readonly number[]): number {
  return rounded(
    values.reduce((total, value) => total + value, 0),
    1e9,
  );
}

function quantile(sorted: readonly number[], share: number): number | undefined {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
}

function isOfType<Type extends RunRecord['type']>(type: Type) {
  return (record: RunRecord): record is Extract<RunRecord, { type: Type }> => record.type === type;
}

/** The records of one target. */
type TargetRecords = {
  readonly answers: readonly AnswerRecord[];
  readonly failures: readonly FailureRecord[];
  readonly scores: readonly ScoreRecord[];
  readonly givenUp: GivenUpRecord | undefined;
};

function byCase<Record extends { readonly case: string; readonly sample: number }>(
  records: readonly Record[],
): ReadonlyMap<string, readonly Record[]> {
  const sorted = records.toSorted((a, b) => a.sample - b.sample);
  return Map.groupBy(sorted, (record) => record.case);
}

function caseResults(
  suite: LoadedSuite,
  { scores, failures }: TargetRecords,
): readonly CaseResult[] {
  // An answer that cannot be used is a score too.
  const scored = byCase([...scores, ...failures.filter(({ score }) => score === 0)]);
  const failed = byCase([
    ...failures.map((each) => ({ ...each, reason: each.code })),
    ...scores.flatMap((each) =>
      each.failed === undefined ? [] : [{ ...each, reason: each.failed }],
    ),
  ]);
  return suite.cases.map(({ id, hash, weight = 1 }) => {
    const samples = (scored.get(id) ?? []).flatMap(({ score }) =>
      typeof score === 'number' ? [score] : [],
    );
    const reasons = (failed.get(id) ?? []).map(({ reason }) => reason);
    return {
      id,
      hash,
      score: samples.length === 0 ? null : rounded(sum(samples) / samples.length),
      samples: samples.map((score) => rounded(score)),
      ...(reasons.length > 0 && { failures: reasons }),
      ...(weight !== 1 && { weight }),
    };
  });
}

function countsOf(failures: readonly string[]): Readonly<Record<string, number>> {
  const groups = Map.groupBy(failures.toSorted(), (code) => code);
  return Object.fromEntries([...groups].map(([code, list]) => [code, list.length]));
}

function targetResult(suite: LoadedSuite, target: string, records: TargetRecords): TargetResult {
  const { answers, failures, scores, givenUp } = records;
  const cases = caseResults(suite, records);
  const times = answers.map(({ ms }) => ms).sort((a, b) => a - b);
  const [p50Ms, p95Ms] = [quantile(times, 0.5), quantile(times, 0.95)];
  const weighted = cases.flatMap(({ score, weight = 1 }) =>
    score === null ? [] : [{ score, weight }],
  );
  const interval = scoreInterval(weighted);
  // A run that goes on asks again a target that was given up.
  const isIncomplete = answers.length + failures.length < suite.cases.length * suite.samples;
  const isPriced = answers.every(({ usd }) => usd !== null);
  return {
    target,
    ...(weighted.length > 0 && {
      score: {
        mean: rounded(interval.mean),
        low: rounded(interval.low),
        high: rounded(interval.high),
      },
    }),
    scored: cases.reduce((count, { samples }) => count + samples.length, 0),
    failures: countsOf([
      ...failures.map(({ code }) => code),
      ...scores.flatMap(({ failed }) => failed ?? []),
    ]),
    ...(givenUp !== undefined && isIncomplete && { givenUp: givenUp.code }),
    usd: isPriced
      ? sum([...answers.map(({ usd }) => usd ?? 0), ...failures.map(({ usd }) => usd)])
      : null,
    scorersUsd: sum(scores.map(({ usd }) => usd)),
    ...(p50Ms !== undefined && { p50Ms: Math.round(p50Ms) }),
    ...(p95Ms !== undefined && { p95Ms: Math.round(p95Ms) }),
    inputTokens: sum(answers.map(({ inputTokens }) => inputTokens)),
    outputTokens: sum(answers.map(({ outputTokens }) => outputTokens)),
    cases,
  };
}

/** A grade as one of three: a verdict that depends on the order agrees with no label but 0.5. */
function gradeOf(score: number): string {
  if (score === 0.5) return 'neither';
  return score > 0.5 ? 'pass' : 'fail';
}

/** How the judges of a suite agree with its labelled cases. */
export function judgeResults(
  { scorers }: Pick<LoadedSuite, 'scorers'>,
  records: readonly RunRecord[],
): readonly JudgeResult[] {
  const all = records.filter(isOfType('label'));
  return scorers
    .filter(({ kind }) => kind === 'judge')
    .map(({ name, minAgreement = 0 }) => {
      const labels = all.filter(({ scorer }) => scorer === name);
      const labelled = labels.length;
      if (labelled === 0) return { name, labelled, counts: false };
      const { accuracy, kappa } = judgeAgreement(
        labels.map(({ score, label }) => ({ judge: gradeOf(score), label: gradeOf(label) })),
      );
      const counts = labelled >= minLabelled && accuracy >= minAgreement;
      return {
        ...{ name, labelled, agreement: rounded(accuracy) },
        ...(kappa !== undefined && { kappa: rounded(kappa) }),
        counts,
      };
    });
}

/** The result of the records of a run. Pure: the same records give the same result, in whatever order they came. */
export function summarize(
  suite: LoadedSuite,
  header: RunHeader,
  records: readonly RunRecord[],
): RunResult {
  const judges = judgeResults(suite, records);
  return {
    version: 1,
    run: header.run,
    suite: suite.name,
    tier: suite.tier,
    fingerprint: suite.fingerprint,
    samples: suite.samples,
    minEffect: suite.minEffect,
    ...(judges.length > 0 && { judges }),
    targets: header.targets.map((target) => {
      const own = records.filter((record) => 'target' in record && record.target === target);
      return targetResult(suite, target, {
        answers: own.filter(isOfType('answer')),
        failures: own.filter(isOfType('failure')),
        scores: own.filter(isOfType('score')),
        givenUp: own.find(isOfType('given-up')),
      });
    }),
  };
}
