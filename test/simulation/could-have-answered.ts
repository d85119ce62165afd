import type { RouterEvent, TierObject } from '../../src/index.ts';
import type { Outcome } from './caller.ts';
import { mayShare } from './layers.ts';
import type { Run } from './simulate.ts';
import type { VendorPlan } from './world.ts';

/** Longer than any answer of a healthy vendor takes. */
const healthyMs = 5 + 300 + 12 * 40;

/** Failures caused by the request or the caller, after which no other target is tried. */
const finalCodes: readonly string[] = ['invalid_request', 'aborted', 'closed', 'config'];

function targetsOf(tier: TierObject | undefined): readonly string[] {
  return (tier?.targets ?? []).map((each) => (typeof each === 'string' ? each : each.target));
}

function chainOf({ world }: Run, name: string): readonly string[] {
  const tier = world.tiers[name];
  const { fallbackTier } = tier ?? {};
  const more = fallbackTier === undefined ? [] : targetsOf(world.tiers[fallbackTier]);
  return [...new Set([...targetsOf(tier), ...more])];
}

/** Whether the vendor was healthy in this time, and had no earlier trouble that the router remembers. */
function isHealthy(run: Run, plan: VendorPlan, fromMs: number, toMs: number): boolean {
  if (plan.quota !== undefined || plan.keys > 1) return false;
  if (run.world.providerLimits[plan.name] !== undefined) return false;
  return plan.weather.every((each) => {
    // Learned limits, rejected keys and empty accounts are remembered for minutes.
    const rememberedMs = ['limited', 'limited-with-time', 'quota', 'auth'].includes(each.trouble)
      ? Number.POSITIVE_INFINITY
      : 0;
    return each.fromMs >= toMs || each.toMs + rememberedMs <= fromMs;
  });
}

/** Limits, budgets, and requirements of the calls. */
function hasLimits({ world, policy, budgets }: Run): boolean {
  if (policy !== undefined || budgets !== undefined) return true;
  return Object.values(world.tiers).some(
    ({ limits, targets }) =>
      limits !== undefined ||
      targets.some((each) => typeof each !== 'string' && each.limits !== undefined),
  );
}

/** Whether the target's circuit was closed from `from` to `to`. */
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

/** The share of the deadline that is left after one silent target: a half, or a fifth when that target is known to be slow. */
function shareLeft({ world }: Run): number {
  const isSlow = world.vendors.some(({ weather }) =>
    weather.some(({ trouble }) => trouble === 'slow'),
  );
  return isSlow ? 0.2 : 0.5;
}

/** Whether an incident, instead of a target, may have failed the call. */
function hadIncident({ world, beganAt }: Run, { plan, startedAt, endedAt }: Outcome): boolean {
  const { ownFaults, freeze, changes } = world.incidents;
  if (ownFaults[plan.number] !== undefined) return true;
  if (changes?.list.some(({ dropsTargets }) => dropsTargets) === true) return true;
  if (freeze === undefined) return false;
  const frozenAt = beganAt + freeze.atMs;
  return startedAt <= frozenAt + freeze.forMs && endedAt >= frozenAt;
}

function isExcused(run: Run, outcome: Outcome): boolean {
  const { plan, error, completion, hasLeft, seen } = outcome;
  if (hadIncident(run, outcome)) return true;
  if (completion !== undefined || hasLeft || error === undefined) return true;
  if (plan.abortAfterMs !== undefined || run.world.closeAtMs !== undefined) return true;
  if (mayShare(run.layers, run.world, plan.number)) return true;
  if (plan.singleFlight || plan.readMs > 0 || plan.transfer === 'unary') return true;
  if (finalCodes.includes(error.code)) return true;
  // The loser of a hedge is aborted, and the call goes on.
  const isFinal = (code: string | undefined) =>
    code !== 'aborted' && finalCodes.includes(code ?? '');
  if (error.trail.some((line) => isFinal(line.error?.code))) return true;
  const { midStream } = run.world.tiers[plan.tier] ?? {};
  // A plugin may hold back what the router has committed to.
  const isCommitted = seen !== '' || (plan.mode === 'stream' && run.plugins.length > 0);
  return isCommitted && midStream === 'fail';
}

/** The targets of the call that were healthy, had a closed circuit all the time, and had enough time to answer. */
function availableTargets(run: Run, { plan, startedAt, endedAt }: Outcome): readonly string[] {
  const tier = run.world.tiers[plan.tier];
  const chain = chainOf(run, plan.tier);
  const totalMs = plan.totalMs ?? tier?.timeouts?.totalMs ?? 0;
  if (totalMs * shareLeft(run) ** (chain.length - 1) < healthyMs) return [];
  return chain.filter((target) => {
    const vendor = run.world.vendors.find(({ name }) => target.startsWith(`${name}/`));
    return (
      vendor !== undefined &&
      isHealthy(run, vendor, startedAt - run.beganAt, endedAt - run.beganAt) &&
      wasClosed(run.events, target, startedAt, endedAt)
    );
  });
}

/** The targets of a failed call's attempts, without attempts that were aborted for another one. */
function attemptsOf({ error }: Outcome): readonly string[] {
  const failed = error?.trail.filter(({ outcome }) => outcome === 'error') ?? [];
  return failed.map(({ target }) => target);
}

/** Calls that failed although one of their targets was available. */
export function unansweredIn(run: Run): string[] {
  if (hasLimits(run)) return [];
  return run.outcomes.flatMap((outcome) => {
    const { plan, error } = outcome;
    if (isExcused(run, outcome) || plan.wantsObject) return [];
    const attempts = error?.trail.filter(({ outcome: each }) => each !== 'skipped').length ?? 0;
    if (attempts >= (run.world.tiers[plan.tier]?.maxAttempts ?? 6)) return [];
    const [available] = availableTargets(run, outcome);
    if (available === undefined) return [];
    return [
      `call ${plan.number} failed (${error?.code}) although ${available} could have answered`,
    ];
  });
}

/** Calls that failed after retries or repairs, although an available target was never tried. */
export function neverTriedIn(run: Run): string[] {
  if (hasLimits(run)) return [];
  return run.outcomes.flatMap((outcome) => {
    if (isExcused(run, outcome)) return [];
    const attempts = attemptsOf(outcome);
    const tried = new Set(attempts);
    if (tried.size === attempts.length) return [];
    const untried = availableTargets(run, outcome).find((target) => !tried.has(target));
    if (untried === undefined) return [];
    const { number } = outcome.plan;
    return [
      `call ${number} retried other targets and never tried ${untried}, which could have answered`,
    ];
  });
}
