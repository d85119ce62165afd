import type { RouterEvent } from '../../src/index.ts';
import { correctAnswer, correctObject, promptOf } from './answers.ts';
import { budgetViolationsIn } from './budget-invariants.ts';
import type { Outcome } from './caller.ts';
import { neverTriedIn, unansweredIn } from './could-have-answered.ts';
import { initialConcurrency } from './incidents.ts';
import { layerViolationsIn } from './layer-invariants.ts';
import { mayShare } from './layers.ts';
import { routingViolationsIn } from './routing-invariants.ts';
import type { Run } from './simulate.ts';
import type { Entry } from './vendor.ts';

type EventOf<Type extends RouterEvent['type']> = Extract<RouterEvent, { type: Type }>;

/** The events of each call, in order. */
function byCall({ events }: Run): ReadonlyMap<string, readonly RouterEvent[]> {
  const calls = new Map<string, RouterEvent[]>();
  for (const event of events) {
    if (event.callId === null) continue;
    const known = calls.get(event.callId) ?? [];
    known.push(event);
    calls.set(event.callId, known);
  }
  return calls;
}

const isType =
  <Type extends RouterEvent['type']>(type: Type) =>
  (event: RouterEvent): event is EventOf<Type> =>
    event.type === type;

/** Answers that are not the correct, complete one. */
function wrongAnswers({ outcomes, layers }: Run): string[] {
  return outcomes.flatMap(({ plan, completion, seen, hasLeft }) => {
    const violations: string[] = [];
    const { number, wantsObject } = plan;
    const { question = number, addresses = [] } = layers?.askers.get(number) ?? {};
    const expected = wantsObject
      ? JSON.stringify(correctObject(question, addresses))
      : correctAnswer(question, addresses);
    const isShort = completion?.finishReason === 'length';
    if (completion !== undefined) {
      if (completion.text !== expected && !isShort) {
        violations.push(`call ${number}: "${completion.text}" is returned as a complete answer`);
      }
      if (!hasLeft && seen !== completion.text) {
        violations.push(
          `call ${number}: the reader has "${seen}", the completion "${completion.text}"`,
        );
      }
      if (wantsObject && JSON.stringify(completion.object) !== expected) {
        violations.push(`call ${number}: the object does not fit`);
      }
    }
    return violations;
  });
}

/** Calls that do not settle with an answer or a SignalboxError, or do not have one start and one end. */
function malformedCalls(run: Run): string[] {
  const violations: string[] = [];
  const { world, outcomes } = run;
  if (outcomes.length < world.calls.length) {
    violations.push(`${world.calls.length - outcomes.length} calls never settled`);
  }
  for (const { plan, strayError, error } of outcomes) {
    if (strayError !== undefined)
      violations.push(`${promptOf(plan.number)} threw ${String(strayError)}`);
    const mayAbort = plan.abortAfterMs !== undefined || world.closeAtMs !== undefined;
    if (error?.code === 'aborted' && !mayAbort)
      violations.push(`call ${plan.number} was aborted, but not by its caller`);
  }
  for (const [id, events] of byCall(run)) {
    const types = events.map(({ type }) => type);
    const ends = events.filter(isType('attempt-end'));
    const starts = events.filter(isType('attempt-start'));
    const [end, ...more] = events.filter(isType('call-end'));
    if (types[0] !== 'call-start') violations.push(`${id} begins with ${types[0]}`);
    // A request that calls share goes on when the one that started it has ended.
    const isShared = mayShare(run.layers, world, Number(events[0]?.tags.plan));
    const goesOn = isShared && types.includes('call-end');
    if ((types.at(-1) !== 'call-end' && !goesOn) || more.length > 0)
      violations.push(`${id} does not have exactly one end, at the end`);
    if (types.filter((type) => type === 'call-start').length > 1)
      violations.push(`${id} begins twice`);
    if (end !== undefined && end.attempts !== starts.length && !goesOn) {
      violations.push(`${id} reports ${end.attempts} attempts and started ${starts.length}`);
    }
    for (const { attempt, target } of starts) {
      const own = ends.filter((each) => each.attempt === attempt && each.target === target);
      if (own.length !== 1) violations.push(`${id}: attempt ${attempt} has ${own.length} ends`);
    }
    if (ends.length > starts.length) violations.push(`${id} has more ends than attempts`);
  }
  return violations;
}

