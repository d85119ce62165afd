import type { RouterEvent, TierObject } from '../../src/index.ts';
import type { Outcome } from './caller.ts';
import type { Run } from './simulate.ts';
import type { VendorPlan } from './world.ts';

/** Longer than any answer of a vendor that is well takes. */
const wellMs = 5 + 300 + 12 * 40;

/** Failures that are the request's own, or the caller's: nobody else is to be asked. */
const stops: readonly string[] = ['invalid_request', 'aborted', 'closed', 'config'];

function targetsOf(tier: TierObject | undefined): readonly string[] {
  return (tier?.targets ?? []).map((each) => (typeof each === 'string' ? each : each.target));
}

function chainOf({ world }: Run, name: string): readonly string[] {
  const tier = world.tiers[name];
  const { fallbackTier } = tier ?? {};
  const more = fallbackTier === undefined ? [] : targetsOf(world.tiers[fallbackTier]);
  return [...new Set([...targetsOf(tier), ...more])];
}

/** Whether nothing was wrong with the vendor from the time on, and nothing is to be remembered against it. */
function isWell(run: Run, plan: VendorPlan, fromMs: number, toMs: number): boolean {
  if (plan.quota !== undefined || plan.keys > 1) return false;
  if (run.world.providerLimits[plan.name] !== undefined) return false;
  return plan.weather.every((each) => {
    // A limit that was learned, a refused key and an empty account are remembered for minutes.
    const lastsMs = ['limited', 'limited-with-time', 'quota', 'auth'].includes(each.trouble)
      ? Number.POSITIVE_INFINITY
      : 0;
    return each.fromMs >= toMs || each.toMs + lastsMs <= fromMs;
  });
}

function hasLimits({ world }: Run): boolean {
  return Object.values(world.tiers).some(
    ({ limits, targets }) =>
      limits !== undefined ||
      targets.some((each) => typeof each !== 'string' && each.limits !== undefined),
  );
}

/** Whether the target's circuit was closed all the time from `from` to `to`. */
function wasClosed(events: readonly RouterEvent[], target: string, from: number, to: number) {
  let state = 'closed';
  for (const event of events) {
    if (event.at > to) break;
    if (!('target' in event) || event.target !== target) continue;
    if (event.type === 'circuit-open' || event.type === 'circuit-half-open') state = 'open';
    else if (event.type === 'circuit-close') state = 'closed';
    else continue;
    if (state === 'open' && event.at >= from) return false;
    if (event.type === 'circuit-close' && event.at > from) return false;
  }
  return state === 'closed';
}

/** What the silence of one target leaves of the deadline: half, or a fifth when that target is known to be slow. */
function keptShare({ world }: Run): number {
  const isSlow = world.vendors.some(({ weather }) =>
    weather.some(({ trouble }) => trouble === 'slow'),
  );
  return isSlow ? 0.2 : 0.5;
}

function isExcused(run: Run, outcome: Outcome): boolean {
  const { plan, error, completion, hasLeft, seen } = outcome;
  if (completion !== undefined || hasLeft || error === undefined) return true;
  if (plan.abortAfterMs !== undefined || run.world.closeAtMs !== undefined) return true;
  if (plan.singleFlight || plan.readMs > 0 || plan.transfer === 'unary') return true;
  if (stops.includes(error.code)) return true;
  if (error.trail.some((line) => stops.includes(line.error?.code ?? ''))) return true;
  const { midStream } = run.world.tiers[plan.tier] ?? {};
  return seen !== '' && midStream === 'fail';
}

/** The targets of the call that were well and let calls through all the while, and had the time to answer. */
function ableIn(run: Run, { plan, startedAt, endedAt }: Outcome): readonly string[] {
  const tier = run.world.tiers[plan.tier];
  const chain = chainOf(run, plan.tier);
  const totalMs = plan.totalMs ?? tier?.timeouts?.totalMs ?? 0;
  if (totalMs * keptShare(run) ** (chain.length - 1) < wellMs) return [];
  return chain.filter((target) => {
    const vendor = run.world.vendors.find(({ name }) => target.startsWith(`${name}/`));
    return (
      vendor !== undefined &&
      isWell(run, vendor, startedAt - run.beganAt, endedAt - run.beganAt) &&
      wasClosed(run.events, target, startedAt, endedAt)
    );
  });
}

/** The attempts of a failed call; those that were called off for another are none. */
function attemptsOf({ error }: Outcome): readonly string[] {
  const asked = error?.trail.filter(({ outcome }) => outcome === 'error') ?? [];
  return asked.map(({ target }) => target);
}

/** Calls that failed although a target of theirs was well, was not asked, and had the time to answer. */
export function unansweredIn(run: Run): string[] {
  if (hasLimits(run)) return [];
  return run.outcomes.flatMap((outcome) => {
    const { plan, error } = outcome;
    if (isExcused(run, outcome) || plan.wantsObject) return [];
    const attempts = error?.trail.filter(({ outcome: each }) => each !== 'skipped').length ?? 0;
    if (attempts >= (run.world.tiers[plan.tier]?.maxAttempts ?? 6)) return [];
    const [able] = ableIn(run, outcome);
    if (able === undefined) return [];
    return [`call ${plan.number} failed (${error?.code}) although ${able} could have answered`];
  });
}

/** Calls that failed with attempts spent on retries or repairs, although a target that was well was never asked. */
export function neverAskedIn(run: Run): string[] {
  if (hasLimits(run)) return [];
  return run.outcomes.flatMap((outcome) => {
    if (isExcused(run, outcome)) return [];
    const attempts = attemptsOf(outcome);
    const asked = new Set(attempts);
    if (asked.size === attempts.length) return [];
    const untried = ableIn(run, outcome).find((target) => !asked.has(target));
    if (untried === undefined) return [];
    const { number } = outcome.plan;
    return [`call ${number} asked others again and never ${untried}, which could have answered`];
  });
}
