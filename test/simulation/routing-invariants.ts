import type { Requires, Rule } from '../../src/index.ts';
import { isForbidden, type Policy, ruleFor } from './policies.ts';
import type { Run } from './simulate.ts';
import type { CallPlan } from './world.ts';

/** What holds for a call: the rule that it meets, and what its targets must meet. */
type Force = { readonly rule: Rule | undefined; readonly requires: readonly Requires[] };

/** What holds for a call that starts at that time. In the very millisecond of a change, either configuration may. */
function forcesAt(
  { reconfiguredAt = Number.POSITIVE_INFINITY }: Run,
  policy: Policy,
  plan: CallPlan,
  at: number,
): Force[] {
  const routings = [
    ...(at <= reconfiguredAt ? [policy.routing] : []),
    ...(at >= reconfiguredAt ? [policy.later] : []),
  ];
  return routings.map((routing) => {
    const rule = ruleFor(routing, plan, at);
    const all = [
      policy.callRequires.get(plan.number),
      routing.requires[plan.tier],
      // The requirements of both tiers hold.
      typeof rule?.use === 'string' ? routing.requires[rule.use] : undefined,
    ];
    return { rule, requires: all.filter((each) => each !== undefined) };
  });
}

/** Requests, whoever made them for the call, to targets that its tiers or its caller do not allow. */
function forbiddenRequests(run: Run, policy: Policy): string[] {
  return run.ledger.flatMap(({ call, target: keyed }) => {
    const outcome = run.outcomes.find(({ plan }) => plan.number === call);
    if (outcome === undefined) return [];
    const [target = ''] = keyed.split('#');
    const forces = forcesAt(run, policy, outcome.plan, outcome.startedAt);
    const isWrong = forces.every(({ requires }) =>
      requires.some((each) => isForbidden(policy, target, each)),
    );
    return isWrong ? [`call ${call} was sent to ${target}, which it does not allow`] : [];
  });
}

/** Explanations that name another rule, or a target that the call must not be sent to. */
function wronglyExplained(run: Run, policy: Policy): string[] {
  return run.explained.flatMap(({ plan, at, explanation }) => {
    const { rule, candidates, fallbacks = {} } = explanation;
    const listed = Object.values(fallbacks)
      .flat()
      .filter(({ reason }) => reason === undefined);
    const targets = [...candidates, ...listed].map(({ target }) => target);
    const isRight = forcesAt(run, policy, plan, at).some(
      (force) =>
        force.rule?.name === rule &&
        force.requires.every((each) =>
          targets.every((target) => !isForbidden(policy, target, each)),
        ),
    );
    return isRight ? [] : [`call ${plan.number} was explained by ${rule}: ${targets.join(', ')}`];
  });
}

/** Plans that name another rule, or have a target that is estimated at more than the call may cost. */
function wronglyPlanned(run: Run, policy: Policy): string[] {
  return run.events.flatMap((event) => {
    // The calls of plugins have no number.
    if (event.type !== 'route-plan' || event.tags.plan === undefined) return [];
    const { rule, candidates, tags } = event;
    const outcome = run.outcomes.find(({ plan }) => String(plan.number) === tags.plan);
    if (outcome === undefined) return [];
    const { plan, startedAt } = outcome;
    const isRight = forcesAt(run, policy, plan, startedAt).some((force) => {
      const limits = force.requires.flatMap(({ maxEstimatedUsd }) => maxEstimatedUsd ?? []);
      const mostUsd = Math.min(...limits);
      return (
        force.rule?.name === rule &&
        candidates.every(({ usd = limits.length === 0 ? 0 : Number.NaN }) => usd <= mostUsd)
      );
    });
    return isRight ? [] : [`call ${plan.number} was planned by ${rule} at too high a price`];
  });
}

/** All violations of who may serve a call, and by which rule. */
export function routingViolationsIn(run: Run): readonly string[] {
  const { policy } = run;
  if (policy === undefined) return [];
  return [
    ...forbiddenRequests(run, policy),
    ...wronglyExplained(run, policy),
    ...wronglyPlanned(run, policy),
  ];
}
