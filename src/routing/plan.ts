import { own } from '../internal/own.ts';
import type { CallOptions } from '../protocol/call-options.ts';
import type { WhenAllOpen } from '../protocol/config.ts';
import type { NormalMessage, Part } from '../protocol/message.ts';
import type { Capability } from '../protocol/provider.ts';
import type { Candidate, Knowledge, Needs, RouteOptions, Unavailable } from './candidate.ts';

type Skipped = {
  readonly target: string;
  /** Position of the key in the provider's pool, from 1. */
  readonly key?: number;
  readonly reason: string;
  /** When it can be tried again. Absent if it can never take this call, or if unknown. */
  readonly until?: number;
};

/** One step of the chain: a target to try or to skip. `later` is set if the skipped target may become available. */
type Step =
  | { readonly try: Candidate; readonly skip?: undefined; readonly later?: undefined }
  | { readonly try?: undefined; readonly skip: Skipped; readonly later?: Candidate };

export type Plan = {
  /** The whole chain, in order. */
  readonly steps: readonly Step[];
  /** The targets to try, in order. Targets that wait for a limit come last and are in `skipped` too. */
  readonly candidates: readonly Candidate[];
  readonly skipped: readonly Skipped[];
  /** Set if no target was available and the least bad one is tried anyway: why it was unavailable. */
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

/**
 * When a target can be tried again. A target that waits for other attempts is first, one with a probe in flight last.
 */
function availableAt({ unavailable }: { readonly unavailable: Unavailable | undefined }): number {
  return unavailable?.until ?? (unavailable?.waits === true ? 0 : Number.MAX_VALUE);
}

/** The unavailable target that can be tried again first. Isolated ones cannot. */
function soonest<Each extends { readonly unavailable: Unavailable | undefined }>(
  list: readonly Each[],
): Each | undefined {
  return list
    .filter(({ unavailable }) => unavailable !== undefined && unavailable.isolated !== true)
    .sort((a, b) => availableAt(a) - availableAt(b))[0];
}

/** Why the candidate's vectors are not comparable with those of the first target. */
function incompatibility(
  candidate: Candidate,
  first: Candidate | undefined,
  familyOf: ((candidate: Candidate) => string) | undefined,
): string | undefined {
  if (first === undefined || familyOf === undefined) return undefined;
  if (familyOf(candidate) === familyOf(first)) return undefined;
  return `its vectors cannot be compared with those of ${first.id}`;
}

/**
 * The chain of one call. `targets` are those of its tier and of its fallback tiers, each tier in the order of its
 * strategy. A target that is listed twice is tried once. Pure: the same knowledge returns the same plan.
 */
export function plan(
  targets: readonly Candidate[],
  needs: Needs,
  options: {
    readonly route: RouteOptions | undefined;
    readonly whenAllOpen: WhenAllOpen;
    /** Set if only targets of the same family may replace the first target. */
    readonly familyOf?: (candidate: Candidate) => string;
  },
  knowledge: Knowledge,
): Plan {
  const seen = new Set<string>();
  const pooled: Candidate[] = [];
  for (const each of targets) {
    if (seen.has(each.id)) continue;
    seen.add(each.id);
    // All keys of a pool are tried before the next target.
    pooled.push(...knowledge.keyed(each));
  }
  const ordered = inOrder(pooled, options.route);
  const routeNames = namesOf(options.route);
  const ineligibility = (candidate: Candidate): string | undefined =>
    ineligible(candidate, needs, routeNames, knowledge);
  const first = options.familyOf && ordered.find((each) => ineligibility(each) === undefined);
  const checked = ordered.map((candidate) => {
    const never = ineligibility(candidate) ?? incompatibility(candidate, first, options.familyOf);
    const unavailable = never === undefined ? knowledge.unavailable(candidate) : undefined;
    return { candidate, never, unavailable };
  });
  if (checked.every((each) => each.never === undefined && each.unavailable === undefined)) {
    return { steps: ordered.map((each) => ({ try: each })), candidates: ordered, skipped: [] };
  }
  const isFree = checked.some((each) => each.never === undefined && each.unavailable === undefined);
  const mayTry = !isFree && options.whenAllOpen === 'try-least-bad';
  const leastBad = mayTry ? soonest(checked) : undefined;
  // Targets that only wait for a limit are tried last, because a wait is better than no answer.
  const waiting = checked
    .filter((each) => each.unavailable?.waits === true || each === leastBad)
    .sort((a, b) => availableAt(a) - availableAt(b));
  const mayWait = new Set(waiting);
  let turn = 0;
  const steps = checked.map((each): Step => {
    const { candidate, never, unavailable } = each;
    const { id, key } = candidate;
    const skipped = { target: id, ...(key !== undefined && { key: key + 1 }) };
    if (never !== undefined) return { skip: { ...skipped, reason: never } };
    if (unavailable === undefined) return { try: candidate };
    const next = !isFree && mayWait.has(each) ? waiting[turn++] : undefined;
    if (next !== undefined) return { try: next.candidate };
    const { reason, until } = unavailable;
    const skip = { ...skipped, reason, ...(until !== undefined && { until }) };
    return mayWait.has(each) ? { skip } : { skip, later: candidate };
  });
  if (isFree) steps.push(...waiting.map(({ candidate }) => ({ try: candidate })));
  return {
    steps,
    candidates: steps.flatMap((step) => step.try ?? []),
    skipped: steps.flatMap((step) => step.skip ?? []),
    ...(leastBad?.unavailable !== undefined && { leastBad: leastBad.unavailable }),
  };
}

/**
 * No tokenizer uses more characters per token on natural text; the average is about four. So the estimate excludes only
 * requests that cannot fit. The vendor decides about the rest.
 */
const maxCharactersPerToken = 8;

const capabilityOfPart: Partial<Record<Part['type'], Capability>> = {
  image: 'vision',
  audio: 'audio',
  file: 'files',
};

/** The parts in the output of a tool. */
function nested(output: unknown): readonly Part[] {
  return Array.isArray(output) ? output.filter(isPart) : [];
}

function isPart(value: unknown): value is Part {
  return typeof value === 'object' && value !== null && 'type' in value;
}

function textLength(part: Part): number {
  return 'text' in part && typeof part.text === 'string' ? part.text.length : 0;
}

/** Lower bound of the tokens of that many characters. */
export function minimumTokensOf(characters: number): number {
  return Math.floor(characters / maxCharactersPerToken);
}

/** What the messages and options require of a target. */
export function needsOf(
  messages: readonly NormalMessage[],
  options: Pick<CallOptions, 'tools' | 'schema'>,
): Needs {
  const capabilities = new Set<Capability>();
  let characters = 0;
  const count = (part: Part): void => {
    const capability = own(capabilityOfPart, part.type);
    if (capability !== undefined) capabilities.add(capability);
    characters += textLength(part);
  };
  for (const { content } of messages) {
    for (const part of content) {
      count(part);
      if (part.type === 'tool-result') nested(part.output).forEach(count);
    }
  }
  if (options.tools !== undefined && options.tools.length > 0) capabilities.add('tools');
  if (options.schema !== undefined) capabilities.add('structured-output');
  return {
    capabilities,
    minimumTokens: minimumTokensOf(characters),
  };
}

/** Whether the list contains the candidate's target or provider. */
function isNamed(candidate: Candidate, list: ReadonlySet<string>): boolean {
  return list.has(candidate.id) || list.has(candidate.provider);
}

/** The lists of `route` as sets. */
type RouteNames = {
  readonly only: ReadonlySet<string> | undefined;
  readonly ignore: ReadonlySet<string> | undefined;
};

const anyTarget: RouteNames = { only: undefined, ignore: undefined };

function namesOf(route: RouteOptions | undefined): RouteNames {
  if (route === undefined) return anyTarget;
  return { only: route.only && new Set(route.only), ignore: route.ignore && new Set(route.ignore) };
}

/** Why the candidate can never take this call; `undefined` if it can. Does not check health. */
function ineligible(
  candidate: Candidate,
  needs: Needs,
  { only, ignore }: RouteNames,
  knowledge: Knowledge,
): string | undefined {
  if (only !== undefined && !isNamed(candidate, only)) return 'not in route.only';
  if (ignore !== undefined && isNamed(candidate, ignore)) return 'in route.ignore';
  if (needs.capabilities.size > 0) {
    const has = knowledge.capabilities(candidate);
    for (const capability of needs.capabilities) {
      if (!has.has(capability)) return `lacks ${capability}`;
    }
  }
  const window = knowledge.contextWindow(candidate);
  if (window !== undefined && needs.minimumTokens > window) {
    return `context window of ${window} tokens is too small`;
  }
  return knowledge.excluded(candidate);
}
