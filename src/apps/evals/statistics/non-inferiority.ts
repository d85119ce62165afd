import { differences, logCapitalAbove, meanSequence } from './betting.ts';
import { type Interval, sumOf, type WeightedScore } from './intervals.ts';

/** One case answered by both models: its scores from 0 to 1, each the mean of the samples and runs. */
export type ComparedCase = {
  readonly expensive: number;
  readonly cheap: number;
  /** @default 1 */
  readonly weight?: number;
};

export type NonInferiority = {
  /** Whether the cheap model is at most `margin` worse. */
  readonly answer: 'yes' | 'no' | 'not enough data';
  /** Mean score of the cheap model minus that of the expensive one. */
  readonly difference: number;
  /** Of `difference`, for prompts like those compared. */
  readonly interval: Interval;
  /**
   * About how many cases are needed for an answer, if further cases are like those compared. Undefined when there is
   * an answer, and when the difference is so near to the margin that no number that could be run is enough.
   */
  readonly casesNeeded?: number;
};

export type NonInferiorityOptions = {
  /**
   * How much worse the cheap model may be.
   *
   * @default 0.02
   */
  readonly margin?: number;
  /**
   * The probability of a wrong `yes`, and of a wrong `no`, at most.
   *
   * @default 0.05
   */
  readonly alpha?: number;
};

/** More cases than this are not a plan. */
const mostCasesNeeded = 100_000;

/**
 * Has the cheaper model caught up? A paired test of non-inferiority, by betting on the differences case by case
 * (Waudby-Smith and Ramdas 2024). Its error bound holds for any scores and at every look: after "not enough data", more
 * cases may be added and the question asked again, as often as wished. An ordinary interval would not allow that. The
 * price is about a half more cases.
 */
export function testNonInferiority(
  cases: readonly ComparedCase[],
  options: NonInferiorityOptions = {},
): NonInferiority {
  const { margin = 0.02, alpha = 0.05 } = options;
  const scores = cases.map(({ cheap, expensive, weight = 1 }) => ({
    ...{ score: differences.toScore(cheap - expensive), weight },
  }));
  const total = sumOf(scores.map(({ weight }) => weight));
  if (total <= 0)
    return { answer: 'not enough data', difference: 0, interval: { low: -1, high: 1 } };
  const difference = differences.fromScore(
    sumOf(scores.map(({ score, weight }) => score * weight)) / total,
  );
  const { low, high } = meanSequence(scores, 1 - 2 * alpha);
  const found = {
    difference,
    interval: { low: differences.fromScore(low), high: differences.fromScore(high) },
  };
  if (found.interval.low > -margin) return { answer: 'yes', ...found };
  if (found.interval.high < -margin) return { answer: 'no', ...found };
  const casesNeeded = countNeeded(scores, margin, -Math.log(alpha));
  return {
    answer: 'not enough data',
    ...found,
    ...(casesNeeded === undefined ? {} : { casesNeeded }),
  };
}

/** The cases compared are repeated, in thought, until the capital of either side is enough. */
function countNeeded(
  scores: readonly WeightedScore[],
  margin: number,
  needed: number,
): number | undefined {
  const border = differences.toScore(-margin);
  const upsideDown = scores.map((row) => ({ ...row, score: 1 - row.score }));
  const isEnough = (times: number): boolean =>
    logCapitalAbove(scores, border, times) >= needed ||
    logCapitalAbove(upsideDown, 1 - border, times) >= needed;
  let [few, enough] = [1, mostCasesNeeded / scores.length];
  if (!isEnough(enough)) return undefined;
  while (enough * scores.length - few * scores.length > 1) {
    const middle = (few + enough) / 2;
    if (isEnough(middle)) enough = middle;
    else few = middle;
  }
  return Math.ceil(enough * scores.length);
}
