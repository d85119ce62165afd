import type { Strategy, WhenAllOpen } from '../protocol/config.ts';
import type { Candidate, Knowledge, Needs, RouteOptions, Unavailable } from './candidate.ts';
import { ineligible, names } from './eligible.ts';
import { cheapest } from './strategies/cheapest.ts';

type Order = (candidates: readonly Candidate[], knowledge: Knowledge) => readonly Candidate[];

const strategies: Record<Strategy, Order> = {
  priority: (candidates) => candidates,
  cheapest,
};

/** One tier's part of the chain: its targets, and how it orders them. */
export type PlanTier = {
  readonly strategy: Strategy;
  readonly targets: readonly Candidate[];
};

export type Skipped = {
  readonly target: string;
  readonly reason: string;
  /** When it may be asked again; absent when it can never take this call. */
  readonly until?: number;
};

export type Plan = {
  /** Whom to ask, in this order. */
  readonly candidates: readonly Candidate[];
  readonly skipped: readonly Skipped[];
  /** Set when nobody was available and the least bad one was taken all the same: why it was not. */
  readonly leastBad?: Unavailable;
};

function inOrder(
  candidates: readonly Candidate[],
  route: RouteOptions | undefined,
): readonly Candidate[] {
  const first = (route?.order ?? []).flatMap((name) =>
    candidates.filter((candidate) => names(candidate, [name])),
  );
  return [...new Set([...first, ...candidates])];
}

/** The one that may be asked again soonest; one that waits for a probe under way comes last. */
function soonest<Each extends { readonly until: number | undefined }>(
  list: readonly Each[],
): Each | undefined {
  const when = (each: Each): number => each.until ?? Number.POSITIVE_INFINITY;
  return [...list].sort((a, b) => when(a) - when(b))[0];
}

/**
 * Orders the targets of a tier, and of the tiers it falls back to, for one call. Pure: the same knowledge
 * gives the same plan. A target that stands in several tiers is asked once.
 */
export function plan(
  tiers: readonly PlanTier[],
  needs: Needs,
  options: {
    readonly route: RouteOptions | undefined;
    readonly whenAllOpen: WhenAllOpen;
  },
  knowledge: Knowledge,
): Plan {
  const chain = tiers.flatMap((tier) => strategies[tier.strategy](tier.targets, knowledge));
  const unique = chain.filter(
    (each, index) => chain.findIndex(({ id }) => id === each.id) === index,
  );
  const skipped: Skipped[] = [];
  const candidates: Candidate[] = [];
  const waiting: {
    candidate: Candidate;
    reason: string;
    until: number | undefined;
  }[] = [];
  for (const candidate of inOrder(unique, options.route)) {
    const never = ineligible(candidate, needs, options.route, knowledge);
    if (never !== undefined) {
      skipped.push({ target: candidate.id, reason: never });
      continue;
    }
    const unavailable = knowledge.unavailable(candidate);
    if (unavailable === undefined) candidates.push(candidate);
    else waiting.push({ candidate, ...unavailable });
  }
  const nobody = candidates.length === 0 && options.whenAllOpen === 'try-least-bad';
  const leastBad = nobody ? soonest(waiting) : undefined;
  for (const { candidate, reason, until } of waiting) {
    if (candidate === leastBad?.candidate) candidates.push(candidate);
    else
      skipped.push({
        target: candidate.id,
        reason,
        ...(until !== undefined && { until }),
      });
  }
  return {
    candidates,
    skipped,
    ...(leastBad !== undefined && {
      leastBad: { reason: leastBad.reason, until: leastBad.until },
    }),
  };
}