/** How much later than at once a store may have settled what an attempt has spent. */
function storeLatencyMs({ budgets }: Run): number {
  return 4 * (budgets?.storeMs ?? 0);
}

/** Calls with more attempts than allowed, or longer than their deadline. */
function exceededBounds(run: Run): string[] {
  const violations: string[] = [];
  for (const [id, events] of byCall(run)) {
    const tier = run.world.tiers[events[0]?.tier ?? ''];
    const attempts = events.filter(isType('attempt-start')).length;
    const { maxAttempts = 6 } = tier ?? {};
    if (attempts > maxAttempts)
      violations.push(`${id}: ${attempts} attempts, ${maxAttempts} allowed`);
  }
  for (const { plan, startedAt, endedAt } of run.outcomes) {
    const totalMs = plan.totalMs ?? run.world.tiers[plan.tier]?.timeouts?.totalMs ?? 0;
    // A slow reader may still read what arrived in time, and a frozen process notices the end late.
    const lateMs = (run.world.incidents.freeze?.forMs ?? 0) + storeLatencyMs(run);
    // A plugin that asks while the answer arrives is a slow reader.
    const isSlow = plan.readMs > 0 || run.budgets?.asks === 'meanwhile';
    if (!isSlow && endedAt - startedAt > totalMs + lateMs) {
      violations.push(`call ${plan.number} took ${endedAt - startedAt} ms, ${totalMs} allowed`);
    }
  }
  return violations;
}

/** Billed usage that is not in exactly one `cost` event, and `cost` events for anything else. */
function wronglyBilled({ events, ledger, world }: Run): string[] {
  const hasDrill = events.some(({ type }) => type === 'drill-start');
  const all = events.filter(isType('cost'));
  const violations: string[] = [];
  const idOf = ({ usage }: EventOf<'cost'>): number =>
    usage.inputTokens - world.billing.inputTokens;
  const costs = all.filter((cost) => ledger[idOf(cost)] !== undefined);
  const estimates = all.filter((cost) => ledger[idOf(cost)] === undefined);
  for (const { id, billed, target } of ledger) {
    const own = costs.filter((cost) => idOf(cost) === id);
    if (billed === undefined) {
      if (own.length > 0)
        violations.push(`request ${id} (${target}) was not billed but has a cost event`);
      continue;
    }
    // A drill may cut an answer before its usage is read.
    if (own.length !== 1 && !(hasDrill && own.length === 0))
      violations.push(`request ${id} (${target}) is in ${own.length} cost events`);
    const reported = own[0]?.usage.outputTokens ?? Number.POSITIVE_INFINITY;
    if (reported < billed.outputTokens)
      violations.push(`request ${id} (${target}) is reported as cheaper than billed`);
  }
  // An answer that was left is estimated if its vendor has not reported anything.
  const left = ledger.filter(({ billed, hasAnswered }) => billed === undefined && hasAnswered);
  const leftAt = new Map<string, number>();
  for (const entry of left) {
    const target = targetOf(entry);
    leftAt.set(target, (leftAt.get(target) ?? 0) + 1);
  }
  for (const { target, usage } of estimates) {
    const count = leftAt.get(target) ?? 0;
    leftAt.set(target, count - 1);
    if (count <= 0 || usage.estimated !== true)
      violations.push(`a cost event of ${target} belongs to no request`);
  }
  return violations;
}

function targetOf({ target }: Entry): string {
  return target.split('#')[0] ?? target;
}

/** What is left when the last call has settled. */
function notQuiet({ pending, snapshot }: NonNullable<Run['quiet']>): string[] {
  const violations: string[] = [];
  if (pending > 0) violations.push(`${pending} timers are left`);
  if (snapshot.callsInFlight > 0) violations.push('calls are still in flight');
  for (const [id, target] of Object.entries(snapshot.targets)) {
    for (const { limits } of target.keys ?? [target]) {
      if ((limits?.queued ?? 0) > 0) violations.push(`${id}: a call is still queued`);
    }
  }
  return violations;
}

