import type { Description } from '../../protocol/description.ts';
import type { LoadedSuite } from './loaded-suite.ts';
import { isCounted, type RunResult, type TargetResult } from './run-result.ts';
import type { Interval } from './statistics/intervals.ts';
import { type NonInferiority, testNonInferiority } from './statistics/non-inferiority.ts';

/** One target of a comparison, over the runs that were compared. */
export type ComparedTarget = {
  readonly target: string;
  /** Mean score of the cases that both have answered. Absent without any. */
  readonly score?: number;
  /** US dollars for one answer of the suite. `null` if it is unknown. */
  readonly usdPerCall: number | null;
};

/** A case that one of two targets answers better. */
export type CaseDifference = {
  readonly id: string;
  readonly current: number;
  readonly candidate: number;
};

/** Whether a target can replace another one, by the answers to one suite. Plain data. */
export type TargetsCompared = {
  readonly suite: string;
  readonly tier: string;
  /** Finished runs that were compared, of the suite as it is now. */
  readonly runs: number;
  /** Cases that both have answered. */
  readonly cases: number;
  readonly current: ComparedTarget;
  readonly candidate: ComparedTarget;
  /** Whether the candidate is at most `margin` worse. */
  readonly answer: NonInferiority['answer'];
  /** Why there is not enough data, if more cases would not change that. */
  readonly reason?: string;
  readonly margin: number;
  /** Mean score of the candidate minus that of the current target. */
  readonly difference: number;
  /** Of `difference`, with 90 % confidence, for prompts like those of the suite. */
  readonly interval: Interval;
  /** About how many cases are needed for an answer. Absent with an answer, or if no number is enough. */
  readonly casesNeeded?: number;
  /** The cases that the candidate answers worse, those that differ most first. */
  readonly worse: readonly CaseDifference[];
  /** The cases that it answers better. */
  readonly better: readonly CaseDifference[];
};

const defaultMargin = 0.02;

/** The latest runs count: models and prompts change. */
const maxRuns = 10;

/** Of scores: smaller differences are rounding. */
const sameScore = 1e-6;

function meanOf(
  values: readonly number[],
  weights: readonly number[] = values.map(() => 1),
): number {
  const sum = (list: readonly number[]): number => list.reduce((total, each) => total + each, 0);
  return sum(values.map((value, index) => value * (weights[index] ?? 1))) / sum(weights);
}

/** The mean score of each case in these runs. */
function scoresIn(results: readonly TargetResult[]): ReadonlyMap<string, number> {
  const scores = new Map<string, number[]>();
  for (const { id, score } of results.flatMap(({ cases }) => cases)) {
    if (score !== null) scores.set(id, [...(scores.get(id) ?? []), score]);
  }
  return new Map([...scores].map(([id, list]) => [id, meanOf(list)]));
}

function usdPerCall(results: readonly TargetResult[]): number | null {
  let usd = 0;
  let answers = 0;
  for (const each of results) {
    if (each.usd === null) return null;
    usd += each.usd;
    answers += each.scored;
  }
  return answers === 0 ? null : usd / answers;
}

/** Whether calls to the tier can reach all of these targets. */
export function hasTargets(
  { tiers }: Description,
  tier: string,
  wanted: readonly string[],
): boolean {
  const { targets = [], fallbackTargets = [] } = tiers.find(({ name }) => name === tier) ?? {};
  const known = [...targets, ...fallbackTargets].map(({ target }) => target);
  return wanted.every((each) => known.includes(each));
}

type Pair = { readonly current: string; readonly candidate: string };

/**
 * Compares two targets by the answers of finished runs, case by case. Each case counts once, with its mean score: more runs
 * make it more exact, and do not replace more cases.
 */
export function compareTargets(
  { name, tier, cases }: Pick<LoadedSuite, 'name' | 'tier' | 'cases'>,
  results: readonly RunResult[],
  { current, candidate, margin = defaultMargin }: Pair & { readonly margin?: number | undefined },
): TargetsCompared {
  const latest = results
    .filter(({ targets }) =>
      [current, candidate].every((each) =>
        targets.some(({ target, score }) => target === each && score !== undefined),
      ),
    )
    .slice(-maxRuns);
  const [before, after] = [current, candidate].map((wanted) =>
    latest.flatMap(({ targets }) => targets.filter(({ target }) => target === wanted)),
  );
  const [old, next] = [scoresIn(before ?? []), scoresIn(after ?? [])];
  const pairs = cases.flatMap(({ id, weight = 1 }) => {
    const [expensive, cheap] = [old.get(id), next.get(id)];
    return expensive === undefined || cheap === undefined ? [] : [{ id, weight, expensive, cheap }];
  });
  const { answer, ...found } = testNonInferiority(pairs, { margin });
  const differing = pairs
    .filter((each) => Math.abs(each.cheap - each.expensive) > sameScore)
    .sort(
      (a, b) =>
        Math.abs(b.cheap - b.expensive) - Math.abs(a.cheap - a.expensive) || (a.id < b.id ? -1 : 1),
    )
    .map((each) => ({ id: each.id, current: each.expensive, candidate: each.cheap }));
  const weights = pairs.map(({ weight }) => weight);
  const scored = pairs.length > 0;
  const reason = latest.every(isCounted)
    ? undefined
    : 'the agreement of its judge with labelled cases is not known';
  return {
    ...{ suite: name, tier, runs: latest.length, cases: pairs.length, margin },
    current: {
      target: current,
      ...(scored && {
        score: meanOf(
          pairs.map(({ expensive }) => expensive),
          weights,
        ),
      }),
      usdPerCall: usdPerCall(before ?? []),
    },
    candidate: {
      target: candidate,
      ...(scored && {
        score: meanOf(
          pairs.map(({ cheap }) => cheap),
          weights,
        ),
      }),
      usdPerCall: usdPerCall(after ?? []),
    },
    answer: reason === undefined ? answer : 'not enough data',
    ...(reason !== undefined && { reason }),
    ...found,
    worse: differing.filter((each) => each.candidate < each.current),
    better: differing.filter((each) => each.candidate > each.current),
  };
}
