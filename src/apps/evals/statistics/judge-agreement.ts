import { type Interval, wilsonInterval } from './intervals.ts';
import { mcnemarTest } from './paired-tests.ts';

/** What a judge said of a case, and the label that a person gave it: two names of the same set. */
export type JudgedCase = { readonly judge: string; readonly label: string };

export type JudgeAgreement = {
  readonly cases: number;
  /** The share of cases in which the judge gave the label. */
  readonly accuracy: number;
  /** Of `accuracy`, with 95 % confidence. */
  readonly interval: Interval;
  /**
   * Agreement beyond chance: 1 is perfect, 0 is what a judge reaches that knows only how frequent each label is.
   * Undefined when only one label occurs.
   */
  readonly kappa: number | undefined;
};

/** How well a judge agrees with labelled cases: accuracy with Wilson's interval, and the kappa of Cohen (1960). */
export function judgeAgreement(cases: readonly JudgedCase[]): JudgeAgreement {
  const agreed = cases.filter(({ judge, label }) => judge === label).length;
  const accuracy = agreed / cases.length;
  const names = new Set(cases.flatMap(({ judge, label }) => [judge, label]));
  let byChance = 0;
  for (const name of names) {
    const judged = cases.filter(({ judge }) => judge === name).length;
    const labelled = cases.filter(({ label }) => label === name).length;
    byChance += (judged / cases.length) * (labelled / cases.length);
  }
  return {
    ...{ cases: cases.length, accuracy, interval: wilsonInterval(agreed, cases.length) },
    kappa: names.size > 1 ? (accuracy - byChance) / (1 - byChance) : undefined,
  };
}

/** Which of two answers a judge preferred, by where it was shown: asked once, and again with the two swapped. */
export type SwappedVerdict = {
  readonly asShown: 'first' | 'second' | 'tie';
  readonly swapped: 'first' | 'second' | 'tie';
};

export type PositionBias = {
  readonly pairs: number;
  /** The share of pairs in which the judge preferred the same position both times, so the position decided. */
  readonly rate: number;
  /** Of `rate`, with 95 % confidence. */
  readonly interval: Interval;
  /** Of those pairs, the share in which it was the first position. Undefined without any. */
  readonly firstShare: number | undefined;
  /** How often a judge without a favourite position would lean as much to one of them: the exact sign test. */
  readonly pValue: number;
};

/** How often a judge's verdict follows the position of an answer instead of the answer. */
export function positionBias(verdicts: readonly SwappedVerdict[]): PositionBias {
  const stuckTo = (position: 'first' | 'second'): number =>
    verdicts.filter(({ asShown, swapped }) => asShown === position && swapped === position).length;
  const [first, second] = [stuckTo('first'), stuckTo('second')];
  const stuck = first + second;
  return {
    ...{ pairs: verdicts.length, rate: verdicts.length === 0 ? 0 : stuck / verdicts.length },
    interval: wilsonInterval(stuck, verdicts.length),
    firstShare: stuck === 0 ? undefined : first / stuck,
    pValue: mcnemarTest(first, second).different,
  };
}