/** Timers, listeners, queue slots and requests that are left after the last call. */
function leftBehind(run: Run): string[] {
  const { quiet, pendingAfterClose, outcomes, ledger, strays, policy } = run;
  const violations: string[] = strays.map((stray) => `an unhandled rejection: ${String(stray)}`);
  if (quiet === undefined) return violations;
  if (pendingAfterClose > 0) violations.push(`${pendingAfterClose} timers outlive the router`);
  // The copy of a call may take longer than the call, and so may a store that settles what was aborted.
  const isLate = policy?.forkTo !== undefined || run.budgets?.storeMs !== undefined;
  if (!isLate) violations.push(...notQuiet(quiet));
  for (const { plan, listeners } of outcomes) {
    if (listeners > 0)
      violations.push(`call ${plan.number} left ${listeners} listeners on its signal`);
  }
  for (const { id, target, endedAt } of ledger) {
    if (endedAt === undefined) violations.push(`request ${id} to ${target} is still open`);
  }
  return violations;
}

/** Circuits that open because of an abort, or for a vendor that was always healthy. */
function wronglyOpened({ events, world }: Run): string[] {
  const healthy = new Set(
    world.vendors
      .filter(
        ({ weather, quota, prefill }) => weather.length === 0 && !quota && prefill !== 'rejects',
      )
      .map(({ name }) => name),
  );
  return events.filter(isType('circuit-open')).flatMap(({ target, cause, drill }) => {
    if (drill !== undefined) return [];
    if (cause === 'aborted') return [`an abort opened the circuit of ${target}`];
    const [vendor = ''] = target.split('/');
    return healthy.has(vendor)
      ? [`${target} was healthy, but its circuit opened because of ${cause}`]
      : [];
  });
}

/** Targets that are unavailable to other calls because of something that only one call names. */
function wronglyWithheld({ events, world, outcomes }: Run): string[] {
  const rejecting = new Set(
    world.vendors
      .filter(({ weather }) => weather.some(({ trouble }) => trouble === 'auth'))
      .map(({ name }) => name),
  );
  const rejected = events
    .filter(isType('credential-rejected'))
    .filter(({ provider }) => !rejecting.has(provider))
    .map(({ target }) => `the key of ${target} is not used, although it was accepted`);
  const missing = outcomes
    .flatMap(({ completion, error }) => completion?.trail ?? error?.trail ?? [])
    .filter(({ outcome, reason }) => outcome === 'skipped' && reason?.includes('model not found'))
    .map(({ target }) => `${target} is passed over, although its model exists`);
  return [...rejected, ...missing];
}

/** Requests beyond the concurrency of a provider, whose limit changed meanwhile, and waiting calls that it forgot. */
function exceededLimits({ world, ledger, beganAt, queuedAfterChange, budgets }: Run): string[] {
  const { changes } = world.incidents;
  // A slot is taken while the store answers.
  if (changes === undefined || budgets?.storeMs !== undefined) return [];
  const { provider, list } = changes;
  const own = ledger.filter(({ vendor }) => vendor === provider);
  const limitAt = (at: number): number => {
    const until = list.filter(({ atMs }) => beganAt + atMs <= at);
    // In the millisecond of a change, either limit may apply.
    const atChange = until.filter(({ atMs }) => beganAt + atMs === at).length;
    const applying = until.slice(-1 - atChange).map(({ concurrency }) => concurrency);
    return Math.max(...applying, until.length === atChange ? initialConcurrency : 0);
  };
  const exceeded = own.flatMap(({ id, at }) => {
    const open = own.filter((each) => each.id <= id && (each.endedAt ?? at + 1) > at);
    return open.length > limitAt(at)
      ? [`request ${id} to ${provider} is number ${open.length} of ${limitAt(at)} at a time`]
      : [];
  });
  const isLimitedOtherwise =
    world.vendors.some(({ name, weather, quota, keys }) => {
      const isOther = name !== provider;
      return !isOther && (weather.length > 0 || quota !== undefined || keys > 1);
    }) ||
    Object.values(world.tiers).some(
      ({ limits, targets }) =>
        limits !== undefined || targets.some((each) => typeof each !== 'string'),
    );
  const forgotten = queuedAfterChange.filter(
    ({ change, queued, open }) => queued > 0 && open < change.concurrency && !isLimitedOtherwise,
  );
  return [
    ...exceeded,
    ...forgotten.map(
      ({ queued, open }) => `${queued} calls wait for ${provider}, which has ${open} requests`,
    ),
  ];
}

/** Whether two requests ran at the same time. */
function overlap(a: Entry, b: Entry): boolean {
  const [aEnd, bEnd] = [a.endedAt ?? a.at, b.endedAt ?? b.at];
  return Math.min(aEnd, bEnd) > Math.max(a.at, b.at);
}

