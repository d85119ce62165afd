import type { StrategyCandidate, StrategyContext } from '../../protocol/strategy.ts';

/**
 * The candidates with the lowest score first; equal ones keep their order. A candidate of unknown score comes last. The
 * scores are reported.
 */
export function byScore<Candidate extends StrategyCandidate>(
  candidates: readonly Candidate[],
  scoreOf: (candidate: Candidate) => number | undefined,
  context: StrategyContext,
): readonly Candidate[] {
  return candidates
    .map((candidate) => {
      const score = scoreOf(candidate);
      if (score !== undefined) context.score(candidate, score);
      return { candidate, score: score ?? Number.POSITIVE_INFINITY };
    })
    .sort((a, b) => (a.score === b.score ? 0 : a.score - b.score))
    .map(({ candidate }) => candidate);
}

/** The candidates in a random order (Fisher and Yates). */
export function shuffled<Candidate>(
  candidates: readonly Candidate[],
  random: StrategyContext['random'],
): readonly Candidate[] {
  const list = [...candidates];
  for (let last = list.length - 1; last > 0; last--) {
    const at = Math.floor(random() * (last + 1));
    const moved = list[at];
    const other = list[last];
    if (moved === undefined || other === undefined) break;
    list[last] = moved;
    list[at] = other;
  }
  return list;
}

/** The one with the element `first` at the beginning. */
export function startingWith<Candidate>(
  first: Candidate | undefined,
  candidates: readonly Candidate[],
): readonly Candidate[] {
  if (first === undefined) return candidates;
  return [first, ...candidates.filter((each) => each !== first)];
}

/** Every so many calls of a tier, one is an exploration: less than one in a hundred, so that it is not in the p99. */
const explorationTurns = 120;

/** A target that was tried within this many milliseconds needs no exploration. */
const freshMs = 10_000;

/**
 * The target to explore with this call: every 120th call of the tier goes to the one that was not tried for longest, if
 * that is more than 10 seconds ago. So a target that has become faster is found out.
 */
export function explored<Candidate extends StrategyCandidate>(
  candidates: readonly Candidate[],
  { turn, knowledge }: Pick<StrategyContext, 'turn' | 'knowledge'>,
): Candidate | undefined {
  if (turn % explorationTurns !== explorationTurns - 1) return undefined;
  let longestMs = freshMs;
  let stalest: Candidate | undefined;
  for (const candidate of candidates) {
    const { idleMs, isAvailable } = knowledge(candidate);
    if (idleMs === undefined || idleMs < longestMs || !isAvailable) continue;
    longestMs = idleMs;
    stalest = candidate;
  }
  return stalest;
}
