import type { Strategy, WhenAllOpen } from '../protocol/config.ts';
import type { Candidate, Knowledge, Needs, RouteOptions, Unavailable } from './candidate.ts';
import { ineligible, namesOf } from './eligible.ts';
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

type Skipped = {
  /** Which of the provider's keys, from 1 as people count. */
  readonly key?: number;
  readonly target: string;
  readonly reason: string;
  /** When it may be asked again; absent when it can never take this call. */
  readonly until?: number;
};

/** One place in the chain: a target to ask, or to pass over. `later` is set when it may become available. */
type Step =
  | { readonly ask: Candidate; readonly skip?: undefined; readonly later?: undefined }
  | { readonly ask?: undefined; readonly skip: Skipped; readonly later?: Candidate };

export type Plan = {
  /** The whole chain in its order. */
  readonly steps: readonly Step[];
  /** Whom to ask, in this order: those that wait for a limit last, and told as skipped in their place. */
  readonly candidates: readonly Candidate[];
  readonly skipped: readonly Skipped[];
  /** Set when nobody was available and the least bad one was taken all the same: why it was not. */
  readonly leastBad?: Unavailable;
};

function inOrder(
  candidates: readonly Candidate[],
  route: RouteOptions | undefined,
): readonly Candidate[] {
  if (route?.order === undefined) return candidates;
  const ranks = new Map<string, number>();
  for (const [rank, name] of route.order.entries()) {
    if (!ranks.has(name)) ranks.set(name, rank);
  }
  const last = route.order.length;
  const rankOf = ({ id, provider }: Candidate): number =>
    Math.min(ranks.get(id) ?? last, ranks.get(provider) ?? last);
  return candidates.toSorted((a, b) => rankOf(a) - rankOf(b));
}

/** When a target may be asked again; one under probe comes last, and one that waits for others first. */
function backAt({ unavailable }: { readonly unavailable: Unavailable | undefined }): number {
  return unavailable?.until ?? (unavailable?.waits === true ? 0 : Number.MAX_VALUE);
}

/** Of those who are only unavailable, the one that may be asked again first. */
function soonest<Each extends { readonly unavailable: Unavailable | undefined }>(
  list: readonly Each[],
): Each | undefined {
  return list
    .filter((each) => each.unavailable !== undefined)
    .sort((a, b) => backAt(a) - backAt(b))[0];
}

function withKeys(candidate: Candidate, keys: readonly number[] | undefined): readonly Candidate[] {
  return keys === undefined ? [candidate] : keys.map((key) => ({ ...candidate, key }));
}

/** Why the candidate's answers do not mix with the first one's. */
function strangeness(
  candidate: Candidate,
  first: Candidate | undefined,
  familyOf: ((candidate: Candidate) => string) | undefined,
): string | undefined {
  if (first === undefined || familyOf === undefined) return undefined;
  if (familyOf(candidate) === familyOf(first)) return undefined;
  return `its vectors do not mix with those of ${first.id}`;
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
    /** Only targets of the first one's family may stand in for it, whether it is well or not. */
    readonly familyOf?: (candidate: Candidate) => string;
  },
  knowledge: Knowledge,
): Plan {
  const chain = tiers.flatMap((tier) => strategies[tier.strategy](tier.targets, knowledge));
  const seen = new Set<string>();
  const unique = chain.filter(({ id }) => !seen.has(id) && seen.add(id));
  // A pool's keys are asked one after another before the next target is.
  const pooled = unique.flatMap((each) => withKeys(each, knowledge.keys(each)));
  const ordered = inOrder(pooled, options.route);
  const routeNames = namesOf(options.route);
  const ineligibility = (candidate: Candidate): string | undefined =>
    ineligible(candidate, needs, routeNames, knowledge);
  const first = options.familyOf && ordered.find((each) => ineligibility(each) === undefined);
  const looked = ordered.map((candidate) => {
    const never = ineligibility(candidate) ?? strangeness(candidate, first, options.familyOf);
    const unavailable = never === undefined ? knowledge.unavailable(candidate) : undefined;
    return { candidate, never, unavailable };
  });
  if (looked.every((each) => each.never === undefined && each.unavailable === undefined)) {
    return { steps: ordered.map((ask) => ({ ask })), candidates: ordered, skipped: [] };
  }
  const isFree = looked.some((each) => each.never === undefined && each.unavailable === undefined);
  const mayTry = !isFree && options.whenAllOpen === 'try-least-bad';
  const leastBad = mayTry ? soonest(looked) : undefined;
  // Who only waits for a limit is asked in the end: a wait is better than no answer.
  const waiting = looked
    .filter((each) => each.unavailable?.waits === true || each === leastBad)
    .sort((a, b) => backAt(a) - backAt(b));
  const mayWait = new Set(waiting);
  let turn = 0;
  const steps = looked.map((each): Step => {
    const { candidate, never, unavailable } = each;
    const { id, key } = candidate;
    const skipped = { target: id, ...(key !== undefined && { key: key + 1 }) };
    if (never !== undefined) return { skip: { ...skipped, reason: never } };
    if (unavailable === undefined) return { ask: candidate };
    const next = !isFree && mayWait.has(each) ? waiting[turn++] : undefined;
    if (next !== undefined) return { ask: next.candidate };
    const { reason, until } = unavailable;
    const skip = { ...skipped, reason, ...(until !== undefined && { until }) };
    return waiting.includes(each) ? { skip } : { skip, later: candidate };
  });
  if (isFree) steps.push(...waiting.map(({ candidate }) => ({ ask: candidate })));
  return {
    steps,
    candidates: steps.flatMap((step) => step.ask ?? []),
    skipped: steps.flatMap((step) => step.skip ?? []),
    ...(leastBad?.unavailable !== undefined && { leastBad: leastBad.unavailable }),
  };
}