/** Half-open circuits that are probed by several requests at a time. */
function crowdedProbes({ events, world, ledger, policy, budgets }: Run): string[] {
  // Drilled calls have a circuit of their own.
  if ((policy?.drillAtMs ?? budgets?.drillAtMs) !== undefined) return [];
  const tiers = Object.values(world.tiers);
  // `try-least-bad` sends requests regardless of the circuit.
  if (tiers.some(({ whenAllOpen }) => whenAllOpen !== 'fail-fast')) return [];
  const violations: string[] = [];
  for (const [at, event] of events.entries()) {
    if (event.type !== 'circuit-half-open') continue;
    const end = events
      .slice(at + 1)
      .find(
        (each) =>
          (each.type === 'circuit-close' || each.type === 'circuit-open') &&
          each.target === event.target,
      );
    const until = end?.at ?? Number.POSITIVE_INFINITY;
    const probes = ledger.filter(
      (entry) => entry.target === event.target && entry.at >= event.at && entry.at < until,
    );
    const pair = probes.find((probe, index) =>
      probes.slice(index + 1).some((other) => overlap(probe, other)),
    );
    if (pair !== undefined) violations.push(`${event.target} was probed by two requests at a time`);
  }
  return violations;
}

/** Calls that send another request to a target before its Retry-After has passed. */
function retriedTooSoon({ ledger, world, policy, budgets, layers }: Run): string[] {
  // The copy of a call is another call.
  if (policy?.forkTo !== undefined || budgets?.asks !== undefined) return [];
  // Calls that ask the same are not told apart.
  if (layers?.cache !== undefined) return [];
  const isPatient = Object.values(world.tiers).every(
    ({ whenAllOpen }) => whenAllOpen === 'fail-fast',
  );
  if (!isPatient) return [];
  return ledger.flatMap(({ id, call, target, endedAt = 0, notBefore = 0 }) => {
    const next = ledger.find(
      (other) =>
        other.call === call &&
        other.target === target &&
        other.at > endedAt &&
        other.at < notBefore,
    );
    return next === undefined ? [] : [`${target} was retried too soon after request ${id}`];
  });
}

/** Calls whose trail has fewer attempts than their events. */
function missingTrailLines(run: Run): string[] {
  const calls = byCall(run);
  return run.outcomes.flatMap(({ plan, completion, error }: Outcome) => {
    const trail = completion?.trail ?? error?.trail;
    const isShared = plan.singleFlight || mayShare(run.layers, run.world, plan.number);
    if (trail === undefined || isShared) return [];
    const own = [...calls.values()].find((events) => events[0]?.tags.plan === String(plan.number));
    const attempts = (own ?? []).filter(isType('attempt-start')).length;
    const lines = trail.filter(({ outcome }) => outcome !== 'skipped');
    return lines.length < attempts
      ? [`call ${plan.number}: ${attempts} attempts, ${lines.length} lines in its trail`]
      : [];
  });
}

/** Concurrent attempts that continue after another one has started to answer. */
function uselessAttempts(run: Run): string[] {
  return [...byCall(run)].flatMap(([id, events]) =>
    events.filter(isType('first-token')).flatMap(({ at, target: winner }) =>
      events.filter(isType('attempt-start')).flatMap((start) => {
        const end = events
          .filter(isType('attempt-end'))
          .find(({ attempt, target }) => attempt === start.attempt && target === start.target);
        const continues =
          start.target !== winner && start.at < at && (end?.at ?? at) > at + storeLatencyMs(run);
        return continues ? [`${id}: ${start.target} continues although ${winner} has started`] : [];
      }),
    ),
  );
}

/** All violations in a run. */
export function violationsIn(run: Run): readonly string[] {
  return [
    ...malformedCalls(run),
    ...wrongAnswers(run),
    ...exceededBounds(run),
    ...wronglyBilled(run),
    ...leftBehind(run),
    ...wronglyOpened(run),
    ...wronglyWithheld(run),
    ...exceededLimits(run),
    ...crowdedProbes(run),
    ...retriedTooSoon(run),
    ...missingTrailLines(run),
    ...uselessAttempts(run),
    ...routingViolationsIn(run),
    ...budgetViolationsIn(run),
    ...layerViolationsIn(run),
    ...unansweredIn(run),
    ...neverTriedIn(run),
  ];
}
